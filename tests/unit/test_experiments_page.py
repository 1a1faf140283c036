"""The page and the index as a browser, a phone, a printer and a screen reader get them."""

import base64
import gzip
import json
import re
import shutil
from html.parser import HTMLParser

import pytest
from invented import application, outcome

from experiments.page.figure import COLOURS, PALETTES, Plot, is_narrow
from experiments.page.finding import Finding
from experiments.page.index import header, write_index
from experiments.page.page import Download, render
from experiments.page.tables import Table
from experiments.report.report import Report
from experiments.spec.experiment import Experiment

SPEC = Experiment("invented", "How fast is <als>?")
FAILED = outcome(
    [application(0, [9.0], status="failed", error="boom")], 2, label="knn <i> w2\u00d71c",
    values={"model.name": "knn"}, status="failed", error="boom",
)  # fmt: skip
OUTCOMES = [outcome([application(n, [9.0, 8.0 + n, 8.5], [3.0, 1.0, 1.0]) for n in range(5)]), FAILED]


class Tags(HTMLParser):
    """All tags with their attributes, and whether they are closed in order."""

    def __init__(self, page):
        super().__init__()
        self.found, self.open, self.wrong = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The report of two trials, written once for all tests that look at it."""
    place = tmp_path_factory.mktemp("reports")
    Report.of(SPEC, OUTCOMES).write(place)
    return place


@pytest.fixture(scope="module")
def page(folder):
    return (folder / "invented.html").read_text()


def bars(axes):
    axes.barh([0, 1], [1.0, 2.0], color=COLOURS[1])
    axes.set_xlabel("phone" if is_narrow(axes) else "desk")


def test_page_is_whole_and_needs_no_network(page):
    tags = Tags(page)
    assert tags.wrong == []
    assert tags.open == []
    links = [
        value for _, found in tags.found for name, value in found.items() if name in ("src", "href", "srcset")
    ]
    assert links
    assert all(link.startswith(("data:", "#")) for link in links)
    inner = [link[1:] for link in links if link.startswith("#")]
    ids = [found["id"] for _, found in tags.found if "id" in found]
    assert set(inner) <= set(ids)
    assert len(ids) == len(set(ids))
    assert "http" not in page
    assert "<script" not in page


def test_page_says_what_was_asked_and_answered_first_and_shows_failures(page):
    assert page.index("How fast is &lt;als&gt;?") < page.index('class="answer"') < page.index("<table>")
    assert '<li class="bad">1 did not end well</li>' in page
    assert '<tr class="bad"><th scope="row">knn &lt;i&gt; w2\u00d71c FAILED</th>' in page


def test_page_can_be_heard(page):
    tags = Tags(page).found
    assert all(found.get("scope") in ("col", "row") for tag, found in tags if tag == "th")
    pictures = [found for tag, found in tags if tag == "svg"]
    assert len(pictures) >= 2
    assert all(found["role"] == "img" and len(found["aria-label"]) > 20 for found in pictures)
    assert all(found.get("aria-label") for _, found in tags if found.get("tabindex") == "0")


def test_page_holds_the_raw_values(folder, page):
    files = dict(re.findall(r'<a download="([^"]+)" href="data:[^,]+;base64,([^"]+)"', page))
    assert json.loads(base64.b64decode(files["invented.json"])) == json.loads(
        (folder / "invented.json").read_text()
    )
    assert base64.b64decode(files["invented.csv"]).decode() == (folder / "invented.csv").read_text()


def test_large_downloads_are_packed():
    text = "1,2,3\n" * 300_000
    file = Download("large.csv", "text/csv", text)
    assert file.file == "large.csv.gz"
    assert file.link.startswith("data:application/gzip;base64,")
    assert gzip.decompress(base64.b64decode(file.link.partition(",")[2])).decode() == text
    assert Download("small.csv", "text/csv", "1").link == "data:text/csv;base64,MQ=="


def test_pictures_take_the_colours_of_the_page_and_keep_their_words_as_text():
    plot = Plot("bars", "Two bars & <more>.", bars, (7.5, 3.0), narrow=(4.4, 3.0))
    drawn = dict(plot.inline())
    assert drawn.keys() == {"wide", "narrow"}
    assert "var(--c1)" in drawn["wide"]
    assert "var(--ground)" in drawn["wide"]
    assert not set(COLOURS) & set(re.findall(r"#[0-9a-f]{6}", drawn["wide"]))
    assert re.search(r"<text[^>]*>desk</text>", drawn["wide"])
    assert re.search(r"<text[^>]*>phone</text>", drawn["narrow"])
    assert 'aria-label="Two bars &amp; &lt;more&gt;."' in drawn["wide"]
    assert COLOURS[1] in plot.svg  # the file has colours of its own
    assert plot.png("light") != plot.png("dark")


def test_two_pictures_share_no_id():
    first, second = (Plot(name, "Two bars in it.", bars, (7.5, 3.0)) for name in ("first", "second"))
    ids = [set(re.findall(r'id="([^"]+)"', dict(plot.inline())["wide"])) for plot in (first, second)]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_every_colour_stands_out_from_its_ground():
    for palette in PALETTES.values():
        for name, colour in palette.items():
            least = {"ground": 1.0, "line": 1.0, "ink": 7.0}.get(name, 3.0)
            assert _contrast(colour, palette["ground"]) >= least, (name, colour)


def _contrast(first, second):
    """By WCAG 2.2."""
    light, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_page_of_findings_alone():
    page = render(
        "few", "What is there?", findings=[Finding("One", tables=(Table(["a"], [["1"]]),))], facts={}
    )
    assert Tags(page).wrong == []
    assert "Environment" not in page
    assert 'class="answer"' not in page


def test_index_lists_every_report_newest_first(folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    newer = header("newer", "Is it <new>?", "Yes.", 1_800_000_000.0, ok=1, failed=0)
    for name, text in (("newer", json.dumps(newer)), ("broken", "{"), ("other", "[]")):
        (tmp_path / f"{name}.json").write_text(text)
        (tmp_path / f"{name}.html").write_text("")
    (tmp_path / "gone.json").write_text(json.dumps({**newer, "experiment": "gone"}))
    made = write_index(tmp_path).read_text()
    assert Tags(made).wrong == []
    assert made.index('href="newer.html"') < made.index('href="invented.html"')
    assert "Is it &lt;new&gt;?" in made
    assert "1 trial ok" in made
    assert "1 not ok" in made
    assert not {"gone", "broken", "other"} & set(re.findall(r'href="(\w+)\.html"', made))


def test_index_of_nothing_says_so(tmp_path):
    assert "There is no report yet." in write_index(tmp_path).read_text()
