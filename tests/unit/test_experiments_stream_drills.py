"""Drills of streams: what is kept is not done again, what differs is, and wrong names are refused before anything starts."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from cluster import configuration
from cluster.lifecycle import Cluster
from core.errors import UsageError
from experiments.__main__ import main
from experiments.studies.stream_drills import session as sessions
from experiments.studies.stream_drills.course import commits, hits_of
from experiments.studies.stream_drills.drill import Ground, Setting, StreamDrilled
from experiments.studies.stream_drills.kinds import DRILLS, disk
from experiments.studies.stream_drills.record import keep, kept, numbers

FOUND = StreamDrilled(
    kind="query", seed=1, total=1000, victim="the driver", at=300, cold_start_s=9.0, batch_s=0.5, recovery_s=12.5, restarts=1,
    acknowledged=1000, bad=3, compared=4000, differing=0, findings=[], reconcile_s=2.0, seconds=60.0, notes=[], identity="a b",
    environment={}, ended_at=1.5,
)  # fmt: skip


@pytest.fixture
def session(tmp_path, monkeypatch):
    """A session whose drills are counted instead of done."""
    done = []

    def drill(self, kind, seed, identity):
        done.append((kind, seed))
        return dataclasses.replace(FOUND, kind=kind, seed=seed, identity=identity)

    monkeypatch.setattr(sessions.Session, "_drill", drill)
    settings = configuration.load([f"run_dir={tmp_path}"], {})
    return sessions.Session(settings, ["query"], [1, 2], 1000), done


def test_a_drill_is_kept_whole(tmp_path):
    keep(FOUND, tmp_path)
    assert kept(tmp_path / FOUND.name) == FOUND
    assert kept(tmp_path / "other") is None
    (tmp_path / FOUND.name / "stream-drill.json").write_text("{")
    assert kept(tmp_path / FOUND.name) is None


def test_only_what_is_reconciled_with_this_code_is_not_done_again(session, tmp_path):
    session, done = session
    assert [one.seed for one in session.run()] == [1, 2]
    identity = session.run()[0].identity
    keep(dataclasses.replace(FOUND, identity=identity), session.place)
    keep(dataclasses.replace(FOUND, seed=2, identity=identity, differing=1), session.place)
    done.clear()
    session.run()
    assert done == [("query", 2)]
    keep(dataclasses.replace(FOUND, identity="older"), session.place)
    done.clear()
    session.run()
    assert done == [("query", 1), ("query", 2)]


def test_numbers_are_those_of_the_table():
    found = {one.name: one.value for one in numbers(FOUND)}
    assert (found["recovery_s"], found["drill/compared"], found["drill/differing"]) == (12.5, 4000, 0)
    assert "recovery_s" not in {one.name for one in numbers(dataclasses.replace(FOUND, recovery_s=None))}


@pytest.mark.parametrize("name", list(DRILLS))
def test_every_kind_says_what_it_hits_and_which_streams_run(name):
    drill = DRILLS[name]
    assert drill.what
    assert drill.setting.watched in drill.setting.streams
    assert 0 <= drill.setting.bad < 1


@pytest.mark.parametrize(
    "typed", [["typo"], ["query", "--seeds", "one"], ["query", "--total", "few"], ["query", "--total", "10"]]
)
def test_wrong_words_are_refused(typed, tmp_path):
    assert main(["stream-drill", *typed, "--cluster-set", f"run_dir={tmp_path}"]) == UsageError.exit_status
    assert list(tmp_path.iterdir()) == []


def test_several_parts_are_hit_in_turn_while_messages_are_left():
    hits = hits_of(DRILLS["together"], 1)
    assert [one.watched for one in hits][:3] == ["lake", "lake", "feedback"]
    assert [one.share for one in hits] == sorted(one.share for one in hits)
    assert hits[-1].share < 0.7
    assert [one.share for seed in (1, 4) for one in hits_of(DRILLS["query"], seed)] == pytest.approx(
        [0.3, 0.2]
    )
    assert hits_of(DRILLS["malformed"], 1) == []


def test_commits_are_told_in_the_order_of_their_numbers(tmp_path):
    folder = tmp_path / "commits"
    folder.mkdir()
    for number in (2, 10, 9):
        (folder / str(number)).write_text("v1")
    (folder / ".10.crc").write_text("")
    found = commits(tmp_path)
    assert list(found) == [2, 9, 10]
    assert found[10] == (folder / "10").stat().st_mtime


def test_what_lay_on_a_full_disk_stays_when_the_disk_goes(tmp_path, monkeypatch):
    settings = configuration.load([f"run_dir={tmp_path}"], {})
    ground = Ground("disk", 1, 10, settings, Setting(), Cluster(settings))
    for name in ("lake", "streams"):
        (tmp_path / "space" / name).mkdir(parents=True)
        (tmp_path / "space" / name / "kept").touch()
        (tmp_path / name).symlink_to(tmp_path / "space" / name)
    done = []
    monkeypatch.setattr(disk, "_do", lambda *words: done.append(words[0]))
    monkeypatch.setattr(Path, "is_mount", lambda _: True)
    disk.DRILL.clear(ground)
    shutil.rmtree(tmp_path / "space")
    assert done == ["umount"]
    assert (tmp_path / "lake" / "kept").is_file()
    assert (tmp_path / "streams" / "kept").is_file()
