"""What a curve says, in sentences."""

from collections.abc import Iterator, Sequence

from experiments.intervals import LEAST_FOR_INTERVAL
from experiments.model_equality import said
from experiments.ratios import notes as ratio_notes
from experiments.scaling.curves import Curve, Point
from experiments.scaling.fits import NAMES, Fit, Parameter

_LITTLE = 0.05
_MOST_ANSWERS = 4
_NUMBERS = (
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)


def answer(curves: Sequence[Curve]) -> str:
    """Answer in one sentence; the curves are told apart by name where there are several."""
    told = [item for item in curves if len(item.points) > 1]
    if not told:
        return ""
    if len(told) == 1:
        return _upper(_of(told[0])) + "."
    looks = [item for item in told if _is_look(item)]
    texts = [f"{item.name}: {_of(item)}" for item in told if item not in looks][:_MOST_ANSWERS]
    more = len(told) - len(looks) - len(texts)
    texts += [f"and {more} more in the table"] if more else []
    text = "; ".join([*texts, *_looks(looks)]) + "."
    return text if texts else _upper(text)


def notes(curve: Curve) -> Iterator[str]:
    """Yield what a reader must know of a curve: gaps, overrides, fits and why others are missing."""
    yield from curve.gaps
    if curve.changes and not curve.allowed:
        yield f"no speed-up is claimed for {curve.name}: {said(curve.changes[0])} (--allow-model-change overrides this)"
    if curve.unproportional:
        yield f"no weak scaling is claimed for {curve.name}: {curve.unproportional}"
    if any(item.outcome.size.cpus is not None for item in curve.points):
        yield (
            "cores are fractions: each worker may take the share of a core's time behind the @, enforced by the kernel; "
            "the driver is not limited"
        )
    yield from ratio_notes((str(item.outcome.size), item.ratio) for item in curve.points)
    yield from (f"{curve.name}: {_fit(item, curve)}" for item in curve.fits)
    yield from (f"{curve.name}: {item}" for item in curve.refusals)
    if any(item.serial and item.serial[0] < 0 for item in curve.points):
        yield "a negative serial fraction (Karp and Flatt) means more speed-up than cores: caches, or the one-core time is off"


def _is_look(curve: Curve) -> bool:
    """Whether there are times to compare, but too few applications for a claim."""
    drawn = [item for item in curve.points if item.drawn]
    refused = curve.unproportional or (curve.changes and not curve.allowed) or len(drawn) < 2
    return not refused and (drawn[-1].ratio.low is None or drawn[-1].ratio.high is None)


def _looks(curves: Sequence[Curve]) -> Iterator[str]:
    """Say once for all such curves that nothing is claimed, and what was measured."""
    if not curves:
        return
    ends = [(item, [point for point in item.points if point.drawn]) for item in curves]
    fewest = min(len(drawn[k].seconds.applications) for _, drawn in ends for k in (0, -1))
    measured = [
        f"{item.name} {drawn[-1].ratio.ratio:.2f}\u00d7 on {drawn[-1].outcome.size}"
        for item, drawn in ends[:_MOST_ANSWERS]
    ]
    measured += [f"{len(ends) - len(measured)} more in the table"] if len(ends) > len(measured) else []
    yield (
        f"no claim about scaling from {fewest} application(s) of a shape, it takes {LEAST_FOR_INTERVAL}; measured, against "
        f"the smallest shape: {', '.join(measured)}"
    )


def _of(curve: Curve) -> str:
    if curve.changes and not curve.allowed:
        return f"no speed-up is claimed, because {said(curve.changes[0])}"
    if curve.unproportional:
        return f"no weak scaling is claimed, because {curve.unproportional}"
    drawn = [item for item in curve.points if item.drawn]
    if len(drawn) < 2:
        whys = dict.fromkeys(item.ratio.refused for item in curve.points[1:] if item.ratio.refused)
        return f"no speed-up is claimed: {'; '.join(whys)}"
    head, first = drawn[-1], drawn[0]
    assert head.ratio.ratio is not None
    if head.ratio.low is None or head.ratio.high is None:
        fewest = min(len(item.seconds.applications) for item in (first, head))
        return (
            f"no claim about scaling from {fewest} application(s) of a shape, it takes {LEAST_FOR_INTERVAL}; measured was "
            f"{head.ratio.ratio:.2f}\u00d7 on {head.outcome.size} against {first.outcome.size}"
        )
    interval = f"(95%: {head.ratio.low:.2f}\u2013{head.ratio.high:.2f})"
    text = _faster(curve, head, first, interval) + f", efficiency {_efficiency(head)}"
    if head.outcome.shape_tag == "shared-host":
        text += ", on a host whose cores they share with the driver"
    if curve.changes:
        text += ", though the model changed"
    return text + _expectation(curve)


def _faster(curve: Curve, head: Point, first: Point, interval: str) -> str:
    ratio = head.ratio
    assert ratio.ratio is not None
    assert ratio.low is not None
    assert ratio.high is not None
    more, one, verb = _subject(head, curve), _subject(first, curve), _verb(head, curve)
    if curve.kind == "weak":
        return (
            f"in the time in which {one} did its work, {more} did {ratio.ratio:.2f} times as much {interval}"
        )
    if ratio.low <= 1 <= ratio.high:
        return f"{more} cannot be told from {one}: {ratio.ratio:.2f} times as fast {interval}"
    return f"{more} {verb} {ratio.ratio:.2f} times as fast as {one} {interval}"


def _efficiency(point: Point) -> str:
    interval = point.efficiency_interval
    within = f" ({interval[0]:.0%}\u2013{interval[1]:.0%})" if interval else ""
    return f"{point.efficiency:.0%}{within}"


def _expectation(curve: Curve) -> str:
    """What the fit expects of more of the same, if there is one to speak of and the shapes are multiples."""
    law = curve.law
    if law is None:
        untold = any(item.described == "cannot tell" for item in curve.fits)
        vague = "; whether a law describes the times cannot be told, they vary too much"
        return (vague if untold else "; no law describes the times well") if curve.fits else ""
    if not _by_workers(curve):
        return ""
    workers = law.little_more(_LITTLE, curve.points[0].outcome.size.workers)
    if workers is None:
        return ""
    most = max(item.outcome.size.workers for item in curve.points if item.left_out is None)
    beyond = ", which was not measured," if workers > most else ""
    who = NAMES[law.law] if law.law == "amdahl" else "the Universal Scalability Law"
    return (
        f"; from {_word(workers)} on{beyond} the fit ({who}) expects less than {_LITTLE:.0%} per worker more"
    )


def _fit(fit: Fit, curve: Curve) -> str:
    used = [item for item in curve.points if item.left_out is None and item.ratio.ratio is not None]
    worst = max(range(len(used)), key=lambda k: abs(fit.residuals[k]))
    text = f"{NAMES[fit.law]} fit: " + ", ".join(map(_parameter, fit.parameters))
    text += (
        f"; it misses the mean times by {fit.missed:.1%}, most {used[worst].outcome.size} ({fit.residuals[worst]:+.1%}), as a "
        f"law that holds would by chance in {fit.chance:.0%} of such sweeps"
    )
    if fit.poor:
        return text + ": a poor fit, this law does not describe the times, and nothing is concluded from it"
    if fit.described == "cannot tell":
        return text + (
            f"; the times vary so much that it may miss them by up to {fit.possible:.0%}: whether this law describes them "
            "cannot be told, and nothing is concluded from it"
        )
    hidden = [item.name for item in fit.parameters if not item.shown]
    if hidden:
        text += f"; the interval of {' and '.join(hidden)} contains 0, so these times do not show it"
    if any(item.high < 0 for item in fit.parameters):
        text += "; a negative value has no meaning in this law: something else speeds up the larger shapes"
    if fit.peak is not None:
        text += f"; beyond {fit.peak:.1f} times the smallest shape more makes it slower"
    return text


def _parameter(item: Parameter) -> str:
    return f"{item.name} {item.value:.3f} [{item.low:.3f}, {item.high:.3f}]"


def _by_workers(curve: Curve) -> bool:
    """Whether the shapes differ in the number of workers alone."""
    return len({(p.outcome.size.cores, p.outcome.size.cpus) for p in curve.points}) == 1


def _subject(point: Point, curve: Curve) -> str:
    size = point.outcome.size
    if not _by_workers(curve):
        return str(size)
    each = "" if size.cpus is None else f" of {size.cpus:.3g} cores"
    return _word(size.workers) + (each if point is not curve.points[0] else "")


def _verb(point: Point, curve: Curve) -> str:
    return "are" if _by_workers(curve) and point.outcome.size.workers > 1 else "is"


def _word(workers: int) -> str:
    number = _NUMBERS[workers] if workers < len(_NUMBERS) else str(workers)
    return f"{number} worker{'s' if workers != 1 else ''}"


def _upper(text: str) -> str:
    """Begin a sentence with a capital letter, unless it begins with the name of a shape."""
    return text if text[1:2].isdigit() else text[:1].upper() + text[1:]
