"""Summary of a preprocessing: which versions of its tables belong together, read without Spark."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any

from core.errors import JobError

SUMMARY = "summary"
"""Name of the table that holds it, one fact a row."""

COMPLETE = "complete"
"""State of a preprocessing that was not interrupted."""


def facts_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the facts of a summary by their keys."""
    return {row["key"]: row["value"] for row in rows}


def versions_of(facts: Mapping[str, str]) -> dict[str, int]:
    """Return the version of each table that a summary names.

    Raises:
        JobError: it names no versions, as after an interrupted preprocessing or one of an older recscale.
    """
    if facts.get("state") != COMPLETE or "versions" not in facts:
        raise JobError(
            "the stored tables may not belong together: their preprocessing was interrupted, or an older version of recscale "
            "made them. Run it again (make preprocess DATASET=...)"
        )
    return {name: int(version) for name, version in json.loads(facts["versions"]).items()}


def named(summaries: Iterable[Iterable[Mapping[str, Any]]], table: str) -> set[int]:
    """Return the versions of a table that any of the summaries names, because readers of that summary need them."""
    found = set()
    for rows in summaries:
        with suppress(JobError):
            found |= {number for name, number in versions_of(facts_of(rows)).items() if name == table}
    return found


def whole(rows: Iterable[Mapping[str, Any]], digest: str, there: Callable[[str], Collection[int]]) -> bool:
    """Whether a summary is of rows with this digest, and every version that it names is among those that are there.

    Args:
        rows: of the summary.
        digest: of the data set's rows.
        there: returns the versions of a table that can be read.
    """
    facts = facts_of(rows)
    try:
        versions = versions_of(facts)
    except JobError:
        return False
    return facts["data_digest"] == digest and all(
        version in there(name) for name, version in versions.items()
    )
