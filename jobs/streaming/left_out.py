"""Messages of a micro-batch that a table did not take, from the offsets in the files that it wrote.

Two columns of a few files are read in milliseconds. To look for a few bad messages among all by parsing them again takes as long as
the batch itself.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import Column
from pyspark.sql import functions as F

from jobs.streaming.offsets import Range

_MOST = 5_000
"""Offsets that a condition names one by one. Where there are more, parsing everything again takes no longer."""


class LeftOut(NamedTuple):
    """Place of messages: ranges that hold them all, and a condition on (partition, offset) that only they meet; None for no condition."""

    ranges: Sequence[Range]
    condition: Column | None


def left_out(ranges: Sequence[Range], files: Iterable[Path], most: int = _MOST) -> LeftOut:
    """Return the messages of a batch that are in none of the files.

    Args:
        ranges: offsets of the batch, of one topic.
        files: Parquet files with the columns partition and offset.
        most: offsets that a condition may name.
    """
    held = [pq.read_table(file, columns=["partition", "offset"]) for file in files]
    rows = pa.concat_tables(held) if held else pa.table({"partition": [], "offset": []})
    partition, offset = (rows[name].to_numpy() for name in ("partition", "offset"))
    missing = {
        one: np.setdiff1d(np.arange(one.first, one.end), offset[partition == one.partition]) for one in ranges
    }
    missing = {one: offsets for one, offsets in missing.items() if offsets.size}
    around = [
        Range(one.topic, one.partition, int(offsets[0]), int(offsets[-1]) + 1)
        for one, offsets in missing.items()
    ]
    if not 0 < sum(offsets.size for offsets in missing.values()) <= most:
        return LeftOut(around, None)
    parts = (
        f"(partition = {one.partition} AND offset IN ({','.join(f'{each}L' for each in offsets)}))"
        for one, offsets in missing.items()
    )
    return LeftOut(around, F.expr(" OR ".join(parts)))
