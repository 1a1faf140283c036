"""What must come before what, from the `requires` of services."""

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol, TypeVar


class Named(Protocol):
    """A described or a running service."""

    @property
    def name(self) -> str:
        """Its unique name."""

    @property
    def requires(self) -> tuple[str, ...]:
        """Names of those that come first."""


N = TypeVar("N", bound=Named)


def layers(services: Iterable[N]) -> list[list[N]]:
    """Sort into layers: each needs only what stands in earlier ones (or is not among `services` at all).

    Raises:
        ValueError: some need each other in a circle.
    """
    left = list(services)
    sorted_: list[list[N]] = []
    while left:
        names = {service.name for service in left}
        layer = [service for service in left if not names.intersection(service.requires)]
        if not layer:
            raise ValueError(f"these services require each other: {', '.join(sorted(names))}")
        sorted_.append(layer)
        left = [service for service in left if service not in layer]
    return sorted_


def backwards(services: Iterable[N]) -> list[N]:
    """Sort so that each comes before everything that it requires."""
    return [service for layer in reversed(layers(services)) for service in reversed(layer)]


def with_required(names: Collection[str], services: Sequence[Named]) -> set[str]:
    """Add everything that the named ones need, directly or not."""
    chosen = set(names)
    for layer in reversed(layers(services)):
        for service in layer:
            if service.name in chosen:
                chosen.update(service.requires)
    return chosen


def with_dependents(names: Collection[str], services: Sequence[Named]) -> set[str]:
    """Add everything that needs one of the named ones, directly or not."""
    chosen = set(names)
    for layer in layers(services):
        chosen.update(service.name for service in layer if chosen.intersection(service.requires))
    return chosen
