"""What `make` hands on: every variable's value as it was typed. A stand-in for Python notes what it is called with."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from cluster.configuration import load
from cluster.settings import ROOT

# What shells and make's own functions take for something else.
AWKWARD = """ it's "two" words; $$HOME #1, (a) `b` *&|\\"""
READ = AWKWARD.replace("$$", "$")  # make's way to write a dollar
FLAGS = {
    "VALIDATE": "--validate",
    "DRAIN": "--drain",
    "PARTITIONS": "--partitions",
    "ALLOW_MODEL_CHANGE": "--allow-model-change",
}
FURTHER = {
    "doctor": {"BACKEND", "WORKERS", "CORES", "MEMORY", "CASSANDRA", "RF"},
    "compose": {"WORKERS", "CORES", "MEMORY", "CASSANDRA", "RF"},
    "preprocess": {"WORKERS", "CORES", "MEMORY"},
    "eda": {"WORKERS", "CORES", "MEMORY"},
    "experiment": {"APPLICATIONS", "REPEATS"},
    "plan": {"APPLICATIONS"},
    "gate": {"SET"},
    "demo": {"BACKEND", "STORE", "HOST"},
}

STUB = """#!{python}
import json, os, sys
named = {{name: value for name, value in os.environ.items() if name.startswith("RECSCALE_")}}
with open("calls", "a") as out:
    print(json.dumps([sys.argv[1:], named]), file=out)
"""


class Clone:
    """A folder with the Makefile, in which nothing is installed and every Python is the stand-in."""

    def __init__(self, folder):
        self.folder = folder / "a clone"
        (self.folder / ".venv" / "bin").mkdir(parents=True)
        shutil.copy(ROOT / "Makefile", self.folder)
        (self.folder / "setup.sh").write_text("exit 0\n")
        (self.folder / ".venv" / "bin" / "python").write_text(STUB.format(python=sys.executable))
        (self.folder / ".venv" / "bin" / "python").chmod(0o755)

    def make(self, *words, code=0, **environ):
        """Return the arguments of the last Python that was called, and what it was told by RECSCALE_*."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("RECSCALE_", "MAKE"))
        }
        done = subprocess.run(
            ["make", *words], cwd=self.folder, env={**kept, **environ}, capture_output=True, text=True, check=False
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        calls = self.folder / "calls"
        return json.loads(calls.read_text().splitlines()[-1]) if calls.exists() else None


@pytest.fixture
def clone(tmp_path):
    return Clone(tmp_path)


def variables():
    """The targets that take variables, with their names: those of `make help`, and those that it does not list."""
    found = {}
    for line in (ROOT / "Makefile").read_text().splitlines():
        if target := re.match(r"([a-z-]+):.*## (.*)", line):
            named = set(re.findall(r"\b([A-Z_]+)=", target[2])) | FURTHER.get(target[1], set())
            if named and target[1] != "test" and target[1] != "test-all":
                found[target[1]] = named
    return found


TARGETS = variables()


@pytest.mark.parametrize("target", TARGETS)
def test_every_value_arrives_as_it_was_typed(clone, target):
    names = TARGETS[target]
    argv, named = clone.make(target, *(f"{name}={1 if name in FLAGS else name + AWKWARD}" for name in names))
    for name in names:
        if name in FLAGS:
            assert FLAGS[name] in argv
        else:
            value = name + READ
            where = f"{clone.folder}/{value}" if name == "DATA" else value
            assert where in named.values() or any(
                word == value or word.endswith("=" + value) for word in argv
            ), (name, argv, named)


@pytest.mark.parametrize("target", ["setup", "demo", "preprocess", "doctor", "compose"])
def test_variables_of_the_environment_do_not_count(clone, target):
    outside = {name: "outside" for names in TARGETS.values() for name in names}
    assert "outside" not in json.dumps(clone.make(target, **outside))


def test_a_required_variable_is_asked_for(clone):
    assert clone.make("train", "MODEL=als", code=2) is None


@pytest.mark.parametrize("given", ["/my data/it's here", "my data/it's here", "~/my data"])
def test_a_data_folder_with_blanks_is_the_one_that_is_looked_into(clone, given):
    _, named = clone.make("preprocess", f"DATA={given}")
    wanted = {
        "/": given,
        "m": str(clone.folder / given),
        "~": os.path.expanduser(given),  # noqa: PTH111 - as a shell would
    }[given[0]]
    assert str(load([], dict(named)).data) == wanted


def test_a_set_of_several_is_one_text(clone):
    argv, _ = clone.make("train", "MODEL=als", "DATASET=file/csv", "SET=model.rank=3 data.path='/my data'")
    assert argv[-1] == "--sets=model.rank=3 data.path='/my data'"
    assert argv[:5] == ["-m", "experiments", "train", "--model=als", "--dataset=file/csv"]


def test_preprocess_has_a_data_set_of_its_own(clone):
    argv, named = clone.make("preprocess")
    assert argv == ["-m", "experiments", "preprocess", "--dataset=movielens/1m"]
    assert named == {}
