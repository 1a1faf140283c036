"""Plug-ins in a folder of their own: where they are found, and what is refused."""

import subprocess
import sys
import zipfile

import pytest

from core.errors import UsageError
from core.plugins import FOLDER, further, further_sources
from tests.conftest import ROOT

ASK = "from jobs.apps import JOBS; print(sorted(JOBS), JOBS['toy'].kind)"
TOY = "class Toy:\n    kind = 'windows'\n\n\nJOB = Toy()\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    place = tmp_path / "more"
    (place / "jobs" / "apps").mkdir(parents=True)
    (place / "jobs" / "apps" / "toy.py").write_text(TOY)
    monkeypatch.setenv(FOLDER, str(place))
    return place


def ask(cwd, **environment):
    script = {"env": {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **environment}, "cwd": cwd}
    return subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=False, **script)


def test_a_file_in_the_folder_joins_the_projects_own(folder, tmp_path):
    done = ask(tmp_path, **{FOLDER: str(folder)})
    assert done.returncode == 0, done.stderr
    assert "'toy'" in done.stdout
    assert "'train'" in done.stdout
    assert done.stdout.endswith("windows\n")


def test_a_name_that_the_project_has_is_refused(folder, tmp_path):
    (folder / "jobs" / "apps" / "train.py").write_text(TOY)
    done = ask(tmp_path, **{FOLDER: str(folder)})
    assert "UsageError" in done.stderr
    assert "jobs/apps/train" in done.stderr


def test_a_folder_that_is_not_there_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER, str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match="nowhere"):
        further()
    monkeypatch.setenv(FOLDER, "")
    assert further() is None
    assert further_sources(("jobs",)) == {}


def test_executors_import_them_from_the_zip_without_the_folder(folder, tmp_path):
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "other.py").write_text("")
    shipped = tmp_path / "shipped"
    pack = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from pathlib import Path; from jobs.runtime.shipping import pack; print(pack(Path({str(shipped)!r})))"
    packed = subprocess.run([sys.executable, "-c", pack], capture_output=True, text=True, check=True)
    place = packed.stdout.strip()
    with zipfile.ZipFile(place) as archive:
        assert {"jobs/apps/toy.py", "jobs/apps/train.py"} <= {*archive.namelist()}
        assert not [name for name in archive.namelist() if "elsewhere" in name]
    # The folder named as well changes nothing: what the zip holds is not looked for twice.
    for more in ({}, {FOLDER: str(folder)}):
        done = ask(tmp_path, **{"PYTHONPATH": place, **more})
        assert done.returncode == 0, done.stderr
        assert "'toy'" in done.stdout
