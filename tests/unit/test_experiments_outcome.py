"""Outcomes on disk: of this version, of an older one, of a newer one, and damaged."""

import json
from dataclasses import asdict

import pytest
from invented import application, outcome

from cluster.shape import Shape
from core.errors import UnreadableError
from experiments.results.outcome import FILE, OUTCOME, load, stored


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "key" / "attempt"
    outcome([application(0, [9.0, 4.0])]).save(folder)
    return folder


def changed(place, change):
    values = json.loads((place / FILE).read_text())
    change(values)
    (place / FILE).write_text(json.dumps(values))


def test_says_its_format_and_comes_back_whole(place):
    assert json.loads((place / FILE).read_text())["format"] == OUTCOME.version
    assert load(place / FILE) == outcome([application(0, [9.0, 4.0])])


def test_a_file_of_before_there_were_formats_is_read(place):
    def older(values):
        for name in ("format", "recording_s"):
            del values[name]
        values["values"] = {
            "model": "als", "dataset": "movielens/1m", "workers": 1, "cores": 1, "memory": "1g",
        }  # fmt: skip
        for item in values["applications"]:
            for name in ("kept_s", "round_id"):
                del item[name]

    changed(place, older)
    shape = asdict(Shape(1, 1, "1g"))  # whole, though the file has a part of it
    assert load(place / FILE) == outcome([application(0, [9.0, 4.0])], shape=shape)


@pytest.mark.parametrize(
    "change",
    [
        lambda values: values.update(format=OUTCOME.version + 1),
        lambda values: values.update(unheard_of=1),
        lambda values: values.pop("applications"),
        lambda values: values["applications"][0]["phases"].append({"phase": "fit"}),
    ],
)
def test_what_cannot_be_read_is_said_once_and_hides_no_other(place, change, caplog):
    other = place.with_name("other")
    outcome([application(0, [8.0, 3.0])]).save(other)
    changed(place, change)
    with pytest.raises(UnreadableError):
        load(place / FILE)
    for _ in range(2):
        assert [folder for folder, _ in stored(place.parent.parent)] == [other]
    said = caplog.text
    assert said.count(str(place / FILE)) == 1


def test_a_file_cut_short_is_said(place, caplog):
    text = (place / FILE).read_text()
    (place / FILE).write_text(text[: len(text) // 2])
    assert list(stored(place.parent.parent)) == []
    assert str(place / FILE) in caplog.text
