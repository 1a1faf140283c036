"""A share of a data set's users: smaller, of the same kind, and the same each time."""

import pytest

from core.errors import UsageError
from jobs.apps import JOBS
from jobs.apps.preprocess import PreprocessParams

ROWS = 4000


def users_of(context, share):
    made = context(
        "preprocess", {"sample": share}, dataset="synthetic/ml-latest-small", dataset_options={"rows": ROWS}
    )
    result = JOBS["preprocess"].run(made)
    keys = {row["key"] for row in made.store.read("users").collect()}
    return keys, result.counts


def test_a_sample_keeps_whole_users_and_all_items(context):
    every, whole = users_of(context, 1.0)
    half, fewer = users_of(context, 0.5)
    assert whole["rows_out"] == ROWS
    assert half < every
    assert len(every) // 4 <= len(half) <= 3 * len(every) // 4
    assert 0 < fewer["rows_out"] < ROWS
    assert fewer["items"] == whole["items"]


@pytest.mark.parametrize("share", [0.0, -0.5, 1.5])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(UsageError, match=rf"sample .*above 0 .*got {share}"):
        PreprocessParams(sample=share)
