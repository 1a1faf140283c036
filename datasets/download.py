"""Brings publishers' archives here."""

from pathlib import Path

from datasets.errors import DataError
from datasets.source import Variant


def locate(variant: Variant, data: Path | None, cache: Path) -> Path:
    """Return the unpacked folder of a variant, from `data` or `cache`."""
    for root in (data, cache):
        if root is not None and (root / variant.folder).is_dir():
            return root / variant.folder
    raise DataError(f"{variant.folder} is neither in {data} nor in {cache}")
