"""Which shape is recommended, what it costs, why none is, and what is refused."""

import re
from functools import cache

import pytest
from test_capacity_model import MIB, ROWS, model, run, runs

from cluster import configuration
from cluster.shape import Shape
from core.errors import UsageError
from core.text_tables import WIDTH
from experiments.__main__ import main
from experiments.cli.commands.recommend import lines
from experiments.page.text_tables import as_text
from experiments.studies.capacity.advice import Wanted, advise, money

WORKER = Shape(1, 1, "1g")
DAY = 24 * 3600.0


def ask(found=None, **changes):
    values = {"rows": 30_000_000, "deadline": DAY, "price": 0.4, "worker": WORKER, **changes}
    return advise(found or learnt(), Wanted(**values))


@cache
def learnt():
    return model(runs(spread=0.02, seed=1))


def test_cost_is_workers_times_price_times_time():
    advice = ask()
    for offer in advice.offers:
        wall = offer.prediction.wall
        assert offer.cost == pytest.approx(offer.workers * 0.4 * wall.value / 3600)
        assert offer.cost_at_most == pytest.approx(offer.workers * 0.4 * wall.high / 3600)
    assert advice.best.cost == min(offer.cost for offer in advice.offers)
    assert [offer.workers for offer in advice.offers] == list(range(1, 65))


def test_the_upper_end_of_the_interval_has_to_keep_the_deadline():
    one = ask().offers[0].prediction.wall
    between = (one.value + one.high) / 2
    advice = ask(deadline=between)
    assert not advice.offers[0].meets
    assert advice.best.workers > 1
    assert ask(deadline=one.high + 1).best.workers == 1


def test_cheapest_and_not_fastest():
    advice = ask(deadline=DAY)
    assert advice.best.workers == 1
    assert advice.best.prediction.wall.value > advice.offers[7].prediction.wall.value


def test_why_there_is_none():
    slow = ask(deadline=5.0)
    assert slow.best is None
    assert all(words in slow.why_not for words in ("1 to 64 workers", "5.0 s"))
    few = ask(deadline=ask().offers[2].prediction.wall.value, most=2)
    assert "--max-workers" in few.why_not


def test_memory_of_a_worker_narrows_the_choice():
    need = ask().offers[0].prediction.heap.upper
    assert ask(memory=need + MIB).best.workers == 1
    less = ask(memory=need / 2)
    assert less.best.workers > 1
    assert not less.offers[0].suitable
    assert "kept, too little memory" in as_text(less.table())
    tiny = ask(memory=100 * MIB)
    assert tiny.best is None
    assert "memory" in tiny.why_not


def test_memory_that_was_not_measured_cannot_be_held_against_a_limit():
    blind = model(runs(spread=0.02, seed=1, telemetry=False))
    assert ask(blind).best is not None
    with pytest.raises(UsageError, match="--memory"):
        ask(blind, memory=1024 * MIB)


def test_table_shows_the_best_among_its_neighbours():
    advice = ask(deadline=ask().offers[10].prediction.wall.high)
    assert advice.best.workers == 11
    shown = [row[0] for row in advice.table().rows]
    assert shown == [f"{n} worker{'s' * (n > 1)}" for n in (1, 2, 3, 4, 8, 10, 11, 12, 16, 32, 64)]
    row = advice.table().rows[shown.index("11 workers")]
    assert row[-1] == "kept *"  # beyond what was measured
    assert advice.table().rows[0][-1] == "missed *"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"deadline": 5.0},
        {"deadline": 5.0, "most": 200, "price": 123_456.789},
        {"rows": 999_999_999_999, "deadline": 1e9, "price": 1e-9, "memory": 2**50},
        {"memory": 100 * MIB},
    ],
)
def test_no_line_of_a_recommendation_is_wider_than_a_terminal(changes):
    wanted = Wanted(**{"rows": 30_000_000, "deadline": DAY, "price": 0.4, "worker": WORKER, **changes})
    text = "\n".join(lines(learnt(), advise(learnt(), wanted), wanted))
    assert [line for line in text.splitlines() if len(line) > WIDTH] == []


def test_nothing_is_recommended_on_one_core_count_or_without_intervals():
    with pytest.raises(UsageError, match=r"had 2 cores.*make plan again"):
        ask(model(runs((2,))))
    with pytest.raises(UsageError, match=r"interval.* larger budget"):
        ask(model([run(n, c) for n, c in zip(ROWS, (1, 2, 2), strict=True)]))


def test_money_is_written_so_that_it_says_something():
    assert [money(value) for value in (1234.5, 2, 0.04567, 0)] == ["1,234.50", "2.00", "0.0457", "0.00"]


GOOD = {"--rows": "1e6", "--deadline": "30m", "--price-per-worker-hour": "0.4"}


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--rows", "0", r"\brows\b.*\bwhole number of 1 or more\b.*'0'.*\b33e6\b"),
        ("--rows", "-5", r"\brows\b.*\bwhole number of 1 or more\b.*'-5'"),
        ("--rows", "1.5", r"\brows\b.*\bwhole number of 1 or more\b.*'1\.5'"),
        ("--rows", "nan", r"\brows\b.*'nan'"),
        ("--rows", "many", r"\brows\b.*'many'"),
        ("--deadline", "30", r"\bdeadline\b.*\bunit\b.*\b30m\b.*'30'"),
        ("--deadline", "soon", r"\bdeadline\b.*\bunit\b.*\b30m\b.*'soon'"),
        ("--deadline", "0m", r"\bdeadline\b.*\b0\b.*'0m'"),
        ("--price-per-worker-hour", "-1", r"--price-per-worker-hour\b.*\b0\b.*'-1'"),
        ("--price-per-worker-hour", "0", r"--price-per-worker-hour\b.*\b0\b.*'0'"),
        ("--price-per-worker-hour", "inf", r"\bprice\b.*'inf'"),
        ("--max-workers", "0", r"--max-workers\b.*\b1\b.*\b0\b"),
        ("--memory", "lots", r"\bmemory\b.*\b2g\b.*'lots'"),
        ("--cores", "0", r"\bcores\b.*\b1 or more, got 0$"),
        ("--of", "capacitie", "'capacitie'.*'capacity'"),
    ],
)
def test_silly_questions_are_refused(option, value, words, capsys, tmp_path):
    given = {**GOOD, option: value, "--cluster-set": f"run_dir={tmp_path}"}
    assert main(["recommend", *(f"{key}={text}" for key, text in given.items())]) == 2
    assert re.search(words, capsys.readouterr().err)


def test_nothing_recorded_says_what_to_run(capsys, tmp_path):
    where = f"--cluster-set=run_dir={tmp_path}"
    assert configuration.load([f"run_dir={tmp_path}"]).run_dir == tmp_path
    assert main(["predict", "--rows", "33e6", "--workers", "16", where]) == 2
    assert "make plan NAME=capacity" in capsys.readouterr().err
    assert main(["predict", "--rows", "33e6", "--workers", "0", where]) == 2
    assert main(["plan", "capacity", "--budget", "soon", where]) == 2
