"""Reads a person's file as Spark's tasks do, in this process and without a JVM."""

import pyarrow as pa
from pyspark.sql.pandas.types import to_arrow_schema

from datasets.dataset import find
from datasets.formats.csv_table import cut, read_block
from datasets.source import RECORDS, Example
from datasets.sources.csv import table_of

R = {"rating": "rating"}


def write(path, content, written="utf-8"):
    """Write a file of text in an encoding, or of bytes as they are."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode(written))
    return path


def table(path, **options):
    """Find out how a file is read."""
    dataset = find("csv", {"path": str(path), **options})
    found = dataset.fetch(None, path.parent)
    dataset.check(found)
    return table_of(dataset.options, found)[0]


def records(path, size=None, **options):
    """Every record of a file that is cut into blocks of a size, as mappings of the schema RECORDS."""
    made = table(path, **options)
    grammar = made.grammar
    batches = [read_block(made, grammar, line, text) for line, text in cut(made, size)]
    return pa.Table.from_batches(batches, schema=to_arrow_schema(RECORDS)).to_pylist()


def rows(path, **options):
    """The good rows of a file: (user, item, rating, seconds since 1970)."""
    return [
        (row["user"], row["item"], row["rating"], row["at"] and row["at"].timestamp())
        for row in records(path, **options)
        if row["reason"] is None
    ]


def rejected(path, **options):
    """The rejected lines of a file: (line, text, reason)."""
    return [
        (row["line"], row["text"], row["reason"])
        for row in records(path, **options)
        if row["reason"] is not None
    ]


def advice(path, reason, text, line=2, **options):
    """What a person is advised to do about a rejected line of a file."""
    dataset = find("csv", {"path": str(path), **options})
    return dataset.advise(path, [Example(reason, 1, path.name, line, text)])
