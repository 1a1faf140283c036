"""COST: from how many worker cores on Spark beats one competent thread, at equal quality."""

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from experiments.metric_table import SINGLE, TOTAL, metric_name
from experiments.page.finding import Finding
from experiments.page.merged_notes import by_statement
from experiments.page.plots import Plot
from experiments.page.tables import NONE, Table, ratio_text, seconds
from experiments.page.wording import counted, model_name, number_word, sentence, sure, times
from experiments.results.metrics import medians, quality
from experiments.results.outcome import Outcome
from experiments.spec.experiment import Experiment
from experiments.stats.intervals import LEAST_FOR_INTERVAL
from experiments.stats.ratios import Ratio
from experiments.stats.ratios import notes as ratio_notes
from experiments.stats.summaries import spread
from experiments.studies.cost.plots import over_cores, over_time
from experiments.studies.cost.rivals import Rivals, iterations, rivals
from experiments.studies.cost.verdict import (
    SAME_NDCG,
    SAME_RMSE,
    Match,
    Verdict,
    curve,
    faster,
    matched,
    shapes,
    verdict,
)

_PHASES = ("fit", TOTAL)
_FACTS = (
    "one thread: an executor idles beside it; its times contain the fetching of the ratings through Arrow, and the total the "
    "handing back of scores and recommendations; compiling falls into the cold pass, as the JVM's does"
)


def _find(experiment: Experiment, outcomes: Sequence[Outcome]) -> Finding | None:
    del experiment
    matches = [matched(found) for found in rivals(outcomes)]
    if not matches:
        return None
    return Finding(
        "COST",
        answer=_answer(matches),
        tables=tuple(_table(match) for match in matches if match.single),
        plots=tuple(plot for number, match in enumerate(matches) for plot in _plots(match, number)),
        notes=tuple(
            dict.fromkeys(
                [
                    *(_details(match, several=len(matches) > 1) for match in matches),
                    *(note for match in matches for note in _notes(match)),
                ]
            )
        ),
        data={"cost": [_plain(match) for match in matches]},
    )


def _answer(matches: Sequence[Match]) -> str:
    """Say from how many cores on a fit on Spark beats one thread, and how sure that is."""
    told = [match for match in matches if match.counted and not match.refused]
    if not told:
        who = model_name(matches[0].rivals.counterpart)
        return f"It cannot be said from how many cores on {who} beats one thread. The notes below say why."
    few = min(map(_applications, told))
    if len(matches) == 1:
        found = verdict(told[0], "fit")
        return f"{sentence(_short(told[0], found))} {_certainty(found, few)}"
    by_counterpart: dict[str, list[Match]] = {}
    for match in matches:
        by_counterpart.setdefault(match.rivals.counterpart, []).append(match)
    parts = [part for group in by_counterpart.values() if (part := _together(group, told))]
    return f"{sentence('; '.join(parts))} {sure(few)}"


def _together(matches: Sequence[Match], told: Sequence[Match]) -> str:
    """Say the verdicts on the fits of one model on Spark in plain words; empty if none can be told."""
    counted_ones = [match for match in matches if match in told]
    if not counted_ones:
        return ""
    verdicts = [verdict(match, "fit") for match in counted_ones]
    if len(matches) == 1:
        return _short(counted_ones[0], verdicts[0])
    won = [item for item in verdicts if item.kind == "reached"]
    who = model_name(matches[0].rivals.counterpart)
    text = f"{who} fits faster than one thread in {number_word(len(won))} of {number_word(len(matches))} comparisons"
    if won:
        cores = sorted({item.cores for item in won if item.cores})
        text += f", from {' or '.join(map(str, cores[:3]))} worker core{'s' * (cores != [1])} on"
    return text


def _short(match: Match, found: Verdict) -> str:
    """Say the verdict on the fit in plain words."""
    who = model_name(match.rivals.counterpart)
    if found.ratio is None or found.ratio.ratio is None:
        return f"the fit of {who} was not measured"
    cores = _cores(found)
    if found.kind == "reached":
        return f"from {cores} on {who} fits faster than one thread: {times(found.ratio.ratio)} times as fast"
    if found.kind == "undecided":
        return f"{who} on {cores}, its best shape, cannot be told from one thread: {times(found.ratio.ratio)} times as fast"
    return (
        f"no measured shape of {who} fits faster than one thread: the best one, {cores}, "
        f"takes {times(1 / found.ratio.ratio)} times as long"
    )


def _cores(found: Verdict) -> str:
    return f"{found.cores} worker core{'s' if found.cores != 1 else ''}"


def _certainty(found: Verdict, few: int) -> str:
    ratio = found.ratio.turned if found.ratio and found.kind == "not reached" else found.ratio
    if ratio is None or (ends := ratio.interval) is None:
        return sure(few)
    return f"The 95% interval of {counted(few, 'run')} a side is {times(ends[0])} to {times(ends[1])} times."


def _details(match: Match, *, several: bool) -> str:
    """Say the verdicts on fit and whole pass in full."""
    where = f"{match.rivals.where}: " if several else ""
    if match.refused or not match.counted:
        why = match.refused or "; ".join(f"{point.trial.size}: {point.refused}" for point in match.points)
        return f"{where}no COST of {match.rivals.counterpart} is claimed ({why})"
    said = "; ".join(_sentence(match, verdict(match, phase)) for phase in _PHASES)
    few = _applications(match)
    if few >= LEAST_FOR_INTERVAL:
        return where + said
    return f"{where}from {few} application(s) a side, which is a look and no claim (it takes {LEAST_FOR_INTERVAL}): {said}"


def _applications(match: Match) -> int:
    """Return the number of applications of the trial that has the fewest."""
    trials = [match.single, *(point.trial for point in match.counted)]
    return min(len(item.measured) for item in trials if item)


def _sentence(match: Match, found: Verdict) -> str:
    what = {"fit": f"COST of the fit of {match.rivals.counterpart}", TOTAL: "all phases together"}[
        found.phase
    ]
    if found.ratio is None or found.ratio.ratio is None:
        return f"{what}: not measured"
    cores = _cores(found)
    if found.kind == "reached":
        return f"{what}: {cores} ({_words(found.ratio)})"
    if found.kind == "undecided":
        return f"{what}: cannot be told (at best, on {cores}, {_words(found.ratio)})"
    return f"{what}: not reached on this host (at best, on {cores}, {_words(found.ratio.turned)})"


def _words(ratio: Ratio) -> str:
    text = f"{ratio.ratio:.2f} times {ratio.direction} as one thread"
    return text if ratio.low is None else f"{text}, 95% interval {ratio.low:.2f}\u2013{ratio.high:.2f}"


def _table(match: Match) -> Table:
    assert match.single is not None
    metric = match.rivals.metric
    header = [
        "trial",
        "worker cores",
        "iterations",
        metric_name(metric),
        "fit s",
        "fit as fast",
        "total s",
        "total as fast",
    ]
    rows = [["one thread", NONE, *_cells(match.single, metric, [None, None])]]
    for point in match.points:
        ratios = [None if point.refused else faster(match, point, phase) for phase in _PHASES]
        tag = "" if point.trial.shape_tag == "clean" else f" {point.trial.shape_tag}"
        label = f"{match.rivals.counterpart} {point.trial.size}{tag}"
        rows.append([label, str(point.cores), *_cells(point.trial, metric, ratios)])
    return Table(header, rows)


def _cells(trial: Outcome, metric: str, ratios: Sequence[Ratio | None]) -> Iterator[str]:
    value = quality(trial).get(metric)
    yield str(iterations(trial))
    yield NONE if value is None else f"{value:.4f}"
    for phase, ratio in zip(_PHASES, ratios, strict=True):
        yield seconds(spread(trial, phase))
        yield NONE if ratio is None else ratio_text(ratio)


def _plots(match: Match, number: int) -> Iterator[Plot]:
    if match.single is None:
        return
    drawn = [point for point in match.points if point.trial.shape_tag != "oversubscribed"]
    caption = (
        f"Median seconds of a fit of {match.rivals.counterpart} over its worker cores; the line across is one thread "
        f"({match.rivals.model}). Bars: 95% intervals, or least to most repeat where there are too few applications. "
        "Hollow: shared-host."
    )
    yield Plot(f"cost-{number}", caption, lambda axes: over_cores(axes, match, drawn), (7.5, 4.2))
    if match.target is not None:
        caption = (
            "nDCG over the median seconds of a fit, one point for each number of iterations. "
            "Dashed: the nDCG that both must reach."
        )
        yield Plot(f"cost-quality-{number}", caption, lambda axes: over_time(axes, match), (7.5, 4.2))


def _notes(match: Match) -> Iterator[str]:
    refused = by_statement((point.trial.label, point.refused) for point in match.points if point.refused)
    yield from (f"COST leaves out {', '.join(labels)}: {why}" for why, labels in refused.items())
    if match.single is None:
        return
    if match.target is None:
        yield f"equal quality: same iterations and regularisation, RMSE at most {SAME_RMSE} apart"
    else:
        yield (
            f"equal quality: of each side the fewest iterations tried that reach an nDCG of {match.target:.4f}, which is "
            f"{SAME_NDCG:.0%} of the lower of both sides' best"
        )
        yield from _censored(match)
    against = [(point, faster(match, point, phase)) for point in match.counted for phase in _PHASES]
    yield from ratio_notes(
        (f"{point.trial.label} against one thread", ratio) for point, ratio in against if ratio
    )
    yield _FACTS
    known = quality(match.single)
    if "single_fetch_s" in known:
        parts = ", ".join(
            f"{known[name]:.2f} s {part.removesuffix('_s')}"
            for name in known
            if (part := SINGLE.word_of(name)) is not None and part.endswith("_s")
        )
        speed = f"; {known['single_solve_gflops']:.1f} GFLOP/s" if "single_solve_gflops" in known else ""
        yield f"one thread's last fit: {parts}{speed}; processor time of the process over its thread's: {known['single_threads']:.2f}"


def _censored(match: Match) -> Iterator[str]:
    """Say of which trials fewer iterations than were tried may reach the quality too."""
    assert match.single is not None
    sides = [(match.single, match.rivals.singles)]
    sides += [(point.trial, match.rivals.sparks) for point in match.counted]
    least = [
        trial.label for trial, tried in sides if iterations(trial) == min(iterations(item) for item in tried)
    ]
    if least:
        yield f"fewer iterations than the fewest that were tried may reach it too: {', '.join(least)}"


def _plain(match: Match) -> dict[str, Any]:
    found: Rivals = match.rivals
    verdicts = [verdict(match, phase) for phase in _PHASES] if match.counted and match.single else []
    return {
        "model": found.model,
        "counterpart": found.counterpart,
        "where": found.where,
        "metric": found.metric,
        "target": match.target,
        "refused": match.refused,
        "verdicts": [
            {
                "phase": item.phase,
                "kind": item.kind,
                "cores": item.cores,
                **(item.ratio.as_json() if item.ratio else {}),
            }
            for item in verdicts
        ],
        "single_fit_s": statistics.median(medians(match.single, "fit")) if match.single else None,
        "points": [
            {
                "cores": point.cores,
                "shape": str(point.trial.size),
                "tag": point.trial.shape_tag,
                "iterations": iterations(point.trial),
                "refused": point.refused,
                "fit_s": statistics.median(medians(point.trial, "fit")),
            }
            for point in match.points
        ],
        "curves": [curve(trials, found.metric) for trials in (found.singles, *shapes(found))]
        if match.target
        else [],
    }


FIND = _find
