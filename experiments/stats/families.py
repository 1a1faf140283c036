"""Which trials make one curve (they differ in shape, or also in data), and why the times of some must not be set side by side."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from experiments.metric_table import TOTAL
from experiments.results.metrics import medians
from experiments.results.outcome import Outcome
from experiments.spec.tables import SHAPE

GROWTH = ("data.rows", "data.users", "data.items")
"""What of a data set may grow with the workers."""

SCALED = tuple(key for key in SHAPE if key != "shape.backend")
"""What of a cluster's shape may differ along a curve; processes and containers have one each."""

SHARED_LOOK = "shared application: a look"
"""Why nothing is claimed of times of trials that ran one after another in one application."""

_OBSERVED = ("rows", "users", "items")


def strong(outcomes: Sequence[Outcome]) -> Iterator[list[Outcome]]:
    """Yield the groups of trials of the same work on several shapes, failed ones among them, smallest shape first.

    Where one shape comes with several amounts of memory, each amount is a group of its own; else memory may go along.
    """
    for group in _grouped(outcomes, SCALED):
        many = len({_size_of(item) for item in group}) < len({item.size for item in group})
        for part in _split(group, "memory") if many else [group]:
            if len({item.size for item in part}) > 1:
                yield sorted(part, key=_order)


def weak(outcomes: Sequence[Outcome]) -> Iterator[list[Outcome]]:
    """Yield the groups of trials in which every shape has its own amount of data, smallest shape first."""
    for group in _grouped(outcomes, (*SCALED, *GROWTH)):
        shapes = {item.size for item in group}
        amounts = {_amount(item) for item in group}
        if len(shapes) > 1 and len(shapes) == len(amounts) == len(group):
            yield sorted(group, key=_order)


def family(outcome: Outcome, outcomes: Sequence[Outcome], phase: str = TOTAL) -> list[Outcome]:
    """Return the trials with times that an outcome's speed-up is measured in, smallest shape first; maybe none."""
    for group in strong([item for item in outcomes if _same_work(item, outcome)]):
        if outcome in group:
            timed = [item for item in group if medians(item, phase)]
            return timed if len({item.size for item in timed}) > 1 else []
    return []


def growth(outcome: Outcome) -> dict[str, float]:
    """Rows, users and items of the work, as counted when the data was prepared, else as requested."""
    counted = {key: float(outcome.data.get(key) or 0) for key in _OBSERVED}
    asked = {key: float(outcome.values.get(f"data.{key}") or 0) for key in _OBSERVED}
    return {key: counted[key] or asked[key] for key in _OBSERVED if counted[key] or asked[key]}


def not_scaling(first: Outcome, second: Outcome) -> str | None:
    """Say why the shapes of two trials forbid a claim about scaling, None if they do not."""
    if first.size != second.size and "oversubscribed" in (first.shape_tag, second.shape_tag):
        return "more worker cores than the host has (oversubscribed): no claim about scaling"
    return None


def disturbed(*outcomes: Outcome) -> str | None:
    """Say whose times mean nothing because executors went away meanwhile; None if nobody's."""
    lost = next((item for item in outcomes if item.executors_lost), None)
    return f"executors were lost while {lost.size} ran" if lost else None


def looked(*outcomes: Outcome) -> str | None:
    """Say why times are a look and no claim: trials shared an application; None if none did."""
    shared = [item for item in outcomes if item.shared]
    if shared and len(shared) < len(outcomes):
        return f"{SHARED_LOOK}, never set against trials with applications of their own"
    return SHARED_LOOK if shared else None


def untimed(*outcomes: Outcome) -> str | None:
    """Say why the times of trials are not set against others'; None if they are."""
    if (why := looked(*outcomes)) is not None:
        return why
    if any(item.shape_tag == "oversubscribed" for item in outcomes):
        return "more worker cores than the host has (oversubscribed)"
    return disturbed(*outcomes)


def worse_tag(first: Outcome, second: Outcome) -> str:
    """Return the tag of the shape that may be trusted less."""
    order = ("oversubscribed", "shared-host", "external", "clean")
    return min((first.shape_tag, second.shape_tag), key=order.index)


def _same_work(first: Outcome, second: Outcome) -> bool:
    keys = first.values.keys() | second.values.keys()
    same = (first.values.get(key) == second.values.get(key) for key in keys if key not in SCALED)
    return first.job == second.job and first.shared == second.shared and all(same)


def _grouped(outcomes: Sequence[Outcome], left_out: Sequence[str]) -> Iterator[list[Outcome]]:
    groups: dict[Any, list[Outcome]] = {}
    for outcome in outcomes:
        rest = {key: value for key, value in outcome.values.items() if key not in left_out}
        groups.setdefault((outcome.job, outcome.shared, _frozen(rest)), []).append(outcome)
    yield from groups.values()


def _split(group: Sequence[Outcome], key: str) -> Iterator[list[Outcome]]:
    parts: dict[Any, list[Outcome]] = {}
    for outcome in group:
        parts.setdefault(getattr(outcome.size, key), []).append(outcome)
    yield from parts.values()


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return tuple(sorted((key, _frozen(item)) for key, item in value.items()))
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


def _size_of(outcome: Outcome) -> tuple[Any, ...]:
    size = outcome.size
    return size.workers, size.cores, size.cpus, size.pin


def _amount(outcome: Outcome) -> tuple[Any, ...]:
    return tuple(outcome.values.get(key) for key in GROWTH)


def _order(outcome: Outcome) -> tuple[float, int, int]:
    return outcome.size.capacity, outcome.size.total_cores, outcome.size.workers
