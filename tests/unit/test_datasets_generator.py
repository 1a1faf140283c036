"""The compiled generator: even, independent of how users are shared out, and with the floor that it claims."""

import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from datasets.synthetic import generator, random_numbers
from datasets.synthetic.items import describe
from datasets.synthetic.shapes import SHAPES, plan

SMALL = SHAPES["ml-100k"]


def rows(made, first, end):
    return np.rec.fromarrays(generator.generate(made.world, first, made.counts[first:end]))


def test_quantile():
    p = np.concatenate([[1e-9, 1e-4], np.linspace(0.001, 0.999, 999), [1 - 1e-4]])
    np.testing.assert_allclose([random_numbers.quantile(q) for q in p], norm.ppf(p), rtol=2e-9, atol=1e-9)


def test_same_rows_however_users_are_shared_out():
    made = plan(SMALL, 7, 20_000)
    users = len(made.counts)
    whole = rows(made, 0, users)
    cuts = [0, 1, 50, 51, users]
    parts = np.concatenate([rows(made, first, end) for first, end in pairwise(cuts)])
    assert (whole == parts).all()


def test_exact_size_and_distinct_pairs():
    made = plan(SMALL, 7, 100_000)
    users, items, ratings, at = generator.generate(made.world, 0, made.counts)
    assert len(users) == 100_000
    assert abs(len(made.counts) / SMALL.users - 1) < 0.01
    assert len(np.unique(users.astype(np.int64) * SMALL.items + items)) == 100_000
    assert items.min() >= 0
    assert items.max() < SMALL.items
    assert set(ratings) == {1, 2, 3, 4, 5}
    same = users[1:] == users[:-1]
    assert (np.diff(at)[same] >= 0).all()
    assert made.counts[:-1].min() >= generator.LEAST


def test_larger_sets_hold_smaller_ones():
    small, large = plan(SMALL, 7, 20_000), plan(SMALL, 7, 60_000)
    users = len(small.counts) - 1  # the last one is cut short
    assert (rows(small, 0, users) == rows(large, 0, users)).all()


def test_seeds_differ():
    one, two = (rows(plan(SMALL, seed, 20_000), 0, 20) for seed in (1, 2))
    assert len(one) != len(two) or (one != two).mean() > 0.9


def test_activity_and_popularity_are_skewed():
    made = plan(SMALL, 7, 100_000)
    _, items, _, _ = generator.generate(made.world, 0, made.counts)
    top = np.sort(np.bincount(items, minlength=SMALL.items))[::-1]
    assert top[: SMALL.items // 10].sum() > 0.35 * top.sum()
    assert made.counts.max() > 5 * np.median(made.counts)


def test_alias_table_draws_in_proportion():
    weight = np.array([0.1, 3.0, 0.4, 7.5, 1.0])
    at, alias = generator.alias_table(weight.copy())
    drawn = at / 5
    np.add.at(drawn, alias, (1 - at) / 5)
    np.testing.assert_allclose(drawn, weight / weight.sum(), rtol=1e-12)


@pytest.mark.parametrize("name", ["ml-100k", "ml-latest-small"])
def test_expected_is_the_mean_over_noise(name):
    """The same pairs rated by many worlds that differ in their noise alone have the expected rating as their mean."""
    shape = SHAPES[name]
    made = plan(shape, 7, 20_000)
    middle = np.linspace(-1, 7, 17)
    z = norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    low, high, step = shape.scale
    level = np.floor((middle[:, None] + shape.noise_sd * z - low) / step + 0.5)
    means = np.clip(low + step * level, low, high).mean(axis=1)
    users = np.zeros(17, dtype=np.int64)
    items = np.arange(17, dtype=np.int64)
    own = np.empty(made.world.factors.shape[1])
    random_numbers.normals(made.world.seed, random_numbers.FACTOR, 0, own)
    now = np.array([generator.latent(made.world, 0, own, item) for item in items])
    bias = made.world.bias.copy()
    bias[:17] += middle - now
    moved = made.world._replace(bias=bias)
    np.testing.assert_allclose(generator.expected(moved, users, items), means, atol=2e-3)


def test_floor_beats_what_knows_more_than_any_model():
    made = plan(SMALL, 7, 100_000)
    users, items, ratings, _ = generator.generate(made.world, 0, made.counts)
    floor = np.mean(
        (ratings - generator.expected(made.world, users.astype(np.int64), items.astype(np.int64))) ** 2
    )
    own = np.empty(made.world.factors.shape[1])
    latent = np.empty(len(users))
    for n, (user, item) in enumerate(zip(users, items, strict=True)):
        random_numbers.normals(made.world.seed, random_numbers.FACTOR, user, own)
        latent[n] = generator.latent(made.world, user, own, item)
    assert floor < np.mean((ratings - np.clip(latent, 1, 5)) ** 2)
    assert floor < 0.6 * ratings.var()


def test_text_and_features_tell_about_factors():
    made = plan(SMALL, 7, 20_000)
    factors = made.world.factors / made.world.factors.std(axis=0)
    described = [describe(7, item, factors[item], made.popularity[item], 1997) for item in range(400)]
    pace = np.array([dict(row["features"])["pace"] for row in described])
    assert np.corrcoef(pace, factors[:400, 0])[0, 1] > 0.7
    storms = np.array(
        [sum(word in row["text"] for word in ("chase", "storm", "rescue")) for row in described]
    )
    assert np.corrcoef(storms, factors[:400, 0])[0, 1] > 0.3
    assert all(row["genres"] and row["year"] <= 1997 for row in described)
    assert described[3] == describe(7, 3, factors[3], made.popularity[3], 1997)


def test_runs_from_a_zip_where_nothing_can_be_written(tmp_path):
    """This is how executors get the code."""
    root = Path(__file__).resolve().parents[2]
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as made:
        for file in (path for package in ("core", "datasets") for path in (root / package).rglob("*.py")):
            made.write(file, file.relative_to(root))
    script = "from datasets.synthetic.random_numbers import quantile; import datasets; print(datasets.__file__, quantile(0.5))"
    environ = {**os.environ, "PYTHONPATH": str(tmp_path / "code.zip"), "HOME": "/proc/nowhere"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120, check=True
    )  # fmt: skip
    assert "code.zip" in done.stdout
    assert float(done.stdout.split()[-1]) == 0.0
    assert [file.name for file in tmp_path.iterdir()] == ["code.zip"]


def test_users_follow_the_rows_where_rows_and_items_grow_together():
    sizes = [plan(replace(SHAPES["ml-1m"], items=970 * n), 7, 250_000 * n).counts.size for n in (1, 2, 4)]
    assert [round(size / sizes[0], 1) for size in sizes[1:]] == pytest.approx([2, 4], rel=0.06)
