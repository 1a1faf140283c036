"""Top-k against a plain sort, and the cache of compiled code where Spark's executors need it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from jobs.engine import top_k as kernels
from jobs.engine.top_k import top_k

ROOT = Path(kernels.__file__).resolve().parents[2]


def oracle(users, items, k, seen=None):
    """Sort every row of the whole product; ties by index because the sort is stable."""
    scores = users.astype(np.float64) @ items.astype(np.float64).T
    ids = np.full((len(users), k), -1)
    best = np.full((len(users), k), -np.inf)
    for row, line in enumerate(scores):
        left = [item for item in np.argsort(-line, kind="stable") if seen is None or item not in seen[row]]
        left = left[:k]
        ids[row, : len(left)] = left
        best[row, : len(left)] = line[left]
    return ids, best


def whole(rng, n, f, spread=3):
    """Whole numbers: every product is exact in any order of summation, and ties are many."""
    return rng.integers(-spread, spread + 1, size=(n, f)).astype(np.float32)


def csr(rows):
    return np.cumsum([0, *map(len, rows)]), np.array([item for row in rows for item in row], dtype=np.int32)


@pytest.mark.parametrize("seed", range(12))
def test_equals_a_stable_sort_with_ties_and_seen_items(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    monkeypatch.setattr(kernels, "USERS", 16)
    monkeypatch.setattr(kernels, "ITEMS", int(rng.choice([48, 64, 100, 128])))
    n, m, f = rng.integers(1, 60), rng.integers(1, 400), rng.integers(1, 5)
    k = int(rng.choice([1, 2, 7, 10, 33, 500]))
    users, items = whole(rng, n, f), whole(rng, m, f)
    seen = [rng.permutation(m)[: rng.integers(0, m + 1)] for _ in range(n)] if seed % 2 else None
    ids, scores = top_k(users, items, k, *(csr(seen) if seen else ()))
    expected_ids, expected = oracle(users, items, k, seen)
    np.testing.assert_array_equal(ids, expected_ids)
    np.testing.assert_array_equal(scores, expected)


def test_more_users_and_items_than_a_block_and_a_tile():
    rng = np.random.default_rng(7)
    users, items = whole(rng, kernels.USERS + 3, 8, 30), whole(rng, 2 * kernels.ITEMS + 5, 8, 30)
    ids, scores = top_k(users, items, 10)
    expected_ids, expected = oracle(users, items, 10)
    np.testing.assert_array_equal(ids, expected_ids)
    np.testing.assert_array_equal(scores, expected)


def test_real_numbers_agree_within_rounding():
    rng = np.random.default_rng(8)
    users, items = (rng.normal(size=(n, 64)).astype(np.float32) for n in (70, 3000))
    ids, scores = top_k(users, items, 10)
    _, expected = oracle(users, items, 10)
    np.testing.assert_allclose(scores, expected, atol=1e-4)
    np.testing.assert_allclose(np.einsum("nf,nkf->nk", users, items[ids]), scores, atol=1e-4)
    assert (np.diff(scores, axis=1) <= 0).all()


def test_types_shapes_and_order_of_the_arrays_do_not_matter():
    rng = np.random.default_rng(9)
    users, items = whole(rng, 5, 4), whole(rng, 30, 4)
    ids, scores = top_k(np.asfortranarray(users.astype(np.float64)), items[::1].tolist(), 3)
    assert ids.dtype == np.int32
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(ids, top_k(users, items, 3)[0])


@pytest.mark.parametrize(("n", "m"), [(0, 5), (5, 0), (0, 0)])
def test_nothing_to_rank(n, m):
    ids, scores = top_k(np.zeros((n, 3)), np.zeros((m, 3)), 4)
    assert ids.shape == scores.shape == (n, 4)
    assert (ids == -1).all()
    assert np.isneginf(scores).all()


def test_everything_seen_leaves_nothing():
    ids, _ = top_k(np.ones((2, 1)), np.ones((3, 1)), 2, np.array([0, 3, 4]), np.array([2, 0, 1, 0]))
    assert ids.tolist() == [[-1, -1], [1, 2]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
def test_factors_that_may_overflow_are_refused(bad):
    users = np.ones((4, 2), dtype=np.float32)
    items = users.copy()
    items[1, 1] = bad
    with pytest.raises(ValueError, match="diverged"):
        top_k(users, items, 2)


def test_arguments_that_do_not_fit_are_refused():
    ones = np.ones((4, 2))
    with pytest.raises(ValueError, match=r"k .*1 or more, got 0"):
        top_k(ones, ones, 0)
    with pytest.raises(ValueError, match=r"\(4, 2\) and \(4, 3\)"):
        top_k(ones, np.ones((4, 3)), 1)
    with pytest.raises(ValueError, match=r"seen_indptr .*5 .* 3 "):
        top_k(np.ones((3, 2)), ones, 1, np.zeros(5), np.zeros(0))


CHILD = """
import sys; sys.path.insert(0, sys.argv[1])
import numpy as np
from jobs.engine import top_k as kernels
assert kernels.__file__.startswith(sys.argv[1]), kernels.__file__
ids, _ = kernels.top_k(np.ones((2, 1)), np.arange(5.0)[:, None], 2)
print(ids.tolist(), sum(sum(d.stats.cache_hits.values()) for d in (kernels.select,)))
"""


def child(path, cache):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    environment.pop("PYTHONPATH", None)
    process = subprocess.run(
        [sys.executable, "-c", CHILD, str(path)],
        cwd=path.parent, env=environment, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return process.stdout.strip()


def test_kernels_from_a_zip_compile_once_wherever_the_zip_lies(tmp_path):
    places = [tmp_path / "first" / "code.zip", tmp_path / "second" / "code.zip"]
    for place in places:
        place.parent.mkdir()
        with zipfile.ZipFile(place, "w") as archive:
            for name in (
                "datasets/__init__",
                "core/__init__",
                "core/python_worker",
                "datasets/compiled",
                "jobs/__init__",
                "jobs/engine/__init__",
                "jobs/engine/arrays",
                "jobs/engine/top_k",
            ):
                archive.write(ROOT / f"{name}.py", f"{name}.py")
    assert child(places[0], tmp_path / "cache") == "[[4, 3], [4, 3]] 0"
    assert child(places[1], tmp_path / "cache") == "[[4, 3], [4, 3]] 1"
    # A cache that cannot be made costs the compilation, not the task.
    (tmp_path / "file").write_text("")
    assert child(places[1], tmp_path / "file") == "[[4, 3], [4, 3]] 0"
