"""Removes what was generated, and only that."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from cluster.errors import ServiceError
from cluster.lock import LOCK
from cluster.settings import ROOT

DOWNLOADED = frozenset({"data", "jars"})


@dataclass(frozen=True)
class Removed:
    """One thing that was in the folder, and its size in bytes."""

    path: Path
    size: int


def sweep(run_dir: Path, *, everything: bool) -> list[Removed]:
    """Empty the folder of generated things; what was downloaded stays unless `everything` is to go.

    Raises:
        ServiceError: the folder is not one that was filled here, or something in it cannot be removed.
    """
    if not run_dir.exists():
        return []
    if run_dir != ROOT / ".run" and not (run_dir / LOCK).exists():
        raise ServiceError(
            f"{run_dir} does not look like a folder that was filled here; nothing was removed from it"
        )
    removed = []
    for path in sorted(run_dir.iterdir()):
        if path.name == LOCK or (path.name in DOWNLOADED and not everything):
            continue
        size = _size(path)
        try:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        except OSError as error:
            raise ServiceError(f"{path} cannot be removed: {error.strerror}; remove it by hand") from error
        removed.append(Removed(path, size))
    return removed


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() and not path.is_symlink() else [path]
    return sum(file.lstat().st_size for file in files if not file.is_dir())
