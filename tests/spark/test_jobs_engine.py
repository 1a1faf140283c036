"""Fits on blocks: the same model however it is cut and whatever is lost, the fitted factors again by fold-in, and bad input."""

import dataclasses
import os
import subprocess
from pathlib import Path

import numpy as np
import planted
import pytest

from core.errors import JobError, UsageError
from jobs.engine.arrays import ITEMS, USERS
from jobs.engine.block_files import NoSpaceError, Writer
from jobs.engine.blocks import Blocks, Sizes
from jobs.engine.factorise import both_ways, factorise
from jobs.engine.half_steps import Engine
from jobs.engine.rules import FoldIn, Unobserved, Weighted
from jobs.judge.intervals import held
from jobs.modelling.alternating import engine_on
from jobs.modelling.export import export
from jobs.modelling.fetching import fetch
from jobs.models import bpmf
from jobs.models.als_wr import AlsWr
from jobs.models.bpmf import Bpmf
from jobs.models.ials import Ials

SIZES = planted.USERS, planted.ITEMS


def factors(scorer):
    users, items = scorer.sides.value
    return users.factors, items.factors


def test_als_wr_is_the_fit_of_one_thread_on_any_number_of_parts(tables):
    user, item, rating = fetch(tables.ratings)
    alone = factorise(*both_ways(user, item, rating, *SIZES), rank=5, iterations=3, reg=0.1, seed=2)
    for parts in (1, 4, 16, 100):
        scorer = AlsWr(rank=5, iterations=3, reg=0.1, seed=2, parts=parts).fit(tables)
        for found, expected in zip(factors(scorer), alone, strict=True):
            np.testing.assert_array_equal(found, expected)
        assert not scorer.sides.value[USERS].known[7]
        scorer.release()


@pytest.mark.parametrize(
    "model", [AlsWr(rank=4, iterations=3), Ials(rank=4, iterations=3)], ids=["als_wr", "ials"]
)
def test_fold_in_gives_the_fitted_factors_of_all_users(tables, model):
    scorer = model.fit(tables)
    users, items = scorer.sides.value
    user, item, rating = fetch(tables.ratings)
    implicit = isinstance(model, Ials)
    values = np.ones_like(rating) if implicit else rating
    by_user, _ = both_ways(user, item, values, *SIZES)
    rule = (
        Unobserved(model.reg, model.exponent, model.unobserved, int(items.known.sum()))
        if implicit
        else Weighted(model.reg)
    )
    np.testing.assert_allclose(FoldIn(items.factors, rule)(by_user), users.factors, rtol=1e-4, atol=1e-6)
    metrics, _ = scorer.describe()
    assert metrics["engine_iteration_s"] >= metrics["engine_gather_s"] + metrics["engine_solve_s"]
    assert 0 < metrics["engine_product_share"] < 1
    scorer.release()


def test_a_fit_that_is_broken_off_goes_on_from_its_last_iteration(tables, tmp_path, monkeypatch):
    settings = {"rank": 3, "iterations": 4, "reg": 0.1}
    expected = AlsWr(**settings).fit(tables)
    steps, whole = [], Engine.half_step

    def dying(engine, side, other, rule):
        steps.append(side)
        if len(steps) == 6:  # in the middle of the third iteration
            raise KeyboardInterrupt
        return whole(engine, side, other, rule)

    monkeypatch.setattr(Engine, "half_step", dying)
    model = AlsWr(**settings, resume=str(tmp_path / "fit"), parts=3)
    with pytest.raises(KeyboardInterrupt):
        model.fit(tables)
    kept = tmp_path / "fit" / "fit.npz"
    assert kept.is_file()
    with pytest.raises(JobError, match=r"fit\.npz is of a fit with other settings or other ratings"):
        AlsWr(**settings | {"reg": 0.2}, resume=str(tmp_path / "fit")).fit(tables)
    fewer = tables._replace(ratings=tables.ratings.where("user <> 9"))
    with pytest.raises(JobError, match="other ratings"):
        model.fit(fewer)
    scorer = model.fit(tables)
    assert len(steps) == 6 + 4  # the third iteration and the fourth
    for one, other in zip(factors(scorer), factors(expected), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not kept.exists()
    kept.write_bytes(b"PK no")
    with pytest.raises(JobError, match=r"fit\.npz cannot be read"):
        model.fit(tables)
    for one in (scorer, expected):
        one.release()


def test_a_fit_by_subspaces_goes_on_with_both_sides(tables, tmp_path, monkeypatch):
    settings = {"rank": 12, "iterations": 4, "reg": 0.1, "subspace": 8}
    expected = Ials(**settings).fit(tables)
    steps, whole = [], Engine.half_step

    def dying(engine, side, other, rule, **more):
        steps.append(side)
        if len(steps) == 5:
            raise KeyboardInterrupt
        return whole(engine, side, other, rule, **more)

    monkeypatch.setattr(Engine, "half_step", dying)
    with pytest.raises(KeyboardInterrupt):
        Ials(**settings, resume=str(tmp_path)).fit(tables)
    with pytest.raises(JobError, match="other settings"):
        Ials(**settings | {"subspace": 0}, resume=str(tmp_path)).fit(tables)
    scorer = Ials(**settings, resume=str(tmp_path)).fit(tables)
    for one, other in zip(factors(scorer), factors(expected), strict=True):
        np.testing.assert_array_equal(one, other)
    for one in (scorer, expected):
        one.release()


def test_a_fit_starts_from_an_exported_model_of_its_rank(spark, tables, tmp_path):
    long = AlsWr(rank=3, iterations=30, reg=0.1).fit(tables)
    export(long.exported(), tables, tmp_path)
    reordered = tables.users.selectExpr("int((user + 1) % 80) as user", "key")
    moved = tables._replace(
        ratings=tables.ratings.selectExpr("int((user + 1) % 80) as user", "item", "rating"), users=reordered
    )
    short = AlsWr(rank=3, iterations=1, reg=0.1, start=str(tmp_path)).fit(moved)
    users, there = factors(long)[0], factors(short)[0]
    known = [user for user in range(planted.USERS) if user != 7]
    np.testing.assert_allclose(there[[(user + 1) % 80 for user in known]], users[known], atol=0.02)
    cold = AlsWr(rank=3, iterations=1, reg=0.1).fit(moved)
    assert np.abs(factors(cold)[0][[(user + 1) % 80 for user in known]] - users[known]).max() > 0.1
    for wrong, words in (
        ({"rank": 4, "start": str(tmp_path)}, "has 3 factors a user and this fit 4"),
        ({"rank": 3, "start": str(tmp_path / "nowhere")}, "no exported model in"),
    ):
        with pytest.raises(JobError, match=words):
            AlsWr(iterations=1, **wrong).fit(tables)
    for one in (long, short, cold):
        one.release()


@pytest.mark.parametrize("histories", [False, True])
def test_a_chain_on_blocks_is_the_chain_of_one_task(tables, monkeypatch, histories):
    model = Bpmf(rank=3, samples=6, kept=4, burn=14, chains=2, histories=histories)
    in_tasks = model.fit(tables)
    monkeypatch.setattr(bpmf, "_WHOLE", 0)
    on_blocks = model.fit(tables)
    for one, other in zip(factors(in_tasks), factors(on_blocks), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    plain = Bpmf(rank=3, samples=6, kept=4, burn=14, chains=2).fit(tables)
    assert (np.abs(factors(plain)[0] - factors(in_tasks)[0]).max() > 0.01) == histories
    plain.release()
    metrics, _ = on_blocks.describe()
    assert metrics["chain_noise"] == pytest.approx(in_tasks.describe()[0]["chain_noise"], rel=1e-4)
    assert {"chain_noise_r_hat", "chain_rmse_size"} <= metrics.keys()
    assert [step for step, _ in on_blocks.series()["chain_rmse_2"]] == list(range(1, 18))
    in_tasks.release()
    on_blocks.release()


def test_chains_agree_on_predictions_once_they_have_burnt_in(tables):
    user, item, _ = fetch(tables.ratings)
    early, late = (Bpmf(rank=3, samples=100, kept=100, burn=burn, chains=2).fit(tables) for burn in (0, 60))
    before, after = (scorer.agreement(user[:200], item[:200]) for scorer in (early, late))
    assert after["chain_pairs_r_hat"] < before["chain_pairs_r_hat"]
    assert after["chain_pairs_r_hat"] < 1.2
    assert 10 < after["chain_pairs_size"] <= 210
    assert late.agreement(np.array([7], np.int32), np.array([0], np.int32)) == {}  # nobody knows that user
    early.release()
    late.release()


def test_biases_inside_the_factorisation_predict_folds_in_and_start_again(spark, tables, tmp_path):
    model = AlsWr(rank=3, iterations=30, reg=0.1, biases=True)
    plain, scorer = AlsWr(rank=3, iterations=30, reg=0.1).fit(tables), model.fit(tables)
    assert plain.sides.value[USERS].factors.shape[1] == 3
    users, items = factors(scorer)
    user, item, rating = fetch(tables.ratings)
    mean = float(tables.ratings.agg({"rating": "avg"}).first()[0])
    by_user, _ = both_ways(user, item, rating - np.float32(mean), *SIZES)
    own = items[:, [0, 1, 2, 4]] - np.float32([0, 0, 0, mean])
    found = FoldIn(own, Weighted(0.1, biased=True))(by_user)
    np.testing.assert_allclose(found, users[:, :4], rtol=1e-3, atol=1e-5)
    predictions = scorer.score(tables.ratings).toPandas()["prediction"].to_numpy()
    wanted = (users[user] * items[item]).sum(axis=1).clip(rating.min(), rating.max())
    np.testing.assert_allclose(np.sort(predictions), np.sort(wanted), atol=1e-4)
    export(scorer.exported(), tables, tmp_path)
    again = AlsWr(rank=3, iterations=1, reg=0.1, biases=True, start=str(tmp_path)).fit(tables)
    np.testing.assert_allclose(factors(again)[0], users, atol=0.02)
    with pytest.raises(JobError, match="has 5 factors a user and this fit 6, of which the last is 1"):
        AlsWr(rank=4, iterations=1, biases=True, start=str(tmp_path)).fit(tables)
    with pytest.raises(JobError, match="with its own rank and biases"):
        AlsWr(rank=5, iterations=1, start=str(tmp_path)).fit(tables)
    for one in (plain, scorer, again):
        one.release()


def test_intervals_hold_about_what_they_say(spark):
    parts = planted.parts(spark)
    train, test = parts.train.persist(), parts.test.persist()
    scorer = Bpmf(rank=4, samples=60, kept=60, burn=20).fit(planted.tables(spark)._replace(ratings=train))
    found, curve = held(test, scorer)
    assert dict(curve)[80] == found["interval_80"]
    assert [share for _, share in curve] == sorted(share for _, share in curve)
    assert found["interval_50"] == pytest.approx(0.5, abs=0.1)
    assert found["interval_95"] == pytest.approx(0.95, abs=0.04)
    assert found["interval_50"] < found["interval_80"] < found["interval_95"]
    pairs = rated(spark, [(0, 0, 0.0), (0, 10_000, 0.0)]).select("user", "item")
    known, stranger = scorer.deviating(pairs).orderBy("item").collect()
    assert known["prediction"] == pytest.approx(scorer.score(pairs).orderBy("item").first()["prediction"])
    assert stranger["deviation"] > known["deviation"] > 0
    scorer.release()
    one = Bpmf(rank=1, samples=60, kept=40, burn=20).fit(planted.tables(spark)._replace(ratings=train))
    assert 0.2 < held(test, one).metrics["deviation"] < 2  # the factors behind a sample's own are none of it
    one.release()
    train.unpersist()
    test.unpersist()


def test_many_factors_are_solved_for_some_at_a_time_and_end_at_the_same(spark, tables):
    settings = {"rank": 20, "iterations": 40, "reg": 0.1, "seed": 3}
    at_once, by_eight = (Ials(**settings, subspace=width).fit(tables) for width in (0, 8))
    pairs = tables.ratings.select("user", "item")
    one, other = (
        scorer.score(pairs).orderBy("user", "item").toPandas()["prediction"] for scorer in (at_once, by_eight)
    )
    assert np.abs(one - other).max() < 0.05
    blocks = Blocks(tables.ratings, Sizes(*SIZES, 5))
    whole = engine_on(blocks, 20, spark)
    routed = dataclasses.replace(whole, most=100)
    rule, (users, items) = Unobserved(0.1, 1.0, 0.1, planted.ITEMS - 1), factors(by_eight)
    found = [engine.half_step(USERS, items, rule, own=users, width=8).factors for engine in (whole, routed)]
    np.testing.assert_array_equal(*found)
    blocks.release()
    for scorer in (at_once, by_eight):
        scorer.release()


def files(blocks):
    return [Path(block.path) for record in blocks._records.collect() for block in record.kept]


def test_blocks_that_are_lost_are_built_again_and_all_are_removed(spark, tables, caplog):
    blocks = Blocks(tables.ratings, Sizes(*SIZES, 4))
    engine = engine_on(blocks, 3, spark)
    items = np.random.default_rng(1).normal(size=(planted.ITEMS, 3)).astype(np.float32)
    expected = engine.half_step(USERS, items, Weighted(0.1)).factors
    here = files(blocks)
    assert len(here) == 8
    here[0].unlink()
    os.truncate(here[4], 8)
    np.testing.assert_array_equal(engine.half_step(USERS, items, Weighted(0.1)).factors, expected)
    assert "2 blocks are not where" in caplog.text
    folder = here[0].parent
    assert engine.accounts[-1].shipped >= items.nbytes + expected.nbytes
    blocks.release()
    mine = here[0].name.rsplit("-", 3)[0]
    assert [path.name for path in folder.iterdir() if path.name.startswith(mine)] == []


def test_factors_without_room_are_routed_to_the_blocks_that_need_them(spark, tables, caplog):
    blocks = Blocks(tables.ratings, Sizes(*SIZES, 5))
    whole = engine_on(blocks, 3, spark)
    routed = dataclasses.replace(whole, most=100, accounts=[])
    items = np.random.default_rng(1).normal(size=(planted.ITEMS, 3)).astype(np.float32)
    for rule in (Weighted(0.1), Unobserved(0.1, 1.0, 0.2, planted.ITEMS - 1)):
        expected, found = (engine.half_step(USERS, items, rule).factors for engine in (whole, routed))
        np.testing.assert_array_equal(found, expected)
    assert caplog.text.count("each block gets the rows that it needs") == 1
    assert [step.routed for step in (*whole.accounts, *routed.accounts)] == [False, False, True, True]
    blocks.release()


@pytest.fixture
def small(request, tmp_path):
    """Mount a disk of few pages."""
    there = tmp_path / "small"
    there.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={request.param}", "tmpfs", there], check=True)
    yield there
    subprocess.run(["umount", there], check=True)


@pytest.mark.parametrize(
    "small", ["8k", "20k"], indirect=True
)  # full when entries come, and when they are sorted
def test_a_full_disk_is_told_with_the_folder_and_leaves_nothing(small):
    rng = np.random.default_rng(1)
    row, column = (rng.integers(0, 40, 300).astype(np.int32) for _ in range(2))

    def write():
        writer = Writer(40, 40, str(small), "block")
        try:
            writer.add(row, column, np.ones(300, dtype=np.float32))
            writer.finish()
        finally:
            writer.close()

    with pytest.raises(NoSpaceError, match=f"{small}.*No space.*spark.local.dir"):
        write()
    assert list(small.iterdir()) == []


def rated(spark, rows):
    return spark.createDataFrame(rows, "user int, item int, rating float")


@pytest.mark.parametrize("rating", [float("nan"), float("inf"), float("-inf")])
def test_a_rating_that_is_no_number_is_refused_with_its_user_and_item(spark, tables, rating):
    ratings = rated(spark, [(0, 0, 1.0), (1, 2, rating), (2, 1, 3.0)])
    with pytest.raises(JobError, match=r"user 1 for item 2 .*finite"):
        Bpmf(samples=2, kept=2)._in_tasks(tables._replace(ratings=ratings), (3, 3))
    with pytest.raises(JobError, match=rf"user 1 for item 2 is {rating}.*finite"):
        Blocks(ratings, Sizes(3, 3, 2))


def test_equations_without_a_unique_solution_name_the_id(spark, tables):
    few = tables._replace(ratings=rated(spark, [(0, 0, 4.0), (1, 0, 3.0), (1, 1, 2.0)]))
    with pytest.raises(
        JobError,
        match=r"(user|item) \d \(\d ratings, rank 3\).*raise the regularisation .reg. or lower the rank",
    ):
        AlsWr(rank=3, iterations=1, reg=0.0).fit(few)


def test_more_factors_than_items_and_a_user_with_one_rating(spark, tables):
    few = tables._replace(ratings=rated(spark, [(0, 0, 4.0), (1, 0, 3.0), (1, 1, 2.0), (2, 1, 5.0)]))
    scorer = AlsWr(rank=20, iterations=5, reg=0.05).fit(few)
    rows = scorer.score(rated(spark, [(0, 0, 0.0), (1, 1, 0.0), (2, 1, 0.0), (2, 4, 0.0)])).collect()
    assert [row["prediction"] for row in rows] == pytest.approx([4, 2, 5, 3.5], abs=0.7)
    scorer.release()


def test_a_user_with_a_hundred_thousand_ratings(spark):
    count = 100_000
    ratings = spark.range(count).selectExpr("0 as user", "int(id) as item", "float(1 + id % 5) as rating")
    blocks = Blocks(ratings.union(rated(spark, [(1, 0, 2.0)])), Sizes(2, count, 2))
    items = np.random.default_rng(2).normal(size=(count, 3)).astype(np.float32)
    found = engine_on(blocks, 3, spark).half_step(USERS, items, Weighted(0.1)).factors[0]
    wide = items.astype(np.float64)
    left = wide.T @ wide + 0.1 * count * np.eye(3)
    np.testing.assert_allclose(found, np.linalg.solve(left, wide.T @ (1 + np.arange(count) % 5)), rtol=1e-4)
    assert blocks.counts[ITEMS][0] == 2
    blocks.release()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: AlsWr(rank=0), "rank must be 1 or more, got 0"),
        (lambda: AlsWr(parts=-1), "parts must be 0 or more"),
        (lambda: Ials(unobserved=0), "unobserved must be above 0"),
        (lambda: Bpmf(kept=500), r"kept must be from 2 \(chains\) to 400 \(samples\), got 500"),
        (lambda: Bpmf(chains=0), "chains must be 1 or more"),
    ],
)
def test_settings_that_cannot_be_are_refused(make, words):
    with pytest.raises(UsageError, match=words):
        make()
