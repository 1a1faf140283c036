"""Export of what lists are made from, with the keys of items and the histories of users."""

from pathlib import Path

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.engine.list_files import Filed, write
from jobs.engine.lists import Known
from jobs.engine.neighbours import Csr
from jobs.engine.personal import NO_HISTORIES
from jobs.prepare.stored import Tables


def write_lists(
    known: Known, histories: DataFrame | None, tables: Tables, path: Path, about: tuple[str, str]
) -> str:
    """Write the file that `jobs.engine.list_files` reads; its arrays pass through the driver's memory. Returns its version.

    Args:
        known: what lists are made from.
        histories: (user int, history array<int>, rest array<float>); None: all that people did is in the tables of events.
        tables: with the keys.
        path: of the file.
        about: names of the model and of the data set.
    """
    items = [row["key"] for row in tables.items.select("item", "key").orderBy("item").collect()]
    users: list[str] = []
    matrix = NO_HISTORIES
    if histories is not None:
        rows = (
            histories.join(tables.users.select("user", "key"), "user")
            .select("key", F.col("history"), F.col("rest"))
            .orderBy("user")
            .toPandas()
        )
        users = rows["key"].tolist()
        ends = np.concatenate([[0], np.cumsum([len(row) for row in rows["history"]], dtype=np.int64)])
        places, values = (np.concatenate([*rows[name], np.zeros(0)]) for name in ("history", "rest"))
        matrix = Csr(ends, places.astype(np.int32), values.astype(np.float32))
    return write(path, Filed(known, items, users, matrix, about[0], "", about[1]))
