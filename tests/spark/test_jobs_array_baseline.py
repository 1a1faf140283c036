"""The bias baseline from blocks and from arrays: the one that Spark's joins give."""

import numpy as np
import planted
import pytest

from jobs.engine.blocks import Blocks, Sizes
from jobs.modelling.array_baseline import Baseline, around, mean_of, of_arrays, of_blocks
from jobs.modelling.export import bias_column
from jobs.modelling.fetching import fetch
from jobs.models.als_wr import AlsWr

SIZES = planted.USERS, planted.ITEMS


def test_blocks_and_arrays_give_the_baseline_of_the_frames(tables):
    model = AlsWr(reg_user=3.0, reg_item=2.0)
    fit = model.baseline(tables.ratings)
    with Blocks(tables.ratings, Sizes(*SIZES, 7)) as blocks:
        in_blocks = of_blocks(blocks, model)
        blocks.release()
    for found in (in_blocks, of_arrays(*fetch(tables.ratings), SIZES, model)):
        assert found.mean == pytest.approx(fit.mean, rel=1e-9)
        assert (found.low, found.high) == (fit.low, fit.high)
        np.testing.assert_allclose(found.users, bias_column(fit.users, "user", planted.USERS), atol=1e-6)
        np.testing.assert_allclose(found.items, bias_column(fit.items, "item", planted.ITEMS), atol=1e-6)
        assert found.users[7] == found.items[3] == 0


def test_a_baseline_of_ratings_around_their_mean_is_shifted_back(tables):
    mean = mean_of(tables)
    model = AlsWr()
    whole = of_arrays(*fetch(tables.ratings), SIZES, model)
    found = of_arrays(*fetch(around(tables.ratings, mean)), SIZES, model).plus(mean)
    assert found.mean == pytest.approx(whole.mean)
    assert (found.low, found.high) == pytest.approx((whole.low, whole.high))
    np.testing.assert_allclose(found.users, whole.users, atol=1e-6)


def test_it_fills_what_is_not_known_and_clips_on_request():
    baseline = Baseline(3.0, np.float32([1, -1]), np.float32([0.5, 3]), 1.0, 5.0)
    user, item = np.array([0, 1, 9, -1]), np.array([1, 0, 1, 7])
    product = np.float32([np.nan, 9.0, np.nan, np.nan])
    np.testing.assert_array_equal(baseline.filled(user, item, product, clip=False), [7, 9, 6, 3])
    np.testing.assert_array_equal(baseline.filled(user, item, product, clip=True), [5, 5, 5, 3])
