"""Files that are written whole or not at all."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from core import files


def test_a_write_that_breaks_off_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "state.json"
    files.write_json(path, {"a": 1})

    def full(_):
        raise OSError(28, "no space is left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="28"):
        files.write_json(path, {"a": 2})
    with pytest.raises(TypeError):
        files.write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [found.name for found in tmp_path.iterdir()] == ["state.json"]


def test_two_that_write_at_once_leave_one_of_both(tmp_path):
    path = tmp_path / "state.json"
    values = [{"number": number, "text": "x" * 100_000} for number in range(8)]
    with ThreadPoolExecutor(8) as writers:
        list(writers.map(lambda value: files.write_json(path, value), values))
    assert json.loads(path.read_text()) in values
    assert [found.name for found in tmp_path.iterdir()] == ["state.json"]


def test_others_may_read_what_is_written(tmp_path):
    plain = tmp_path / "plain"
    plain.touch()
    files.write_text(tmp_path / "state", "x")
    assert (tmp_path / "state").stat().st_mode == plain.stat().st_mode


def test_a_file_is_made_once_and_an_interrupted_making_leaves_nothing(tmp_path):
    path = tmp_path / "made.db"

    def cut(begun):
        begun.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.make_once(path, cut)
    assert list(tmp_path.iterdir()) == []
    files.make_once(path, lambda begun: begun.write_text("first"))
    files.make_once(path, lambda begun: begun.write_text("second"))
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_of_two_that_make_a_file_at_once_both_use_the_first(tmp_path):
    path = tmp_path / "made.db"

    def overtaken(begun):
        begun.write_text("second")
        files.make_once(path, lambda other: other.write_text("first"))

    files.make_once(path, overtaken)
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_made_where_there_are_no_hard_links(tmp_path, monkeypatch):
    def refused(*_):
        raise PermissionError(1, "no hard links here")

    monkeypatch.setattr(os, "link", refused)
    files.make_once(tmp_path / "made.db", lambda begun: begun.write_text("whole"))
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("made.db", "whole")]
