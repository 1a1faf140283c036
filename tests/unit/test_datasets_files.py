"""Files that are written whole or not at all; the cluster, which knows no data, has its own of them."""

import inspect
import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

import core.files

PLACES = (core.files, core.files)


@pytest.mark.parametrize("files", PLACES)
def test_a_write_that_breaks_off_leaves_what_was_there(tmp_path, monkeypatch, files):
    path = tmp_path / "state.json"
    files.write_json(path, {"a": 1})

    def full(_):
        raise OSError(28, "no space is left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="28"):
        files.write_json(path, {"a": 2})
    with pytest.raises(TypeError):
        files.write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [found.name for found in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize("files", PLACES)
def test_two_that_write_at_once_leave_one_of_both(tmp_path, files):
    path = tmp_path / "state.json"
    values = [{"number": number, "text": "x" * 100_000} for number in range(8)]
    with ThreadPoolExecutor(8) as writers:
        list(writers.map(lambda value: files.write_json(path, value), values))
    assert json.loads(path.read_text()) in values
    assert [found.name for found in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize("files", PLACES)
def test_others_may_read_what_is_written(tmp_path, files):
    plain = tmp_path / "plain"
    plain.touch()
    files.write_text(tmp_path / "state", "x")
    assert (tmp_path / "state").stat().st_mode == plain.stat().st_mode


def test_both_write_in_the_same_way():
    for name in ("write_text", "write_json"):
        assert len({inspect.getsource(getattr(files, name)) for files in PLACES}) == 1
