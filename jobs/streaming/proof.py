"""Proof that a message holds just what Spark's parser found in it.

A message whose fields, put together in their order, give its bytes again holds nothing else: a quotation mark or a backslash within a
text stands in the message behind a backslash, which the text has not. One with a backslash may be what Spark would write. Others, with
spaces or another order, may have a proof from counts.

`from_json` takes a number for a text, drops fields that the schema does not know, does not look at what follows the object and repairs
bytes that are not UTF-8. In a text without a backslash every quotation mark begins or ends a name or a text. Then as many colons as
fields were found, two quotation marks for each name and each text, a bracket for each list, and one closing brace, at the end, leave
no room for anything else. Many good messages have no such proof (a colon in a title suffices): they are looked at closely.
"""

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import add, and_

from pyspark.sql import Column
from pyspark.sql import functions as F


def proven(text: Column, raw: Column, fields: Column, kinds: Mapping[str, str]) -> Column:
    """Whether the text is one object of the fields that were found, each of its type, in UTF-8; never null.

    Args:
        text: of the message.
        raw: its bytes.
        fields: struct of what was found in it.
        kinds: JSON type of each field.
    """
    texts = [name for name, kind in kinds.items() if kind == "string"]
    lists = [name for name, kind in kinds.items() if kind == "array"]
    found = _sum(_is_there(fields[name]) for name in kinds)
    of_texts = _sum(_is_there(fields[name]) for name in texts)
    entries = _sum(F.greatest(F.size(fields[name]), F.lit(0)) for name in lists)
    together = F.coalesce(_together(fields, kinds) == text, F.lit(False))
    escaped = F.contains(text, F.lit("\\"))
    same = reduce(
        and_, _of_its_type(fields, kinds), escaped & F.coalesce(F.to_json(fields) == text, F.lit(False))
    )
    counts = (
        (_count(text, ":") == found)
        & (_count(text, '"') == (found + of_texts + entries) * 2)
        & (_count(text, r"\[") == _sum(_is_there(fields[name]) for name in lists))
        & (_count(text, "}") == 1)
    )
    counted = ~escaped & text.endswith("}") & utf8(raw) & counts
    return F.when(together | same, F.lit(True)).otherwise(F.coalesce(counted, F.lit(False)))


def _of_its_type(fields: Column, kinds: Mapping[str, str]) -> Iterable[Column]:
    """Yield whether there is nothing that Spark writes as it was read although it is of another type: a null in a list, "NaN"."""
    for name, kind in kinds.items():
        if kind == "array":
            yield ~F.coalesce(F.exists(fields[name], lambda one: one.isNull()), F.lit(False))
        elif kind == "number":
            yield F.coalesce(F.abs(fields[name]) < F.lit(float("inf")), F.lit(True))


def _together(fields: Column, kinds: Mapping[str, str]) -> Column:
    """Return the fields that are there as one object, without spaces and as they are; null without the first of them.

    `to_json` would escape what must be, which takes longer.
    """
    (first, *others) = (_named(name, fields[name], kind) for name, kind in kinds.items())
    comma, none = F.lit(","), F.lit("")
    rest = (F.coalesce(F.concat(comma, one), none) for one in others)
    return F.concat(F.lit("{"), first, *rest, F.lit("}"))


def _named(name: str, value: Column, kind: str) -> Column:
    """Return a field with its name; null if it is not there."""
    quote = F.lit('"')
    if kind == "string":
        shown = F.concat(quote, value, quote)
    elif kind == "array":
        listed = F.concat(F.lit('["'), F.array_join(value, '","'), F.lit('"]'))
        shown = F.when(F.size(value) == 0, F.lit("[]")).otherwise(listed)
    else:
        shown = value.cast("string")
    return F.concat(F.lit(f'"{name}":'), shown)


def utf8(raw: Column) -> Column:
    """Whether bytes are UTF-8."""
    return F.encode(F.decode(raw, "UTF-8"), "UTF-8") == raw


def _count(text: Column, sign: str) -> Column:
    """Return how often a sign is in a text. Java splits at a single sign faster than it replaces one."""
    return F.size(F.split(text, sign)) - 1


def _is_there(value: Column) -> Column:
    return value.isNotNull().cast("int")


def _sum(numbers: Iterable[Column]) -> Column:
    return reduce(add, numbers, F.lit(0))
