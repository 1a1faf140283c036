"""Hashes of what a measurement depends on, so that a finished trial counts only while nothing changed."""

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from cluster.settings import ROOT
from core.plugins import further
from jobs.stores import STORES

_PACKAGES = ("jobs", "datasets", "core")


def hash_files(paths: Iterable[Path], root: Path = ROOT) -> str:
    """Hash names and contents, whatever the order in which the paths come."""
    total = hashlib.sha256()
    for path in sorted(set(paths)):
        total.update(f"{path.relative_to(root)}\0".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def sources_hash(root: Path) -> str:
    """Hash of the sources of `jobs`, `datasets` and `core` in a clone, and of plug-ins, as they are now."""
    own = hash_files((path for package in _PACKAGES for path in (root / package).rglob("*.py")), root)
    return own + _plugins_hash()


@cache
def code_hash() -> str:
    """Hash of this clone's sources that run inside a Spark application, as they were when it was first asked for."""
    return sources_hash(ROOT)


@cache
def lock_hash() -> str:
    """Hash of `requirements.lock`."""
    return hash_files([ROOT / "requirements.lock"])


@cache
def preprocess_hash(store: str) -> str:
    """Hash of the sources that preprocessing into a store imports, so that a change to a model does not prepare data anew.

    The store and the session are not imported by the job, which is handed both; they say how tables are laid out.
    """
    modules = ("jobs.apps.preprocess", "jobs.runtime.session", STORES.modules[store])
    return hash_files(path for module in modules for path in _imported(module)) + _plugins_hash()


def _plugins_hash() -> str:
    """Hash of the plug-ins outside this clone; empty without any."""
    folder = further()
    return hash_files(folder.rglob("*.py"), folder) if folder else ""


def files_at(path: Path) -> list[Path]:
    """Return the file, or all files in the folder and below; nothing if there is neither."""
    return [path] if path.is_file() else sorted(item for item in path.rglob("*") if item.is_file())


def stamp(path: Path) -> str:
    """Hash of names, sizes and change times of the files at `path`: notices input that was replaced."""
    lines = [
        f"{item.relative_to(path)} {item.stat().st_size} {item.stat().st_mtime_ns}" for item in files_at(path)
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _imported(start: str) -> set[Path]:
    """Files that a module of this project reaches by its imports; a plug-in folder that is imported counts whole."""
    found: set[Path] = set()
    waiting = [path for path in [_file(start)] if path]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        waiting += _targets(path)
        if path.name == "__init__.py" and "Plugins(__name__" in path.read_text(
            encoding="utf-8"
        ):  # a plug-in folder
            waiting += sorted(path.parent.glob("*.py"))
    return found


def _targets(path: Path) -> list[Path]:
    modules: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [found for name in modules if (found := _file(name))]


def _file(module: str) -> Path | None:
    if module.partition(".")[0] not in _PACKAGES:
        return None
    path = ROOT.joinpath(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None
