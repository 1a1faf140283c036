"""Text tables for the terminal."""

import os
from collections.abc import Sequence

from cluster.doctor import Finding
from cluster.status import Status


def table(rows: Sequence[Sequence[str]]) -> str:
    """Align rows, the first of which is the header, in columns two spaces apart."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def services(statuses: Sequence[Status]) -> str:
    """Tabulate services with their state and address."""
    rows = [("service", "state", "pid", "address", "log")]
    for status in statuses:
        state = f"{status.state} ({status.detail})" if status.detail else status.state
        log = os.path.relpath(status.log) if status.log else "-"
        log = log if not log.startswith("..") else str(status.log)
        address = f"{status.url} ({status.page})" if status.page else status.url or "-"
        rows.append((status.name, state, str(status.pid or "-"), address, log))
    return table(rows)


def findings(found: Sequence[Finding]) -> str:
    """Tabulate the doctor's findings, each followed by its remedy."""
    lines = table([(finding.state, finding.check, finding.found) for finding in found]).splitlines()
    mends = (f"\n      mend: {finding.mend}" if finding.mend else "" for finding in found)
    return "\n".join(line + mend for line, mend in zip(lines, mends, strict=True))


def size(number: int) -> str:
    """Return a number of bytes with a readable unit."""
    amount = float(number)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"
