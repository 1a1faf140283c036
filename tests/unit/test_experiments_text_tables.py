"""Tables for a terminal: as wide as it, whatever was measured."""

import random

import pytest
from invented import application, outcome

from core.text_tables import WIDTH
from experiments.page.finding import BRIEF, MARKDOWN, TITLED, UNTITLED, Finding, paragraphs
from experiments.page.page import render
from experiments.page.tables import Table, as_markdown, main_table
from experiments.page.text_tables import as_text
from experiments.report.report import Report
from experiments.spec.experiment import Comparison, Experiment

SPEC = Experiment("invented", "?", comparisons=(Comparison({"model.rank": 8}, {"model.rank": 64}),))


def rows_of(text):
    """The lines of each part of a text table below its rule, without what is said of all rows."""
    lines = text.partition("\nin all rows: ")[0].splitlines()
    return [line for line in lines if line.strip("- ")]


def invented(draw, most=9):
    """Trials with long parameters, several shapes, data sets and statuses."""
    made = []
    for number in range(draw.randint(1, most)):
        workers, cores = draw.choice([1, 2, 16]), draw.choice([1, 4])
        model = draw.choice(["als", "als_implicit", "content_kmeans"])
        dataset = draw.choice(["movielens/1m", "csv/" + "a-very-long-name-of-a-file" * 2])
        values = {
            "model.rank": draw.choice([8, 64]), "model.iterations": 10, "regularisation_of_items": 0.0512345,
            "job.select": draw.choice(["{'kind': [1, 2]}", "x" * 60]), "data.name": dataset,
        }  # fmt: skip
        status = draw.choice(["ok", "ok", "ok", "failed", "killed"])
        metrics = {
            name: draw.random()
            for name in ("rmse", "rmse_bias", "rmse_global_mean", "coverage", "ndcg_at_10")
        }
        phases = [
            application(n, [9.0, draw.uniform(0.1, 9000)], [1.0, 2.0], metrics=metrics)
            for n in range(draw.choice([1, 5]))
        ]
        label = " ".join(
            [model, *(f"{key}={value}" for key, value in values.items()), f"w{workers}\u00d7{cores}c"]
        )
        made.append(
            outcome(
                phases if status == "ok" else [application(0, [9.0], status="failed", error="boom")],
                workers, label=label, key=f"{number:x}" * 64, status=status, error=None if status == "ok" else "boom",
                values={"model.name": model, **values}, shape={"workers": workers, "cores": cores, "memory": "1g"},
                shape_tag=draw.choice(["clean", "shared-host", "oversubscribed"]),
                data={"name": dataset, "slug": "m", "digest": dataset, "rows": 1000, "options": {}},
            )
        )  # fmt: skip
    return made


@pytest.mark.parametrize("seed", range(12))
def test_every_table_of_a_report_fits(seed):
    report = Report.of(SPEC, invented(random.Random(seed)))
    for table in (table for finding in report.findings for table in finding.tables):
        text = as_text(table)
        assert max(map(len, text.splitlines())) <= WIDTH
        assert text.count("in all rows: ") <= 1
        words = {word for row in [table.header, *table.rows] for cell in row for word in cell.split()}
        shown = text.replace("\n", " ")
        lost = {word for word in words if len(word) <= 24 and "=" not in word and word not in shown}
        assert not lost


@pytest.mark.parametrize("seed", range(40))
def test_any_table_fits(seed):
    draw = random.Random(seed)
    words = ["1.67\u00d7 [1.62, 1.71]", "n/a", "", "x" * 90, "als rank=8 reg=0.1", "two words", "\u2013"]
    header = [
        draw.choice(["trial", "RMSE of mean", "fit s", "a long title of a column"])
        for _ in range(draw.randint(1, 25))
    ]
    rows = [[draw.choice(words) for _ in header] for _ in range(draw.randint(0, 5))]
    assert max(map(len, as_text(Table(header, rows)).splitlines())) <= WIDTH


def test_what_is_the_same_in_every_row_stands_once_below():
    table = Table(
        ["trial", "fit s", "cores", "memory", ""],
        [["als rank=8 seed=1 w1", "4.00", "1", "1g", ""], ["als rank=16 seed=1 w1", "5.00", "1", "1g", ""]],
    )
    head, rule, *rows, below = as_text(table).splitlines()
    assert head.split() == ["trial", "fit", "s"]
    assert set(rule) == {"-", " "}
    assert [row.split() for row in rows] == [
        ["als", "rank=8", "w1", "4.00"],
        ["als", "rank=16", "w1", "5.00"],
    ]
    assert below == "in all rows: seed 1, cores 1, memory 1g"
    assert table.header[2] in as_markdown(table)


def test_a_column_without_a_title_that_says_something_stays():
    text = as_text(Table(["trial", "s", ""], [["a", "1", "best"], ["b", "2", "best"]]))
    assert text.count("best") == 2


def test_rows_that_differ_in_nothing_keep_their_columns():
    text = as_text(Table(["what", "number"], [["users", "5"], ["items", "5"]]))
    assert [line.split() for line in text.splitlines()[2:]] == [["users", "5"], ["items", "5"]]


def test_one_row_stays_as_it_is_or_becomes_a_list():
    short = Table(["trial", "fit s"], [["als rank=8", "4.00"]])
    assert [line.split() for line in as_text(short).splitlines()[::2]] == [
        ["trial", "fit", "s"],
        ["als", "rank=8", "4.00"],
    ]
    wide = Table(
        ["trial", *(f"column {n}" for n in range(20))],
        [["als " + "key=value " * 20, *(f"{n}.5" for n in range(20))]],
    )
    lines = as_text(wide).splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert [line.split() for line in lines[-20:]] == [["column", str(n), f"{n}.5"] for n in range(20)]


def test_many_columns_are_shown_in_parts_that_all_have_the_names():
    header = ["trial", *(f"column-number-{n:02}" for n in range(20))]
    text = as_text(Table(header, [["first", *map(str, range(20))], ["second", *map(str, range(20, 40))]]))
    assert len([line for line in rows_of(text) if line.startswith("first")]) == len(text.split("\n\n")) > 1
    assert all(name in text for name in header)


def test_page_and_files_keep_every_column():
    outcomes = [
        outcome([application(0, [9.0, took])], n, values={"model.seed": 1})
        for n, took in ((1, 4.0), (2, 3.0))
    ]
    (first, *_) = Report.of(SPEC, outcomes).findings
    assert "coverage 100.0%" in as_text(main_table(outcomes)).splitlines()[-1]
    page = render("invented", "?", findings=[first], facts={})
    assert page.count("<td>100.0%</td>") == 2
    assert as_markdown(first.tables[0]).count("100.0%") == 2
    assert "coverage" in Report.of(SPEC, outcomes).document.csv


@pytest.mark.parametrize(
    ("style", "shown"),
    [
        (TITLED, ["FIRST", "It is so.", "table", "a note", "LAST", "another"]),
        (UNTITLED, ["It is so.", "table", "a note", "another"]),
        (BRIEF, ["First\ntable", "another"]),
        (MARKDOWN, ["### First", "It is so.", "table", "- a note", "### Last", "- another"]),
    ],
)
def test_sections_of_any_report_are_written_in_one_of_four_styles(style, shown):
    table = Table(["what", "number"], [["users", "5"]])
    sections = [
        Finding("First", "It is so.", "Said above.", tables=(table,), notes=("a note",)),
        Finding("Last", notes=("another",)),
    ]
    said = list(paragraphs(sections, style, said="Said above."))
    assert [text.replace(style.table(table), "table") for text in said] == shown
