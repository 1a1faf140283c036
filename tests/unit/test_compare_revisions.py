"""Revisions in a real git repository; which packages may be replaced."""

import re
import subprocess
import sys

import pytest

from core.errors import UsageError
from experiments.studies.compare import revisions
from experiments.studies.compare.packages import pin_of
from experiments.studies.compare.revisions import checked_out, commit_of

AUTHOR = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
SETUP = "mkdir -p .venv/bin && ln -s $(command -v sh) .venv/bin/python && echo built >>built\n"


class Clone:
    """A small project under git."""

    def __init__(self, folder):
        self.root = folder / "clone"
        self.run = folder / "run"
        self.root.mkdir()
        self.git("init", "-q", "-b", "main")
        self.commit("jobs/__main__.py", "print('one')\n", "requirements.lock", "a==1\n", "setup.sh", SETUP)

    def git(self, *words):
        done = subprocess.run(
            ["git", "-C", str(self.root), *AUTHOR, *words], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, *files):
        for name, text in zip(files[::2], files[1::2], strict=True):
            path = self.root / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "more")
        return self.git("rev-parse", "HEAD")

    def out(self, rev):
        return checked_out(rev, self.run, self.root)

    def left(self):
        """Worktrees that git knows of or that lie there."""
        known = self.git("worktree", "list", "--porcelain").count("worktree ") - 1
        folder = self.run / "worktrees"
        there = [path for path in folder.iterdir() if path.is_dir()] if folder.exists() else []
        return known, len(there)


@pytest.fixture
def clone(tmp_path):
    return Clone(tmp_path)


def test_a_revision_runs_its_own_sources_with_this_python_where_packages_are_the_same(clone, caplog):
    first = clone.git("rev-parse", "HEAD")
    clone.commit("jobs/__main__.py", "print('two')\n")
    found = clone.out(first)
    assert (found.root / "jobs" / "__main__.py").read_text() == "print('one')\n"
    assert found.python == sys.executable
    assert clone.out("HEAD~1") == found
    assert len(caplog.messages) == 1  # the second time it was there
    assert clone.left() == (1, 1)


def test_other_packages_get_an_environment_of_their_own_by_the_revisions_own_setup(clone, caplog):
    old = clone.git("rev-parse", "HEAD")
    clone.commit("requirements.lock", "a==2\n")
    found = clone.out(old)
    assert found.python == str(found.root / ".venv" / "bin" / "python")
    assert clone.out(old) == found
    assert (found.root / "built").read_text() == "built\n"
    assert "takes minutes" in caplog.messages[1]


def test_a_revision_that_does_not_build_is_refused_and_leaves_nothing(clone):
    old = clone.commit("setup.sh", "echo no such package: a==3; exit 7\n", "requirements.lock", "a==3\n")
    clone.commit("requirements.lock", "a==1\n")
    with pytest.raises(UsageError, match=rf"setup\.sh.*{old[:7]}.*exit code 7\b[\s\S]*no such package: a==3"):
        clone.out(old)
    assert clone.left() == (0, 0)
    with pytest.raises(UsageError, match="exit code 7"):
        clone.out(old)  # nothing of it was taken for whole


def test_a_build_that_is_interrupted_leaves_nothing(clone, monkeypatch):
    clone.commit("requirements.lock", "a==2\n")

    def interrupted(line, *_):
        if "building" in line:
            raise KeyboardInterrupt

    monkeypatch.setattr(revisions.logger, "info", interrupted)
    with pytest.raises(KeyboardInterrupt):
        checked_out("HEAD~1", clone.run, clone.root)
    assert clone.left() == (0, 0)


def test_a_worktree_that_was_left_half_made_is_made_anew(clone):
    found = clone.out("HEAD")
    found.root.with_name(found.root.name + ".ready").unlink()  # as a killed process leaves it
    (found.root / "jobs" / "__main__.py").unlink()
    assert (clone.out("HEAD").root / "jobs" / "__main__.py").exists()
    assert clone.left() == (1, 1)


@pytest.mark.parametrize("rev", ["no-such-branch", "--force", "v9.9", ""])
def test_a_revision_that_nobody_knows_is_named(clone, rev):
    with pytest.raises(UsageError, match=rf"no revision {re.escape(repr(rev))}.*: main"):
        clone.out(rev)
    assert clone.left() == (0, 0)


@pytest.mark.parametrize("what", ["jobs", "requirements.lock"])
def test_a_revision_from_before_the_jobs_or_the_pins_is_refused(clone, what):
    clone.git("rm", "-q", "-r", what)
    clone.git("commit", "-q", "-m", "without")
    with pytest.raises(UsageError, match=f"has no {what}.*too old"):
        clone.out("HEAD")
    assert clone.left() == (0, 0)


def test_without_git_there_are_no_revisions(tmp_path):
    with pytest.raises(UsageError, match=re.escape(str(tmp_path))):
        commit_of("main", tmp_path)


@pytest.mark.parametrize(
    ("package", "says"),
    [
        ("pyarrow", "NAME==VERSION"),
        ("pyarrow>=25", "NAME==VERSION"),
        ("--index-url==1", "NAME==VERSION"),
        ("pyarow==25.0.1", "'pyarrow'"),
        ("pyspark==3.5.8", "master and workers run it too"),
    ],
)
def test_packages_that_cannot_be_replaced(package, says):
    with pytest.raises(UsageError, match=says):
        pin_of(package)
