"""State of a service, for the terminal."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cluster.probe import answers
from cluster.service import Running, Service
from core.text_tables import columns


@dataclass(frozen=True)
class Status:
    """State of one service at a moment.

    Attributes:
        state: "died" means that it was started here and ended without being stopped.
        url: its address; empty while it is stopped and has no fixed one.
        detail: description of its end; for an external service, its answer.
        page: its web page, if that is not the url.
    """

    name: str
    state: Literal["running", "stopped", "died", "external"]
    pid: int | None
    url: str
    log: Path | None
    detail: str = ""
    page: str = ""


def of_running(record: Running) -> Status:
    """Return the state of a service that was started here."""
    state: Literal["running", "died"] = "running" if record.alive else "died"
    return Status(record.name, state, record.pid, record.url, record.log, record.exit, record.page)


def of_stopped(service: Service) -> Status:
    """Return the state of a service that was not started, or was stopped."""
    settled = all(port.setting for port in service.ports)
    return Status(service.name, "stopped", None, service.url if settled else "", None, page=service.page)


def of_external(service: Service) -> Status:
    """Return the state of an external service after trying it."""
    if service.ready is None:
        detail = "cannot be checked from here"
    else:
        detail = "answers" if answers(service.ready) else "does not answer"
    return Status(service.name, "external", None, service.url, None, detail)


def services_table(statuses: Sequence[Status]) -> str:
    """Tabulate services with their state and address."""
    rows = [("service", "state", "pid", "address", "log")]
    for status in statuses:
        state = f"{status.state} ({status.detail})" if status.detail else status.state
        log = os.path.relpath(status.log) if status.log else "-"
        log = log if not log.startswith("..") else str(status.log)
        address = f"{status.url} ({status.page})" if status.page else status.url or "-"
        rows.append((status.name, state, str(status.pid or "-"), address, log))
    return "\n".join(columns(rows))
