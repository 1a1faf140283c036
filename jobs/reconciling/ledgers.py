"""Offsets that brokers acknowledged to producers, from the producers' ledgers."""

from collections.abc import Iterable
from pathlib import Path

from core.errors import DataError
from datasets.sending import ledger
from jobs.reconciling.offsets import Place, Ranges
from jobs.reconciling.placed import joined


def acknowledged(files: Iterable[Path]) -> dict[Place, Ranges]:
    """Return the offsets that these ledgers hold together.

    Raises:
        DataError: a ledger is not there, or a line of it does not read.
    """
    return joined(_of(path) for path in files)


def _of(path: Path) -> dict[Place, Ranges]:
    try:
        found = ledger.read(path)
    except OSError as error:
        raise DataError(
            f"the ledger {path} does not read: {error.strerror or error}. Name the file that python -m datasets produce --ledger "
            "wrote"
        ) from None
    return {Place(*key): Ranges.of((first, last + 1) for first, last in ranges) for key, ranges in found.items()}
