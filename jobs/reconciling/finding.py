"""Results of checks: how much was compared, and what differs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from jobs.reconciling.offsets import Place, Ranges

HEADER = ["check", "what", "topic", "partition", "messages", "where"]


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        what: is wrong, in a few words.
        topic, partition: where it was seen; partition -1 if the rows have none.
        count: how many messages or rows.
        where: the first offsets or keys.
    """

    what: str
    topic: str
    partition: int
    count: int
    where: str


@dataclass(frozen=True)
class Check:
    """A comparison and its result.

    Attributes:
        name: of the comparison.
        compared: messages or rows that were compared.
        findings: what differs; none if all is well.
    """

    name: str
    compared: int
    findings: Sequence[Finding] = field(default_factory=tuple)

    @property
    def differing(self) -> int:
        """Messages or rows that differ."""
        return sum(finding.count for finding in self.findings)


def at_offsets(what: str, differing: Mapping[Place, Ranges]) -> Iterator[Finding]:
    """Yield a finding for each partition of which some offsets differ."""
    for place, ranges in sorted(differing.items()):
        if ranges:
            yield Finding(what, place.topic, place.partition, ranges.count, f"offsets {ranges}")


def table(checks: Sequence[Check]) -> list[list[object]]:
    """Return every finding as a row below HEADER; a check without findings has one row that says so."""
    rows: list[list[object]] = [list(HEADER)]
    for check in checks:
        if not check.findings:
            rows.append([check.name, "all equal", "", "", check.compared, ""])
        for one in check.findings:
            partition = one.partition if one.partition >= 0 else ""
            rows.append([check.name, one.what, one.topic, partition, one.count, one.where])
    return rows
