"""Brings both sides' code and packages together before anything is timed."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster.settings import ROOT
from core.errors import UsageError
from experiments.run.environment import PACKAGES
from experiments.run.identity import hash_files, sources_hash
from experiments.run.launcher import HERE, Runtime, capture
from experiments.studies.compare.packages import replaced, version_of
from experiments.studies.compare.revisions import LOCK, checked_out, commit_of
from experiments.studies.compare.sides import Side

_FIELDS = "import dataclasses, json; from jobs.runtime.request import Request; print(json.dumps([f.name for f in dataclasses.fields(Request)]))"


@dataclass(frozen=True)
class Ready:
    """A side that can run.

    Attributes:
        code, lock: hashes of its sources and of its packages, as in a trial's key.
        described: what the record says of its code and packages in place of this clone's.
    """

    side: Side
    runtime: Runtime
    code: str
    lock: str
    described: dict[str, Any] = field(default_factory=dict)


def ready(side: Side, run_dir: Path) -> Ready:
    """Check out and build what a side needs.

    Raises:
        UsageError: a revision or a package that is not there or does not build.
    """
    runtime, described = HERE, {}
    if side.rev is not None:
        runtime = checked_out(side.rev, run_dir)
        described = {"git.commit": commit_of(side.rev), "git.dirty": False}
    if side.package is not None:
        runtime = Runtime(runtime.root, replaced(side.package, run_dir, runtime.python))
    described |= _versions(runtime)
    lock = hash_files([runtime.root / LOCK], runtime.root) + (side.package or "")
    code = code_of(runtime)
    described |= {"hash.code": code[:16], "hash.lock": lock[:16]}
    runtime = dataclasses.replace(runtime, understands=_fields(side, runtime))
    return Ready(side, runtime, code, lock, described)


def code_of(runtime: Runtime) -> str:
    """Hash the sources that run inside an application, as they are now."""
    return sources_hash(runtime.root)


def _versions(runtime: Runtime) -> dict[str, Any]:
    if runtime.python == HERE.python:
        return {}
    found = {f"version.{name}": version_of(runtime.python, name) for name in PACKAGES}
    ours = version_of(HERE.python, "pyspark")
    if found["version.pyspark"] != ours:
        raise UsageError(
            f"the revision runs on pyspark {found['version.pyspark']} and the cluster on {ours}: a driver of another "
            "version does not fit master and workers. Measure each revision on a cluster of its own clone"
        )
    return found


def _fields(side: Side, runtime: Runtime) -> frozenset[str] | None:
    """Ask a side's sources what a request may say; older ones know fewer words."""
    if runtime.root == ROOT:
        return None
    text = capture(
        ["env", f"PYTHONPATH={runtime.root}", runtime.python, "-P", "-c", _FIELDS], timeout_s=120.0
    )
    if text is None:
        raise UsageError(
            f"the sources of {side.words} cannot be imported by {runtime.python}; they do not build"
        )
    return frozenset(json.loads(text.splitlines()[-1]))
