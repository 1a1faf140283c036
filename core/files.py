"""Atomic writing of files: whole or not at all, also with several writers."""

import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any


def write_text(path: Path, text: str) -> None:
    """Write text as `write_whole` writes a file."""
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8", newline=""))


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Have a file written under a unique temporary name and rename it, so that readers never see a part of it.

    Args:
        path: of the file, which is replaced if it is there.
        write: writes it under the name that it is given, in the same folder.
    """
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())  # a crash of the machine could leave an empty file
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write JSON as `write_text` does; a value that JSON cannot express leaves the file unchanged."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True) + "\n")


def make_once(path: Path, make: Callable[[Path], None]) -> None:
    """Have a file made that gets the name `path` when it is whole; one of that name stays as it is.

    Several processes may do so at once: all then use the file of the first, which may be open by now. What an
    interruption leaves has another name.

    Args:
        path: of the file.
        make: makes it under the name that it is given, in a folder of its own beside `path`.
    """
    if path.exists():
        return
    with TemporaryDirectory(dir=path.parent, prefix=f"{path.name}.") as folder:
        begun = Path(folder) / path.name
        make(begun)
        try:
            path.hardlink_to(begun)
        except FileExistsError:  # another process has made one meanwhile
            pass
        except OSError:  # no hard links here
            begun.rename(path)


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the mapping in a JSON file, for files that can be made again; None if it is missing or damaged."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
