"""Git revision that can be run: a worktree, with the environment that its lock file asks for."""

import logging
import os
import shutil
import sys
from pathlib import Path

from cluster.settings import ROOT
from core.errors import UsageError
from experiments.run.launcher import Runtime, capture
from experiments.studies.compare.building import built

logger = logging.getLogger(__name__)

LOCK = "requirements.lock"
READY = ".ready"
_PYTHON = ".venv/bin/python"


def checked_out(rev: str, run_dir: Path, root: Path = ROOT) -> Runtime:
    """Return the runtime of a revision: its sources, with this environment if it locks the same packages, else its own.

    A finished worktree is used again; an unfinished one is removed, now or by the next call.

    Args:
        rev: anything that git takes for a commit.
        run_dir: gets the worktree, `worktrees/<commit>`.
        root: a clone of the project.

    Raises:
        UsageError: no such revision, no clone, or a revision that does not build.
    """
    commit = commit_of(rev, root)
    worktree = (run_dir / "worktrees" / commit[:16]).resolve()
    ready = worktree.with_name(worktree.name + READY)
    if not ready.exists() or not worktree.is_dir():
        _remove(worktree, root)
        logger.info("checking out %s (%s) in %s", rev, commit[:10], worktree)
        try:
            _make(worktree, commit, rev, root)
        except BaseException:
            _remove(worktree, root)
            raise
        ready.touch()
    return Runtime(worktree, _python(worktree, root))


def commit_of(rev: str, root: Path = ROOT) -> str:
    """Return the commit that a revision names.

    Raises:
        UsageError: there is none, or no git clone.
    """
    if _git(root, "rev-parse", "--git-dir") is None:
        raise UsageError(
            f"{root} is not a git clone, so no revision can be taken from it; compare parameters or packages instead"
        )
    commit = (
        None if rev.startswith("-") else _git(root, "rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}")
    )
    if not commit:
        branches = (_git(root, "branch", "--all", "--format=%(refname:short)") or "").split()
        near = f"; branches here: {', '.join(branches[:8])}" if branches else ""
        raise UsageError(f"git knows no revision {rev!r} (git log --oneline lists commits{near})")
    return commit


def same_packages(worktree: Path, root: Path = ROOT) -> bool:
    """Whether a tree locks the packages that this one locks, so that this environment serves both."""
    try:
        return (worktree / LOCK).read_bytes() == (root / LOCK).read_bytes()
    except OSError:
        return False


def _make(worktree: Path, commit: str, rev: str, root: Path) -> None:
    worktree.parent.mkdir(parents=True, exist_ok=True)
    log = worktree.with_name(worktree.name + ".log")
    # Hooks of the clone are for people's own checkouts.
    add = [
        "git",
        "-C",
        str(root),
        "-c",
        "core.hooksPath=/dev/null",
        "worktree",
        "add",
        "--detach",
        str(worktree),
        commit,
    ]
    built(add, root, log, os.environ, f"checking out {rev}")
    for needed in ("jobs/__main__.py", LOCK):
        if not (worktree / needed).is_file():
            raise UsageError(f"revision {rev} has no {needed}: it is too old to be run by this harness")
    if same_packages(worktree, root):
        return
    logger.info("building the environment of %s, which locks other packages (setup.sh, takes minutes)", rev)
    kept_out = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "MAKELEVEL")
    environment = {key: value for key, value in os.environ.items() if key not in kept_out}
    built(["bash", "setup.sh"], worktree, log, environment, f"setup.sh of revision {rev}")
    if not (worktree / _PYTHON).exists():
        raise UsageError(
            f"setup.sh of revision {rev} left no {_PYTHON}: it is too old to be run by this harness"
        )


def _python(worktree: Path, root: Path) -> str:
    own = worktree / _PYTHON
    return sys.executable if same_packages(worktree, root) or not own.exists() else str(own)


def _remove(worktree: Path, root: Path) -> None:
    """Remove a worktree, both its folder and git's entry of it."""
    worktree.with_name(worktree.name + READY).unlink(missing_ok=True)
    _git(root, "worktree", "remove", "--force", "--force", str(worktree))
    shutil.rmtree(worktree, ignore_errors=True)
    _git(root, "worktree", "prune")


def _git(root: Path, *words: str) -> str | None:
    return capture(["git", "-C", str(root), *words], timeout_s=60.0)
