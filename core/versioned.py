"""JSON files that outlive the version of this project that wrote them.

Each says in what format it was written. An older one is upgraded as it is read, step by step; one of a newer version and
one that is damaged are errors; whoever reads many files leaves these out and says so.

A field that comes, goes or changes its meaning makes a new format of a kind of file, with a step that upgrades the last one.
"""

import functools
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from core.errors import UnreadableError
from core.files import write_json

logger = logging.getLogger(__name__)

FORMAT = "format"
"""Key of the version in each file; a file without it is of version 0, which had none."""

Upgrade = Callable[[dict[str, Any]], dict[str, Any]]
Made = TypeVar("Made")


@dataclass(frozen=True)
class Kind:
    """One kind of file.

    Attributes:
        what: it is, for people: "the outcome of a trial".
        upgrades: the step from each version to the next, in order; their number is the version that is written.
        remedy: what to do about a damaged one, as a sentence.
    """

    what: str
    upgrades: tuple[Upgrade, ...]
    remedy: str

    @property
    def version(self) -> int:
        """The version that is written."""
        return len(self.upgrades)

    def write(self, path: Path, values: Mapping[str, Any]) -> None:
        """Write a file whole or not at all."""
        write_json(path, self.stamped(values))

    def stamped(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is written for these values."""
        return {FORMAT: self.version, **values}

    def read(self, path: Path, make: Callable[[dict[str, Any]], Made]) -> Made:
        """Return what `make` makes of a file's values, upgraded.

        Raises:
            FileNotFoundError: there is no such file.
            UnreadableError: it is damaged, or of a newer version.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            found = values.pop(FORMAT, 0)
            if found in range(self.version + 1):
                for upgrade in self.upgrades[found:]:
                    values = upgrade(values)
                return make(values)
        except FileNotFoundError:
            raise
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            cause = f"{type(error).__name__}: {error}"
            raise UnreadableError(path, f"cannot be read as {self.what} ({cause}). {self.remedy}") from error
        raise UnreadableError(
            path,
            f"is {self.what} of format {found!r}, and this version of recscale reads formats up to {self.version}: use the newer "
            "version that wrote it, or another run folder (RECSCALE_RUN_DIR=/folder)",
        )

    def read_if(self, path: Path, make: Callable[[dict[str, Any]], Made]) -> Made | None:
        """Return what `read` returns; None if there is no such file, or none that reads, which a person is told once."""
        try:
            return self.read(path, make)
        except FileNotFoundError:
            return None
        except UnreadableError as error:
            left_out(error)
            return None


def unchanged(values: dict[str, Any]) -> dict[str, Any]:
    """Upgrade nothing: the next version has the same fields."""
    return values


@functools.cache
def _tell(text: str) -> None:
    logger.error("left out: %s", text)


def left_out(error: UnreadableError) -> None:
    """Tell a person once that a file is left out of what is done."""
    _tell(str(error))
