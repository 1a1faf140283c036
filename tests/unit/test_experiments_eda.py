"""Pages of data sets from invented aggregates: names of bins, sentences, sections, files."""

import json
import re

import pytest
from test_experiments_page import Tags

from core.text_tables import WIDTH
from experiments.spec.trial import Data
from experiments.studies.eda import charts
from experiments.studies.eda.findings import answer, findings_of
from experiments.studies.eda.launch import Explored
from experiments.studies.eda.report import as_json, document
from jobs.prepare.explore import BINS, INTERVALS, bin_range

BAND = [
    {"bin": 1, "n": 3, "mean": 3.0, "quantiles": [1.0, 3.0, 5.0]},
    {"bin": 9, "n": 1, "mean": 4.0, "quantiles": [4.0, 4.0, 4.0]},
]
FOUND = {
    "ratings": {"n": 303, "mean": 3.5, "sd": 1.0, "low": 1.0, "high": 5.0,
                "values": [[1.0, 1.0, 100], [5.0, 5.0, 203]]},
    "users": {"count": 3, "least": 1, "median": 1, "most": 301, "bins": BAND},
    "items": {"count": 4, "least": 1, "median": 1, "most": 300, "bins": BAND},
    "intervals": [{"items": 5, "ratings": 3, "unrated": 2}, *[{"items": 0, "ratings": 0, "unrated": 0}] * 2,
                  {"items": 1, "ratings": 300, "unrated": 0}],
    "tags": {"items": 2, "uses": 5, "histogram": [[0, 4], [1, 1], [3, 1]], "averages": BAND, "top": [["<dark>", 5]]},
    "genres": {"without": 1, "others": 2, "top": [["Drama", 4, 300, 3.5], ["Western", 1, 0, None]]},
    "decades": [[1990, 4], [2000, 2]],
    "features": {"left_out": 0, "each": {
        name: {"n": 6, "mean": 0.5, "sd": 0.1, "low": 0.0, "high": 1.0, "quantiles": [0.1, 0.2, 0.5, 0.8, 0.9],
               "counts": list(range(BINS))} for name in ("energy", "tempo", "mode", "key")}},
}  # fmt: skip
COUNTS = {"rows": 303, "users": 3, "items": 6, "rows_in": 310, "dropped.duplicate": 7}


def explored(found=FOUND, counts=COUNTS, digest="d1"):
    data = Data("movielens/1m", store="parquet")
    return Explored(data, digest, counts, found, {"interactions": 1.0, "catalogue": 2.0}, {"host.cores": 2})


ITEMS_ONLY = {**{key: FOUND[key] for key in ("genres", "decades", "features")}, "tags": None}


def test_intervals_and_bins_are_named_without_overlap():
    assert [charts.interval_name(number) for number in range(4)] == [
        "0 to 49",
        "50 to 99",
        "100 to 200",
        "over 200",
    ]
    assert [least for least, _ in INTERVALS[1:]] == [most + 1 for _, most in INTERVALS[:-1]]
    assert [charts.range_name(number) for number in (0, 1, 2, 12)] == [
        "0",
        "1",
        "2\u20133",
        "2,048\u20134,095",
    ]
    assert all(bin_range(number)[0] == bin_range(number - 1)[1] + 1 for number in range(1, 40))


def test_sentence_says_what_is_there():
    assert answer(explored()) == (
        "303 ratings of 4 of 6 items by 3 users, 3.50 on average; 1 item with over 200 holds 99% of them."
    )
    assert answer(explored({**FOUND, "ratings": None})).startswith(
        "303 interactions of 4 of 6 items by 3 users;"
    )
    assert answer(explored(ITEMS_ONLY, {"items": 6}, "")) == (
        "6 items and no ratings, described by genres and features."
    )


def test_tables_hold_the_shares_of_each_interval():
    sections = {finding.title: finding for finding in findings_of(explored())}
    (table,) = sections["How many ratings items and users have"].tables
    assert table.rows[0] == ["0 to 49", "5", "83.3%", "3", "1.0%"]
    assert table.rows[3] == ["over 200", "1", "16.7%", "300", "99.0%"]
    assert "2 items have none" in sections["How many ratings items and users have"].notes[0]
    assert ["Western", "1", "0", "\u2013"] in sections["Genres"].tables[0].rows
    assert any("duplicate 7" in note for note in sections["At a glance"].notes)
    assert "Missing from this data set" not in sections


def test_what_is_lacking_is_said_and_not_drawn():
    bare = {**FOUND, "ratings": None, "tags": None, "features": None, "genres": None, "decades": None}
    bare |= {side: {**FOUND[side], "bins": [{**row, "mean": None, "quantiles": None} for row in BAND]}
             for side in ("users", "items")}  # fmt: skip
    sections = {finding.title: finding for finding in findings_of(explored(bare))}
    assert sections.keys() == {
        "At a glance",
        "How many interactions items and users have",
        "Missing from this data set",
    }
    missing = sections["Missing from this data set"].notes
    assert [name for name in ("ratings", "tags", "genres", "years", "features") if name in "\n".join(missing)] == [
        "ratings", "tags", "genres", "years", "features"
    ]  # fmt: skip
    assert "counts" not in missing[0]
    assert all(plot.svg for plot in sections["How many interactions items and users have"].plots)
    unrated = {finding.title: finding for finding in findings_of(explored({**FOUND, "ratings": None}))}
    assert unrated["Genres"].tables[0].header == ["genre", "items", "interactions"]
    assert unrated["Genres"].tables[0].rows[0] == ["Drama", "4", "300"]
    only = {finding.title: finding for finding in findings_of(explored(ITEMS_ONLY, {"items": 6}, ""))}
    assert not [title for title in only if title.startswith("How many")]
    assert only["Genres"].tables[0].header == ["genre", "items"]


def test_page_of_a_data_set_stands_in_the_index(tmp_path):
    written = document(explored()).write(tmp_path)
    names = {path.name for path in written}
    assert {"eda-movielens-1m.html", "eda-movielens-1m.json"} <= names
    plots = ("ratings", "intervals", "counts", "average-items", "average-users", "tags", "average-tags", "genres", "decades", "features")  # fmt: skip
    assert {f"eda-movielens-1m-{plot}.{kind}" for plot in plots for kind in ("png", "svg")} <= names
    page = written[0].read_text()
    assert Tags(page).wrong == []
    assert "&lt;dark&gt;" in page
    assert "http" not in page
    index = (tmp_path / "index.html").read_text()
    assert "Data sets" in index
    assert "What is in movielens/1m?" in index
    assert "trials ok" not in index
    assert json.loads(written[1].read_text())["aggregates"] == json.loads(json.dumps(FOUND))


def test_text_for_a_terminal():
    shown = document(explored()).text()
    assert re.search(r"^303 ratings\b.*\b4 of 6 items\b", shown)
    assert "over 200" in shown
    assert as_json(explored(), 5.0)["ended_at"] == 5.0


LONG = ["of many words " * 20, "a_name_without_any_blank_in_it" * 8, "\u00e9t\u00e9 " * 60]


@pytest.mark.parametrize("rated", [True, False])
@pytest.mark.parametrize("count", [1, 3])
def test_no_line_for_a_terminal_is_wider_than_it(count, rated):
    huge, each = 999_999_999_999, FOUND["features"]["each"]["energy"]
    widest = {
        **each,
        "n": huge,
        "mean": -1.23456e-9,
        "quantiles": [-123456.789] * 5,
        "low": -9e9,
        "high": 9e15,
    }
    found = {
        **FOUND,
        "tags": {**FOUND["tags"], "top": [[name, huge] for name in LONG[:count]]},
        "genres": {
            "without": huge,
            "others": huge,
            "top": [[name, huge, huge, 3.5] for name in LONG[:count]],
        },
        "features": {"left_out": huge, "each": dict.fromkeys(LONG[:count], widest)},
    }
    found = found if rated else {key: found[key] for key in ("genres", "tags", "decades", "features")}
    counts = {"rows": huge, "users": 3, "items": huge, **{f"dropped.{name}": huge for name in LONG}}
    lines = document(explored(found, counts, "d1" if rated else "")).text().splitlines()
    assert [line for line in lines if len(line) > WIDTH] == []
    assert any("of many words of many words" in line for line in lines)
