"""Write access of the containers' user to folders of this account, if the two differ."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def give_access(paths: Iterable[Path], user: int, *, whole: bool = True) -> None:
    """Make missing folders and, if this process runs as root, give these paths to a user.

    Args:
        paths: folders; one that does not exist is made.
        user: number of the user, and of its group.
        whole: with everything below.
    """
    for path in paths:
        if not path.exists():
            path.mkdir(parents=True, exist_ok=True)
        if os.geteuid() != 0:
            continue
        _give(path, user)
        for folder, folders, files in os.walk(path) if whole else ():
            for name in (*folders, *files):
                _give(Path(folder) / name, user)


def give_files(paths: Iterable[Path], user: int) -> None:
    """Give files to a user if this process runs as root; one that is gone by now, such as a database's journal, stays so."""
    for path in paths if os.geteuid() == 0 else ():
        _give(path, user)


def _give(path: Path, user: int) -> None:
    with suppress(FileNotFoundError):  # removed meanwhile by another process
        if path.lstat().st_uid != user:
            os.chown(path, user, user, follow_symlinks=False)
