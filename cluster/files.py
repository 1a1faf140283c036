"""Files that are written whole or not at all, whatever ends the process or how many write at once."""

import json
import os
import secrets
from pathlib import Path
from typing import Any


def write_text(path: Path, text: str) -> None:
    """Write text under a temporary name of its own and rename it, so that a reader never sees half of it."""
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        with temporary.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())  # else a machine that stops may keep the new name of an empty file
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write JSON as `write_text` does; what does not become JSON leaves the file as it was."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True) + "\n")
