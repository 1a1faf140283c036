"""What a person is told of one service."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cluster.probe import answers
from cluster.service import Running, Service


@dataclass(frozen=True)
class Status:
    """One service at a moment.

    Attributes:
        state: "died" is one that was started here and ended by itself.
        url: its address; empty while it is stopped and will choose a new one.
        detail: how it ended, or whether an external one answers.
        page: its web page, where that is another address than the url.
    """

    name: str
    state: Literal["running", "stopped", "died", "external"]
    pid: int | None
    url: str
    log: Path | None
    detail: str = ""
    page: str = ""


def of_running(record: Running) -> Status:
    """What is known of one that was started here."""
    state: Literal["running", "died"] = "running" if record.alive else "died"
    return Status(record.name, state, record.pid, record.url, record.log, record.exit, record.page)


def of_stopped(service: Service) -> Status:
    """What is known of one that was not started, or was stopped."""
    settled = all(port.setting for port in service.ports)
    return Status(service.name, "stopped", None, service.url if settled else "", None, page=service.page)


def of_external(service: Service) -> Status:
    """What is known of one that is only used; tries whether it answers."""
    if service.ready is None:
        detail = "cannot be checked from here"
    else:
        detail = "answers" if answers(service.ready) else "does not answer"
    return Status(service.name, "external", None, service.url, None, detail)
