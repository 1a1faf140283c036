"""Wait until services are ready, and explain a failure."""

import time
from collections.abc import Callable, Iterable
from functools import partial

from cluster.log_files import tail
from cluster.probe import answers
from cluster.service import Backend, Service
from core.errors import ServiceError

_POLL_S = 0.1
_FULL_MARKS = ("no space left on device", "disk is full", "insufficient disk space")
_FULL = (
    "its disk is full: make room there (df; of containers: docker system df, docker volume ls), or name another folder: "
    "RECSCALE_RUN_DIR=/folder"
)


def wait(services: Iterable[Service], backend: Backend, ready: Callable[[Service], None]) -> None:
    """Return when every service is ready; `ready` is called with each one.

    Raises:
        ServiceError: a service ended, or was not ready by its deadline.
    """
    everyone = list(services)
    pending = {service.name: service for service in everyone if service.ready is not None}
    start = time.monotonic()
    while pending:
        _fail_if_gone(everyone, backend)  # ready ones too: others depend on them
        for service in list(pending.values()):
            probe = service.ready
            assert probe is not None
            if answers(probe, partial(backend.log, service.name)):
                ready(service)
                del pending[service.name]
            elif time.monotonic() - start > probe.deadline_s:
                raise failure(service, f"is not ready after {probe.deadline_s:.0f} s", backend)
        if pending:
            time.sleep(_POLL_S)


def _fail_if_gone(services: Iterable[Service], backend: Backend) -> None:
    records = backend.running()
    for service in services:
        record = records.get(service.name)
        if not service.external and (record is None or not record.alive):
            raise failure(service, record.exit if record else "was stopped by another command", backend)


def failure(service: Service, what: str, backend: Backend) -> ServiceError:
    """Return an error with the service's name, its state, the end of its log and the next step."""
    if service.external:
        return ServiceError(f"{service.name} at {service.url} does not answer; {service.hint}")
    log = backend.log(service.name)
    lines = tail(log, 20).splitlines()
    text = "".join(f"\n    {line}" for line in lines) if lines else " the log is empty"
    hint = _FULL if any(mark in text.lower() for mark in _FULL_MARKS) else service.hint
    return ServiceError(f"{service.name} {what}. The end of {log}:{text}\n  Next: {hint}")
