"""Order of services, from their `requires`."""

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Protocol, TypeVar


class Named(Protocol):
    """Described or running service."""

    @property
    def name(self) -> str:
        """Unique name."""

    @property
    def requires(self) -> tuple[str, ...]:
        """Names of the services that must be ready first."""


N = TypeVar("N", bound=Named)


def layers(services: Iterable[N]) -> list[list[N]]:
    """Sort into layers: each requires only services of earlier layers, or services that are not among these.

    Raises:
        ValueError: some require each other in a circle.
    """
    left = list(services)
    sorted_: list[list[N]] = []
    while left:
        names = {service.name for service in left}
        layer = [service for service in left if not names.intersection(service.requires)]
        if not layer:
            raise ValueError(
                f"services require each other in a circle: {', '.join(sorted(names))}; remove one from `requires`"
            )
        sorted_.append(layer)
        left = [service for service in left if service not in layer]
    return sorted_


def backwards(services: Iterable[N]) -> list[N]:
    """Sort so that each service comes before those that it requires."""
    return [service for layer in reversed(layers(services)) for service in reversed(layer)]


def stopping(services: Iterable[Named]) -> list[list[str]]:
    """Sort names into groups that may stop at the same time, dependents first.

    Services of one kind ("cassandra-2" and "cassandra-1") require one another only to start.
    """
    left = {
        service.name: {name for name in service.requires if kind(name) != kind(service.name)}
        for service in services
    }
    groups: list[list[str]] = []
    while left:
        required = set().union(*left.values())
        group = sorted(left.keys() - required, reverse=True) or sorted(left)
        groups.append(group)
        left = {name: requires for name, requires in left.items() if name not in group}
    return groups


def kind(name: str) -> str:
    """Return a service's name without its number."""
    return re.sub(r"-\d+$", "", name)


def numbered(names: Iterable[str]) -> dict[int, str]:
    """Return the names of services that have a number, by it."""
    return {int(found[1]): name for name in names if (found := re.search(r"-(\d+)$", name))}


def with_required(names: Collection[str], services: Sequence[Named]) -> set[str]:
    """Add every service that the named ones require, directly or not."""
    chosen = set(names)
    for layer in reversed(layers(services)):
        for service in layer:
            if service.name in chosen:
                chosen.update(service.requires)
    return chosen


def with_dependents(names: Collection[str], services: Sequence[Named]) -> set[str]:
    """Add every service that requires one of the named ones, directly or not."""
    chosen = set(names)
    for layer in layers(services):
        chosen.update(service.name for service in layer if chosen.intersection(service.requires))
    return chosen
