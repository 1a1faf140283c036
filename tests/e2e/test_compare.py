"""Comparisons on a real cluster of their own, and environments made by the real pip, from a wheel made here."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from core.errors import UsageError
from experiments.studies.compare.packages import replaced, version_of
from tests.e2e.place import Place

ROOT = Path(__file__).resolve().parents[2]
AUTHOR = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]


def wheel(folder, name, version):
    """Write the smallest wheel that pip installs."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": f"__version__ = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = []
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            lines.append(f"{path},sha256={digest},{len(text)}")
            archive.writestr(path, text)
        archive.writestr(f"{info}/RECORD", "\n".join([*lines, f"{info}/RECORD,,", ""]))


def test_one_package_is_replaced_and_all_others_stay(tmp_path, monkeypatch, caplog):
    wheel(tmp_path, "iniconfig", "99.5")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    python = replaced("iniconfig==99.5", tmp_path / "run")
    assert python != sys.executable
    shown = "import iniconfig, numpy; print(iniconfig.__version__, numpy.__version__)"
    done = subprocess.run([python, "-P", "-c", shown], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["99.5", version_of(sys.executable, "numpy")]
    assert version_of(sys.executable, "iniconfig") != "99.5"
    assert replaced("iniconfig==99.5", tmp_path / "run") == python
    assert len(caplog.messages) == 1
    with pytest.raises(UsageError, match=r"installing iniconfig 98\.1 failed"):
        replaced("iniconfig==98.1", tmp_path / "run")
    assert [path.name for path in (tmp_path / "run" / "environments").iterdir() if path.is_dir()] == [
        python.split("/")[-3]
    ]


class Clone(Place):
    """A clone of this project of its own, under git, whose revisions can be compared."""

    def __init__(self, folder, sets):
        super().__init__(folder, sets)
        self.root = folder / "clone"
        for name in ("cluster", "core", "datasets", "experiments", "jobs"):
            shutil.copytree(ROOT / name, self.root / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "requirements.lock", self.root)
        self.git("init", "-q", "-b", "main")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "as it is")

    def git(self, *words):
        subprocess.run(["git", "-C", str(self.root), *AUTHOR, *words], check=True, capture_output=True)

    def run(self, *arguments, code=0):
        done = subprocess.run(
            self.command(*arguments), cwd=self.root, env={**os.environ, "PYTHONPATH": str(self.root)},
            capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr + self.logs()
        return done.stdout


@pytest.mark.timeout(1200)
@pytest.mark.long
def test_a_working_tree_that_predicts_worse_than_a_revision_is_called_worse(tmp_path, cluster_sets):
    """What a gate makes of a verdict is no matter of real applications: five pairs, its least, would say the same."""
    clone = Clone(tmp_path, [*cluster_sets, "spark.workers=1", "spark.memory=1g"])
    path = clone.root / "jobs" / "models" / "bias.py"
    sources = path.read_text()
    planted = sources.replace("prediction = clipped(", "prediction = F.lit(0.5) + clipped(")
    assert planted != sources
    path.write_text(planted)
    enough = 'data.name = "synthetic/ml-latest-small"\ndata.rows = 9000'  # users for a verdict
    spec = clone.spec("made", 'model.name = ["bias"]', data=enough)
    sides = ["--baseline", "rev=main", "--contender", "rev=worktree"]
    text = clone.run("compare", spec, *sides, "--pairs", "2")
    assert "The contender is worse: RMSE " in text
    assert "the two sides fit different models" in text
    order = [
        line.split(": ")[1].split(" ")[0]
        for line in text.splitlines()
        if "pair " in line and ": ok after" in line
    ]
    turns = [order[at : at + 2] for at in range(0, len(order), 2)]
    assert [sorted(turn) for turn in turns] == [["baseline", "contender"]] * 2
    (page,) = (clone.run_dir / "reports").glob("compare-made-*.html")
    assert "The contender is worse" in page.read_text()
    (data,) = (clone.run_dir / "reports").glob("compare-made-*.json")
    found = json.loads(data.read_text())
    assert found["first"] == [turn[0] for turn in turns]
    assert sorted(found["first"]) == ["baseline", "contender"]
    assert found["environment"]["baseline"]["hash.code"] != found["environment"]["contender"]["hash.code"]
    assert [item["verdict"] for item in found["quality"]] == ["worse"]
    assert found["quality"][0]["users"] >= 30
    (top,) = clone.runs("made", "comparison")
    assert top.data.tags["recscale.quality"] == "worse"
    assert len(clone.runs("made", "comparison-side")) == 2

    # Everything was measured: nothing runs, the same is said.
    again = clone.run("compare", spec, *sides, "--pairs", "2")
    assert "2 measured before and kept" in again
    assert "ok after" not in again
    assert "The contender is worse: RMSE " in again
    assert len(clone.runs("made", "comparison")) == 1
    assert clone.processes() == []
