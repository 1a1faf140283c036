"""The archive of Spark's classes without a JVM: when it is made, and which Java and jars it belongs to."""

import re
from pathlib import Path

import pytest

from cluster.jvm.class_archive import ClassArchive
from core.errors import ServiceError


@pytest.fixture
def archive(tmp_path):
    jars = tmp_path / "spark" / "jars"
    jars.mkdir(parents=True)
    (jars / "one.jar").write_bytes(b"1")
    return ClassArchive(tmp_path / "classes", tmp_path / "spark", None)


def written(option):
    """What a JVM that is given this option does at its end."""
    Path(re.search(r"-XX:ArchiveClassesAtExit=(\S+)", option)[1]).write_text("classes")


def test_is_recorded_once_and_used_from_then_on(archive):
    options = []
    assert archive.option == ""
    for _ in range(2):
        archive.record(lambda option: (options.append(option), written(option)))
    assert len(options) == 1
    assert archive.option == f"-XX:SharedArchiveFile={archive.path}"
    assert archive.path.read_text() == "classes"


def test_a_rehearsal_that_fails_or_writes_nothing_leaves_nothing(archive):
    def fails(option):
        written(option)
        raise ServiceError("no")

    with pytest.raises(ServiceError):
        archive.record(fails)
    with pytest.raises(ServiceError):
        archive.record(lambda _: None)
    assert archive.option == ""
    assert [path.name for path in archive.folder.iterdir()] == [".lock"]


def test_other_jars_have_another_archive(archive):
    archive.record(written)
    (archive.spark / "jars" / "two.jar").write_bytes(b"2")
    assert archive.option == ""
