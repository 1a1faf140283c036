"""Sentences about curves: an answer for a decision, and notes with every detail."""

from collections.abc import Iterator, Sequence

from core.units import time_in_words
from experiments.page.merged_notes import all_of, with_ranges
from experiments.page.wording import (
    answered,
    counted,
    model_of,
    named,
    number_word,
    shape_words,
    sure,
    times,
)
from experiments.results.model_equality import said
from experiments.stats.fits import NAMES, Fit, Parameter
from experiments.stats.ratios import notes as ratio_notes
from experiments.studies.scaling.curves import Curve, Point

_LITTLE = 0.05
_WHOSE = "\0"  # stands for the names of curves


def answer(curves: Sequence[Curve]) -> str:
    """Say whether more workers helped, and how sure that is; empty where no curve has two points."""
    told = [item for item in curves if len(item.points) > 1]
    if not told:
        return ""
    shown = [item for item in told if _claims(item)] or [item for item in told if _looks(item)]
    if len(told) == 1 or len(shown) == 1:
        return _of_one(shown[0] if shown else told[0], told)
    if not shown:
        return f"No speed-up is claimed for any of {number_word(len(told))} series of shapes. The notes below say why."
    return _of_several(shown, told)


def details(curves: Sequence[Curve]) -> Iterator[str]:
    """Yield for each curve what its answer leaves out: ratio, interval, efficiency, and what a fit expects of more."""
    yield from (f"{item.name}: {_full(item)}" for item in curves if _claims(item) or _looks(item))


def notes(*curves: Curve) -> Iterator[str]:
    """Yield what a reader must know of curves: gaps, overrides, fits and why others are missing.

    What holds for several curves is said once.
    """
    found = ((curve.name, text) for curve in curves for text in _notes(curve))
    for text, names in with_ranges(found, among=lambda note: _WHOSE in note).items():
        every = len(names) == len(curves) > 1
        yield text.replace(_WHOSE, all_of(len(names), "curve") if every else ", ".join(names))


def _notes(curve: Curve) -> Iterator[str]:
    """Yield the notes on one curve, with `_WHOSE` for its name in those that may hold for others too."""
    yield from curve.gaps
    if curve.changes and not curve.allowed:
        yield f"{_WHOSE}: no speed-up is claimed: {said(curve.changes[0])} (--allow-model-change overrides this)"
    if curve.unproportional:
        yield f"{_WHOSE}: no weak scaling is claimed: {curve.unproportional}"
    if any(item.outcome.size.cpus is not None for item in curve.points):
        yield (
            "cores are fractions: each worker may take the share of a core's time behind the @, enforced by the kernel; "
            "the driver is not limited"
        )
    yield from ratio_notes((str(item.outcome.size), item.ratio) for item in curve.points)
    yield from (f"{curve.name}: {_fit(item, curve)}" for item in curve.fits)
    yield from (f"{_WHOSE}: {item}" for item in curve.refusals)
    if any(item.serial and item.serial[0] < 0 for item in curve.points):
        yield "a negative serial fraction (Karp and Flatt) means more speed-up than cores: caches, or the one-core time is off"


def _measured(curve: Curve) -> bool:
    """Whether there are times to compare, and nothing forbids it."""
    refused = curve.unproportional or (curve.changes and not curve.allowed)
    return not refused and sum(item.drawn for item in curve.points) > 1


def _claims(curve: Curve) -> bool:
    """Whether a claim about scaling is made: there is an interval."""
    return _measured(curve) and _ends(curve)[1].ratio.low is not None


def _looks(curve: Curve) -> bool:
    """Whether there are times to compare, but too few applications for a claim."""
    return _measured(curve) and not _claims(curve)


def _ends(curve: Curve) -> tuple[Point, Point]:
    """Return the smallest and the largest shape that may be shown."""
    drawn = [item for item in curve.points if item.drawn]
    return drawn[0], drawn[-1]


def _who(curve: Curve, told: Sequence[Curve]) -> str:
    return named(curve.points[0].outcome, [item.points[0].outcome for item in told])


def _of_one(curve: Curve, told: Sequence[Curve]) -> str:
    who = _who(curve, told)
    if not _measured(curve):
        return f"No speed-up is claimed for {who}: {_refusal(curve)}. The notes below have the details."
    short = model_of(curve.points[0].outcome)
    first, head = _ends(curve)
    took = "{} took {} on {} and {} on {}"
    ends = (head.seconds.median, _subject(head, curve), first.seconds.median, _subject(first, curve))
    told_times = (
        took.format(name, time_in_words(ends[0]), ends[1], time_in_words(ends[2]), ends[3])
        for name in (who, short)
    )
    found = _found(curve)
    if curve.kind == "weak":
        return answered((f"{found} with {name}" for name in (who, short)), _certainty([curve]))
    return answered(
        [*(f"{found}: {text}" for text in told_times), f"{found} with {short}"], _certainty([curve])
    )


def _refusal(curve: Curve) -> str:
    """Say in a few words why nothing is claimed."""
    if curve.changes and not curve.allowed:
        return "the fitted model was not the same in all runs, so neither was the work"
    if curve.unproportional:
        return "the data did not grow as the cores did"
    whys = list(dict.fromkeys(item.ratio.refused for item in curve.points[1:] if item.ratio.refused))
    text = whys[0] if whys else "no two shapes have times that may be compared"
    text = text.removesuffix(": no claim about scaling")
    for point in sorted(curve.points, key=lambda item: -len(str(item.outcome.size))):
        text = text.replace(str(point.outcome.size), _subject(point, curve))
    return text


def _found(curve: Curve) -> str:
    """Say how the largest shape compares with the smallest."""
    first, head = _ends(curve)
    ratio, claims = head.ratio.ratio, _claims(curve)
    assert ratio is not None
    one, more = _subject(first, curve), _subject(head, curve)
    if curve.kind == "weak":
        return f"{more} did {times(ratio)} times the work of {one} in the same time"
    verdict = head.ratio.verdict
    if verdict == "indistinguishable" or (verdict == "too few" and abs(ratio - 1) <= _LITTLE):
        second = _by_workers(curve) and (first.outcome.size.workers, head.outcome.size.workers) == (1, 2)
        added = "a second worker" if second else "more workers" if _by_workers(curve) else "a larger shape"
        return f"{added} {'made no difference that can be told' if claims else 'did not help'}"
    many = head.outcome.size.workers > 1
    if ratio > 1:
        verb = ("are" if many else "is") if claims else ("were" if many else "was")
        return f"{more} {verb} {times(ratio)} times as fast as {one}"
    verb = ("take" if many else "takes") if claims else "took"
    return f"{more} {verb} {times(1 / ratio)} times as long as {one}"


def _of_several(shown: Sequence[Curve], told: Sequence[Curve]) -> str:
    """Name the curve that gains most and the one that gains least."""
    ranked = sorted(shown, key=lambda item: -(_ends(item)[1].ratio.ratio or 0.0))
    most, least = ranked[0], ranked[-1]
    texts = [_gains(most, least, [_who(most, told), _who(least, told)])]
    texts.append(_gains(most, least, [model_of(item.points[0].outcome) for item in (most, least)]))
    return answered(texts, _certainty(shown))


def _gains(most: Curve, least: Curve, who: Sequence[str]) -> str:
    ratios = [times(_ends(item)[1].ratio.ratio or 0.0) for item in (most, least)]
    on = [_subject(_ends(item)[1], item) for item in (most, least)]
    if (_ends(most)[1].ratio.ratio or 0.0) <= 1 + _LITTLE:
        return f"more workers did not help: at best {who[0]} is {ratios[0]} times as fast on {on[0]}"
    if ratios[0] == ratios[1] and on[0] == on[1]:
        return f"{who[0]} and {who[1]} gain alike from more workers: {ratios[0]} times as fast on {on[0]}"
    last = "" if on[0] == on[1] else f" on {on[1]}"
    return f"{who[0]} gains most from more workers, {ratios[0]} times as fast on {on[0]}; {who[1]} least, {ratios[1]} times{last}"


def _certainty(curves: Sequence[Curve]) -> str:
    """Say how sure it is, with the interval where there is one curve that has one."""
    ends = [_ends(item) for item in curves]
    fewest = min(len(point.seconds.applications) for pair in ends for point in pair)
    head = ends[0][1]
    slower = curves[0].kind == "strong" and head.ratio.verdict == "slower"
    found = (head.ratio.turned if slower else head.ratio).interval
    if len(curves) > 1 or found is None:
        return sure(fewest)
    text = (
        f"The 95% interval of {counted(fewest, 'run')} each is {times(found[0])} to {times(found[1])} times"
    )
    if head.outcome.shape_tag == "shared-host":
        text += "; the driver needed cores of the same host"
    return text + ("; the fitted model changed." if curves[0].changes else ".")


def _full(curve: Curve) -> str:
    """Say everything of a curve in half a sentence."""
    first, head = _ends(curve)
    assert head.ratio.ratio is not None
    if head.ratio.low is None or head.ratio.high is None:
        fewest = min(len(item.seconds.applications) for item in (first, head))
        return f"measured was {times(head.ratio.ratio)}\u00d7 on {head.outcome.size} against {first.outcome.size}, {counted(fewest, 'application')} each"
    text = f"{times(head.ratio.ratio)}\u00d7 on {head.outcome.size} against {first.outcome.size} "
    text += f"(95%: {times(head.ratio.low)}\u2013{times(head.ratio.high)}), efficiency {_efficiency(head)}"
    if head.outcome.shape_tag == "shared-host":
        text += ", on a host whose cores they share with the driver"
    if curve.changes:
        text += ", though the model changed"
    return text + _expectation(curve)


def _efficiency(point: Point) -> str:
    interval = point.efficiency_interval
    within = f" ({interval[0]:.0%}\u2013{interval[1]:.0%})" if interval else ""
    return f"{point.efficiency:.0%}{within}"


def _expectation(curve: Curve) -> str:
    """Return the fit's prediction for more workers, if there is one and the shapes are multiples."""
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
    return f"; from {counted(workers, 'worker')} on{beyond} the fit ({who}) expects less than {_LITTLE:.0%} per worker more"


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
    """Name a shape; workers of less than a core say so once."""
    size = point.outcome.size
    limited = size.cpus is not None and point is not curve.points[0]
    return shape_words(size, by_workers=_by_workers(curve) and not limited)
