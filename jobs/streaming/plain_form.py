"""Plain form of messages: one regular expression that proves what a text holds, and takes its fields out in the same go.

A message has the plain form if it is one object with fields of the schema in the schema's order, each of its type, without
escapes in texts and exponents in numbers: what an encoder writes that follows the schema. Java matches it in a tenth of the time
that Spark's JSON parser needs, and nothing can stand in it unseen. Every other message is parsed as JSON and looked at closely.
"""

import re
from collections.abc import Mapping

from pyspark.sql import Column
from pyspark.sql import functions as F

_MARK = "\x01"
"""Stands between fields that were taken out; no text in JSON holds it unescaped."""

_TEXT = r"[ !#-\[\]-\x{fffc}\x{10000}-\x{10ffff}]*+"
"""All but quotation marks, backslashes, control characters and U+FFFD, which Java makes of bytes that are not UTF-8. Ranges are
what Java's patterns are quick at; the same as a negated list takes three times as long."""

_LIST = rf'\[(?:"{_TEXT}"(?:, ?"{_TEXT}")*+)?+\]'
_TYPES = {
    "integer": r"-?(?:0|[1-9]\d{0,17}+)",
    "number": r"-?(?:0|[1-9]\d{0,17}+)(?:\.\d{1,20}+)?+",
    "boolean": "true|false",
    "array": _LIST,
}
_SPARKS = {"integer": "bigint", "number": "double", "boolean": "boolean"}


class PlainForm:
    """Plain form of a topic's messages.

    Args:
        kinds: JSON type of each field by name, in the schema's order.
        required: names of fields that no message lacks. The first field must be one, else no message has the plain form.
    """

    def __init__(self, kinds: Mapping[str, str], required: list[str]) -> None:
        self._kinds, self._required = kinds, required

    def parts(self, text: Column) -> Column:
        """Return the fields' texts of a message in the plain form, and the whole text alone of another."""
        fields = "".join(f"{_MARK}${number}" for number in range(1, len(self._kinds) + 1))
        taken = F.regexp_replace(text, F.lit(self._pattern()), F.lit(fields))
        return F.split(taken, _MARK)

    def proven(self, parts: Column) -> Column:
        """Whether a message has the plain form."""
        return F.size(parts) == len(self._kinds) + 1

    def fields(self, parts: Column) -> Column:
        """Return the fields of a message in the plain form as a struct; those that it lacks are null."""
        return F.struct(
            *(
                self._value(name, kind, parts[number]).alias(name)
                for number, (name, kind) in enumerate(self._kinds.items(), start=1)
            )
        )

    def _value(self, name: str, kind: str, part: Column) -> Column:
        if kind == "string":
            # A text that may be missing was taken with the quotation mark before it, so that an empty one differs.
            return part if name in self._required else F.when(part != "", F.substring(part, 2, 1 << 30))
        if kind == "array":
            inner = F.regexp_replace(part, r'^\["|"\]$', "")
            return F.when(part == "[]", F.array().cast("array<string>")).when(
                part != "", F.split(inner, '", ?"')
            )
        return part.cast(_SPARKS[kind])

    def _pattern(self) -> str:
        pattern = r"\A\{ ?"
        for number, (name, kind) in enumerate(self._kinds.items()):
            required = name in self._required
            if kind == "string":
                value = f'"({_TEXT})"' if required else f'("{_TEXT})"'
            else:
                value = f"({_TYPES[kind]})"
            one = f'{", ?" if number else ""}"{re.escape(name)}": ?{value}'
            pattern += one if required else f"(?:{one})?+"
        if not self._kinds or next(iter(self._kinds)) not in self._required:
            return r"\A(?!)"  # nothing matches
        return rf"{pattern} ?\}}\z"
