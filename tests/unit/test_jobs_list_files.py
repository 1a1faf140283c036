"""Files of what lists are made from: written, read again, damaged and missing."""

import dataclasses

import numpy as np
import pytest

from core.errors import JobError
from jobs.engine import list_files
from jobs.engine.blends import Blend
from jobs.engine.list_files import FILE, Filed
from jobs.engine.lists import Known
from jobs.engine.meanings import Meanings
from jobs.engine.neighbours import Csr, csr
from jobs.engine.rules import Unobserved, Weighted
from jobs.engine.vectors import Vectors

ONE = csr(np.array([0, 2]), np.array([1, 0]), np.array([0.5, 1.0]), 3)
KNOWN = Known(
    np.arange(6, dtype=np.float32).reshape(3, 2),
    np.array([True, False, True]),
    Unobserved(0.1, 1.0, 0.2, 2),
    Vectors(ONE, ONE),
    np.array([3, 0, 1], dtype=np.float32),
    Blend.parse("0:0/0/1 5:0.5/0.25/0.25"),
    Meanings(liked=4, disliked=2),
)
FILED = Filed(
    KNOWN,
    ["a", "b", "ü"],
    ["u", "v"],
    csr(np.array([0]), np.array([2]), np.ones(1), 2),
    "hybrid",
    "",
    "toy/1",
)


@pytest.mark.parametrize("rule", [KNOWN.rule, Weighted(0.3)])
def test_a_file_is_read_as_it_was_written(tmp_path, rule):
    filed = FILED._replace(known=KNOWN._replace(rule=rule))
    version = list_files.write(tmp_path / "model" / FILE, filed)
    found = list_files.read(tmp_path / "model")
    assert found.version == version
    assert found[1:3] + found[4:5] == filed[1:3] + filed[4:5]
    assert (found.known.rule, found.known.blend, found.known.meanings) == (rule, KNOWN.blend, KNOWN.meanings)
    for name in ("factors", "fitted", "popularity"):
        np.testing.assert_array_equal(getattr(found.known, name), getattr(KNOWN, name))
    for given, kept in ((found.known.contents.by_item, ONE), (found.histories, FILED.histories)):
        assert isinstance(given, Csr)
        for one, two in zip(given, kept, strict=True):
            np.testing.assert_array_equal(one, two)


def test_the_version_is_of_the_content(tmp_path):
    first, again = (list_files.write(tmp_path / name, FILED) for name in ("one.npz", "two.npz"))
    assert first == again
    other = FILED._replace(known=KNOWN._replace(meanings=dataclasses.replace(KNOWN.meanings, dislike=0.5)))
    assert list_files.write(tmp_path / "three.npz", other) != first


def test_a_file_that_is_missing_or_damaged_says_what_to_do(tmp_path):
    with pytest.raises(JobError, match=r"no model to make lists from in .*job\.export=true"):
        list_files.read(tmp_path)
    list_files.write(tmp_path / FILE, FILED)
    damaged = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(damaged[: len(damaged) // 2])
    with pytest.raises(JobError, match="no model to make lists from"):
        list_files.read(tmp_path)
