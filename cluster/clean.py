"""Remove generated files, and only these."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from cluster.settings import ROOT
from core.errors import ServiceError
from core.lock import LOCK

DOWNLOADED = frozenset({"data", "jars"})


@dataclass(frozen=True)
class Removed:
    """File or folder that was removed, with its size in bytes."""

    path: Path
    size: int


def sweep(run_dir: Path, *, everything: bool) -> list[Removed]:
    """Empty the run folder; downloads stay unless `everything` is true.

    Raises:
        ServiceError: the folder was not made by recscale, or a file cannot be removed.
    """
    if not run_dir.exists():
        return []
    if run_dir != ROOT / ".run" and not (run_dir / LOCK).exists():
        raise ServiceError(
            f"{run_dir} has no {LOCK}, so it may not be a run folder of recscale, and nothing was removed; "
            "check RECSCALE_RUN_DIR, or remove the folder by hand"
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
