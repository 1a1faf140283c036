"""Numbers as terms: near values are alike, far ones are not, whatever the unit and the shape of their distribution."""

import numpy as np
import pandas as pd
import pytest

from jobs.engine.vectors import nearest, vectors
from jobs.modelling import terms

FEATURES = terms.GROUPS.index("features")


def found(values, knots=5, name="tempo"):
    rows = [(item, FEATURES, name, value) for item, value in enumerate(values)]
    names, groups, entries = terms._terms(
        pd.DataFrame(rows, columns=["item", "group", "token", "n"]), min_items=1, knots=knots
    )
    if not names:
        return names, None
    matrix = vectors(
        entries["item"].to_numpy(dtype=np.int32), entries["term"].to_numpy(dtype=np.int32), entries["n"].to_numpy(),
        groups=groups, weights=np.ones(5), m=len(values),
    )  # fmt: skip
    near = nearest(np.arange(len(values)), *matrix, len(values))
    cosines = np.zeros((len(values), len(values)))
    for item, (ids, similarities) in enumerate(zip(*near, strict=True)):
        cosines[item, ids[ids >= 0]] = similarities[ids >= 0]
    return names, cosines


@pytest.mark.parametrize("scale", [1.0, 1e-4, 1e6])
def test_cosines_fall_with_the_distance_of_numbers(scale):
    values = np.array([*np.arange(33) * scale, 16 * scale])
    names, cosines = found(values)
    assert len(names) == 5
    assert cosines[16, 33] == pytest.approx(1.0, abs=1e-6)
    assert (np.diff(cosines[0, 1:33]) <= 1e-6).all()
    assert cosines[0, 1] > 0.8
    assert not cosines[0, 17:33].any()


def test_skewed_numbers_have_their_knots_where_the_items_are():
    values = np.concatenate([np.zeros(50), np.linspace(0.5, 1.0, 30)])
    names, cosines = found(values, knots=9)
    assert names[0] == "tempo about 0"
    assert len(names) < 9
    assert cosines[0, 1] == pytest.approx(1.0, abs=1e-6)
    assert cosines[0, -1] == 0.0


def test_a_number_that_is_the_same_everywhere_tells_nothing():
    assert found([3.0] * 10)[0] == []


def test_values_that_are_no_numbers_are_left_out():
    names, _ = found([1.0, 2.0, np.nan, np.inf, 1.5, 1.2])
    assert names == ["tempo about 1", "tempo about 2"]
