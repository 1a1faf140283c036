"""Answers at the head of reports: short sentences for somebody who decides, whatever was measured."""

import dataclasses
import itertools
import json
import random
import re
import statistics

import pytest
from invented import application, outcome
from invented_pairs import ledger, per_user
from test_capacity_advice import ask
from test_capacity_model import SPEC as CAPACITY
from test_capacity_model import run, runs
from test_compare_calibration import several
from test_experiments_eda import ITEMS_ONLY, explored

from cluster.shape import Shape
from core.units import time_in_words
from experiments.cli.commands.recommend import _answer as recommended
from experiments.metric_table import TOTAL
from experiments.page.wording import (
    LONGEST,
    clipped,
    named,
    percent,
    sentence,
    setting,
    values_apart,
)
from experiments.report.answer import answer_of
from experiments.report.drills import answer as drills_answer
from experiments.report.report import Report
from experiments.report.sections import FINDINGS
from experiments.results.metrics import medians, quality
from experiments.results.model_equality import ALLOWED
from experiments.results.outcome import Share
from experiments.spec.experiment import Comparison, Experiment
from experiments.spec.search_space import Search
from experiments.spec.tables import under
from experiments.studies.capacity.advice import Wanted, money
from experiments.studies.compare.calibration import answer as calibrated
from experiments.studies.compare.calibration import details
from experiments.studies.compare.verdict import quality_answer, time_answer, verdict_of
from experiments.studies.eda.findings import answer as described

PLAIN = Experiment("invented", "?")
WORDS = {
    "als": "ALS",
    "knn": "kNN",
    "als_implicit": "ALS implicit",
    "bias": "bias",
    "popularity": "popularity",
}


def trial(model="als", took=4.0, runs=1, workers=1, metrics=None, shape=None, shared=False, **values):
    """A trial whose passes take about `took` seconds; `values` are parameters of its model."""
    share = {"share": Share(1, 2)} if shared else {}
    made = [
        application(
            n, [9.0, took * (1 + n / 100)], metrics=metrics or {"rmse": 0.9, "rmse_bias": 0.94}, **share
        )
        for n in range(runs)
    ]
    size = {"workers": workers, "cores": 1, "memory": "1g", **(shape or {})}
    told = {"model.name": model, **under("shape", size)}
    told |= {key if "." in key else f"model.{key}": value for key, value in values.items()}
    label = " ".join([model, *(f"{key}={value}" for key, value in values.items()), f"w{workers}\u00d71c"])
    return outcome(made, workers, label=label, key=label, values=told, shape=size)


def sentences(text):
    """Count full stops that end a sentence, not those within numbers."""
    return len(re.findall(r"\.(?=\s|$)", text))


def check(text):
    """Assert what every answer keeps to."""
    assert 1 <= sentences(text) <= 2, text
    assert "=" not in text
    assert len(text) <= LONGEST, (len(text), text)
    assert text[-1] == "."
    assert not re.search(r"\bapplication\(s\)|\bw\d+\u00d7\d", text), text


def answered(outcomes, experiment=PLAIN):
    found = [find(experiment, outcomes) for find in FINDINGS.values()]
    text = answer_of([item for item in found if item], outcomes)
    check(text)
    return text


LONG = {
    "rank": 48,
    "reg": 0.0123456,
    "blocks": 16,
    "a_rather_long_parameter_of_somebody": "with=a=long=value" * 3,
}


@pytest.mark.parametrize("runs", [1, 2, 5])
@pytest.mark.parametrize("values", [{}, LONG], ids=["short", "long"])
@pytest.mark.parametrize(
    "times", [(6.2, 6.3), (10.0, 5.0), (5.0, 10.0), (2000.0, 1000.0), (0.02, 0.01), (9000.0, 4500.0)]
)
def test_more_workers(runs, values, times):
    outcomes = [trial(took=took, runs=runs, workers=n + 1, **values) for n, took in enumerate(times)]
    text = answered(outcomes)
    for item in outcomes:
        assert time_in_words(statistics.median(medians(item, TOTAL))) in text
    assert ("look" in text) is (runs < 5)
    assert ("95% interval" in text) is (runs == 5)


def test_a_second_worker_that_did_not_help_is_said_first():
    text = answered([trial(took=6.2, workers=1), trial(took=6.3, workers=2)])
    assert text == (
        "A second worker did not help: ALS took 6.3 s on two workers and 6.2 s on one worker. "
        "One run each, so this is a look, not a claim."
    )


@pytest.mark.parametrize("runs", [1, 5])
@pytest.mark.parametrize("gains", [(2.0, 1.2), (1.0, 0.9), (0.6, 0.5)])
def test_several_models_on_several_shapes(runs, gains):
    outcomes = [
        trial(took=10.0 / (gain if workers == 3 else 1), runs=runs, workers=workers, rank=rank, reg=0.1)
        for rank, gain in zip((8, 64), gains, strict=True)
        for workers in (1, 3)
    ]
    text = answered(outcomes)
    assert "rank 8" in text
    assert f"{gains[0]:.2f} times as fast" in text


@pytest.mark.parametrize("runs", [1, 5])
@pytest.mark.parametrize("tag", ["clean", "shared-host"])
@pytest.mark.parametrize(("head", "verb"), [(3.0, "fast"), (30.0, "long")])
@pytest.mark.parametrize(
    ("one", "more"),
    [
        ({"cores": 1}, {"cores": 2}), ({"cpus": 0.333}, {"cpus": 0.333, "workers": 6}),
        ({"cores": 4, "pin": True, "backend": "docker"}, {"cores": 8, "workers": 16, "pin": True, "backend": "docker"}),
    ],
)  # fmt: skip
def test_shapes_of_any_kind(runs, tag, head, verb, one, more):
    first, last = trial(took=10.0, runs=runs, shape=one), trial(took=head, runs=runs, shape=more)
    changed = dataclasses.replace(
        last,
        shape_tag=tag,
        tags={ALLOWED: "yes"},
        applications=[dataclasses.replace(item, fingerprint=[9.0, 9.0]) for item in last.applications],
    )
    for shown in (last, changed):
        text = answered([first, shown])
        assert f"times as {verb} as one worker" in text
        assert ("look" in text) is (runs == 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"fingerprint": [3.0, 9.0]},
        {"died": ["spark-worker-2"]},
        {"status": "failed", "error": "boom = bang.\nmore. and more."},
    ],
)
def test_refusals_and_failures(changes):
    odd = [application(n, [9.0, 4.0], **changes) for n in range(2)]
    answered([trial(), outcome(odd, 2, status=changes.get("status", "ok"), error=changes.get("error"))])
    oversubscribed = dataclasses.replace(trial(workers=9), shape_tag="oversubscribed")
    assert "oversubscribed" in answered([trial(), oversubscribed])
    assert answered([outcome(status="failed", error="boom")] * 2).startswith("No answer yet")


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("tuned", [{}, {"rank": 48, "reg": 0.05}])
@pytest.mark.parametrize(("rmse", "ndcg"), list(itertools.product((0.82, 0.87, 0.93999), (0.31, 0.02))))
def test_models_against_their_baselines(shared, tuned, rmse, ndcg):
    outcomes = [
        trial(
            "knn", 2.0, metrics={"rmse": rmse, "rmse_bias": 0.94, "ndcg_at_10": 0.01}, shared=shared, **tuned
        ),
        trial("knn", 3.0, metrics={"rmse": 0.99, "rmse_bias": 0.94, "ndcg_at_10": 0.01}, shared=shared),
        trial("als_implicit", 4.0, metrics={"ndcg_at_10": ndcg}, shared=shared, **tuned),
        trial("popularity", 1.0, metrics={"ndcg_at_10": 0.1}, shared=shared),
    ]
    text = answered(outcomes)
    own, bias = values_apart(rmse, 0.94)
    assert re.search(rf"RMSE {own}\D+{bias}\b", text)
    assert "kNN" in text
    assert "user and item means" in text
    if not re.search(rf"\b{ndcg:.3f}\D+0\.100\b", text):  # left out only where settings made it too long
        assert tuned
    assert ("shared one run" in text) is shared


def test_a_model_that_beats_both_baselines_is_named_once():
    both = {"rmse": 0.8, "rmse_bias": 0.94, "ndcg_at_10": 0.3}
    outcomes = [
        trial("knn", metrics=both),
        trial("als_implicit", metrics={"ndcg_at_10": 0.2}),
        trial("popularity", metrics={"ndcg_at_10": 0.1}),
    ]
    text = answered(outcomes)
    assert text.count("kNN") == 1
    assert re.search(
        r"kNN\b.*RMSE 0\.800\D+0\.940\b.*ranks better.*popularity.*nDCG@10 0\.300\D+0\.100\b", text
    )


def test_the_best_of_trials_of_one_model_names_only_what_varies():
    outcomes = [trial(took=took, rank=rank, reg=0.1, metrics={"rmse": rmse}) for took, rank, rmse in ((4.0, 8, 0.9), (6.0, 16, 0.88))]  # fmt: skip
    text = answered(outcomes)
    assert re.search(r"^ALS\b.*rank 16.*lowest RMSE\W+0\.880.*rank 8.*fastest\W+4\.0 s", text)
    assert "reg" not in text
    assert "0.900" in answered([trial()])
    assert "4.0 s" in answered([trial()])


def test_random_grids_keep_to_the_form():
    draw = random.Random(7)
    for _ in range(60):
        keys = draw.sample([*LONG, "alpha", "iterations", "split"], draw.randint(0, 4))
        outcomes = [
            trial(
                draw.choice([*WORDS]), 10 ** draw.uniform(-2, 4), draw.choice([1, 1, 3, 5]), draw.choice([1, 2, 4]),
                metrics={name: draw.uniform(0, 1) for name in draw.sample(["rmse", "rmse_bias", "ndcg_at_10", "coverage"], 3)},
                shape={"cores": draw.choice([1, 2])},
                **{key: draw.choice([1, 2.5, "a=b. c", True]) for key in keys},
            )
            for _ in range(draw.randint(1, 6))
        ]  # fmt: skip
        answered(list({item.key: item for item in outcomes}.values()))


@pytest.mark.parametrize("contender", [5.0, 10.0, 20.0])
@pytest.mark.parametrize(
    ("baseline", "other"),
    [({"data.store": "parquet"}, {"data.store": "cassandra"}), ({"job.sorted": True}, {"job.sorted": False}),
     ({"spark.sql.a.very.long.setting": "x=1" * 20}, {"spark.sql.a.very.long.setting": "y=2" * 20})],
)  # fmt: skip
def test_one_comparison(contender, baseline, other):
    outcomes = [trial(took=10.0, runs=5, **baseline), trial(took=contender, runs=5, **other)]
    text = answered(outcomes, dataclasses.replace(PLAIN, comparisons=(Comparison(baseline, other),)))
    assert {5.0: "2.00 times as fast as", 10.0: "1.00 times as fast", 20.0: "2.00 times as long as"}[
        contender
    ] in text


@pytest.mark.parametrize("runs", [2, 5])
@pytest.mark.parametrize("fits", [(30.0, 16.0, 9.0), (30.0, 16.0, 12.0), (10.05,)])
def test_cost(runs, fits):
    info = {"hyper_parameters": json.dumps({"rank": 8, "iterations": 5})}

    def one(model, fit, workers):
        made = [application(n, [9.0, fit * (1 + n / 100)], info=info) for n in range(runs)]
        label = f"{model} w{workers}"
        return outcome(made, workers, key=label, label=label, values={"model.name": model})

    outcomes = [one("als_single", 10.0, 1), *(one("als", fit, 2**n) for n, fit in enumerate(fits))]
    text = FINDINGS["cost"](PLAIN, outcomes).answer
    check(text)
    assert "one thread" in text
    apart = dataclasses.replace(PLAIN, search=None)
    assert answered(outcomes, apart) == text
    refused = [
        one("als_single", 10.0, 1),
        dataclasses.replace(one("als", 5.0, 9), shape_tag="oversubscribed"),
    ]
    check(FINDINGS["cost"](PLAIN, refused).answer)


@pytest.mark.parametrize("size", [1, 3, 7])
@pytest.mark.parametrize("tested", [False, True])
def test_a_search_names_the_chosen_settings(size, tested):
    space = {f"model.parameter_{n}": {"low": 0.1, "high": 1.0} for n in range(size)}
    search = Search("rmse", space, "random", 5)
    experiment = dataclasses.replace(PLAIN, search=search)
    outcomes = [
        trial(
            metrics={"rmse": 0.9 + n / 100}, **{"job.part": "validation"}, **dict.fromkeys(space, 0.1 + n / 7)
        )
        for n in range(3)
    ]
    final = trial(metrics={"rmse": 0.95}, **{"job.export": "x"}, **dict.fromkeys(space, 0.1))
    text = answered([*outcomes, *([final] if tested else [])], experiment)
    assert "parameter 0 0.1" in text
    assert re.search(r"RMSE 0\.900\D+validation", text)
    assert bool(re.search(r"\b0\.950\D+test rows", text)) is tested
    assert ("unknown" in text) is not tested
    slow = dataclasses.replace(experiment, search=dataclasses.replace(search, time_limit_s=0.01))
    assert answered(outcomes, slow).startswith("None of three")


@pytest.mark.parametrize(("ratio", "pairs"), [(0.7, 8), (1.0, 8), (1.3, 8), (1.3, 4), (1.0, 1)])
@pytest.mark.parametrize(("error", "files"), [(1.0, True), (1.2, True), (1.0, False)])
def test_pairs(tmp_path, ratio, pairs, error, files):
    found = verdict_of(ledger(tmp_path, ratio, pairs, error, (3.0, 4.5), files), "total_s")
    time, good = time_answer(found), quality_answer(found)
    check(time)
    check(good)
    if pairs == 8:
        assert {0.7: "faster", 1.0: "No difference", 1.3: "slower"}[ratio] in time
    if error > 1:
        rmse = found.qualities[0]
        assert " against ".join(values_apart(rmse.contender, rmse.baseline)) in good


def test_few_users(tmp_path):
    made = ledger(tmp_path)
    for name in ("baseline", "contender"):
        per_user(made.place(name, None), users=5)
    check(quality_answer(verdict_of(made, "total_s")))


@pytest.mark.parametrize("bad", [0, 1, 6])
@pytest.mark.parametrize("rerun", [0, 2])
def test_drills(bad, rerun):
    class Invented:
        def __init__(self, number, *, good, status):
            self.kind, self.good, self.status = f"service_{number}", good, status

    found = [Invented(n, good=n >= bad, status="failed" if n >= 6 - rerun else "ok") for n in range(6)]
    text = drills_answer(found)
    check(text)
    assert ("Every drill" in text) is (bad == 0)
    assert ("run again" in text) is (bad == 0 and rerun > 0)


@pytest.mark.parametrize("held_out", [0, 1, 3])
@pytest.mark.parametrize("shapes", [(1, 2, 4), (1, 2)])
def test_a_model_of_time(held_out, shapes):
    outcomes = [*runs(shapes, spread=0.03, seed=1), *(run(1_600_000, 2**n) for n in range(held_out))]
    text = FINDINGS["capacity"](CAPACITY, outcomes).answer
    check(text)
    assert f"{'six' if len(shapes) == 2 else 'nine'} small runs" in text
    assert ("no larger run" in text) is (held_out == 0)
    assert ("error of" in text) is (held_out > 0)


def test_a_recommended_shape():
    wanted = Wanted(30_000_000, 24 * 3600.0, 0.4, Shape(1, 1, "1g"))
    advice = ask()
    text = recommended(advice, wanted)
    check(text)
    assert advice.best.workers == 1
    assert re.search(r"\bone worker of 1 core\b", text)
    assert money(advice.best.cost) in text
    assert money(advice.best.cost_at_most) in text


def test_data_and_calibrations():
    for text in (described(explored()), described(explored(ITEMS_ONLY, {"items": 6}, ""))):
        check(text)
    for pairs in (several(), several(carried=0.7)):
        text = calibrated(pairs)
        check(text)
        assert ("do not hold" in text) is not pairs.holds
        assert all(any(problem in line for line in details(pairs)) for problem in pairs.problems)


def test_a_report_begins_with_its_answer_and_says_it_once():
    report = Report.of(PLAIN, [trial(took=6.2, workers=1), trial(took=6.3, workers=2)])
    check(report.answer)
    text, marked = report.text(), report.markdown()
    flat = " ".join(text.split())
    assert flat.startswith(report.answer)
    assert flat.count(report.answer) == marked.count(report.answer) == 1
    assert report.as_json()["answer"] == report.answer


def test_what_an_answer_leaves_out_stands_below_it():
    report = Report.of(
        PLAIN, [trial(took=took, runs=5, workers=n) for n, took in ((1, 60.0), (2, 36.0), (4, 24.0))]
    )
    below = "\n".join(note for finding in report.findings for note in finding.notes)
    assert "efficiency" in below
    assert re.search(r"workers\b.*Amdahl.*\b5% per worker", below)
    assert "efficiency" not in report.answer


def test_words():
    assert [percent(share) for share in (0.0012, 0.042, 0.312, 1.2, 0)] == [
        "0.12%",
        "4.2%",
        "31%",
        "120%",
        "0%",
    ]
    assert values_apart(0.87412, 0.87418) == ["0.8741", "0.8742"]
    assert values_apart(0.9, 0.8) == ["0.900", "0.800"]
    assert sentence("kNN is best") == "kNN is best."
    assert sentence("two workers") == "Two workers."
    assert setting("spark.x.pin", value=False) == "no pin"
    assert setting("data.rows", 400_000) == "400,000 rows"
    assert len(clipped("x" * 50, 10)) == 10
    one, two = trial(rank=8, reg=0.1), trial(rank=16, reg=0.1)
    assert named(one, [one, two]) == "ALS with rank 8"
    assert named(one, [one]) == "ALS"
    assert quality(one)["rmse"] == 0.9
