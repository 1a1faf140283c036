"""Tables of trials and comparisons: the same rows for the terminal, for Markdown and for the page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.metric_table import COVERAGE, FLOOR, METRICS, NDCG, RMSE, SECONDS, TRIALS, metric_name
from experiments.page.merged_notes import TrialNames, by_statement, with_ranges
from experiments.results.metrics import phases, quality, relevant_of
from experiments.results.model_equality import allowed
from experiments.results.outcome import Outcome
from experiments.results.windows import has_windows
from experiments.spec.tables import MODEL, short
from experiments.stats.families import SHARED_LOOK
from experiments.stats.faster import Compared, speedup
from experiments.stats.intervals import LEAST_FOR_INTERVAL
from experiments.stats.ratios import Ratio
from experiments.stats.ratios import notes as ratio_notes
from experiments.stats.summaries import Averaged, Spread, spread

NONE = "\u2013"
_MOST_OTHERS = 4
_TAG_NOTES = {
    "shared-host": "shared-host: as many worker cores as the host has, which driver and servers need too",
    "external": "external: what else the machines of these workers do, and how many cores they have, is not seen from here",
    "oversubscribed": "oversubscribed: more worker cores than the host has; no speed-up is claimed",
}
_INTERVALS = "intervals of seconds take applications as independent (nothing is promised where the host drifts), ratios are paired by round"
_OVERRIDE = "--allow-model-change: speed-ups are shown even where the model changed and the work was another"


@dataclass(frozen=True)
class Table:
    """Cells as text; the first column names the row."""

    header: list[str]
    rows: list[list[str]]


def main_table(outcomes: Sequence[Outcome]) -> Table:
    """One row a trial: median seconds of each phase (least to most), speed-up with its tag, quality."""
    named = list(dict.fromkeys(phase for outcome in outcomes for phase in phases(outcome)))
    shown = _quality_columns(outcomes)
    scaling = any(speedup(outcome, outcomes) for outcome in outcomes if not outcome.shared)
    header = ["trial", *(SECONDS.titled(phase) for phase in named)]
    header += ["speed-up"] * scaling + [title for title, _ in shown]
    rows = []
    for outcome in outcomes:
        row = [_name(outcome), *(seconds(spread(outcome, phase)) for phase in named)]
        if scaling:
            row.append(speedup_text(speedup(outcome, outcomes)))
        rows.append(row + [_metric(outcome, name) for _, name in shown])
    return Table(header, rows)


def comparison_table(compared: Sequence[Compared]) -> Table:
    """One row a comparison: how many times faster the contender is."""
    rows = [
        [
            side(item.contender),
            side(item.baseline),
            item.metric,
            item.where or NONE,
            ratio_text(item.result),
        ]
        for item in compared
    ]
    return Table(["contender", "baseline", "metric", "where", "times as fast"], rows)


def mean_table(averaged: Sequence[Averaged]) -> Table:
    """One row a mean over trials."""
    rows = [
        [
            f"mean {item.metric}",
            " \u00d7 ".join(short(key, item.over) for key in item.over),
            item.where or NONE,
            f"{item.mean:.4f}",
            str(len(item.values)),
        ]
        for item in averaged
    ]
    return Table(["metric", "over", "where", "value", "trials"], rows)


def notes(outcomes: Sequence[Outcome]) -> list[str]:
    """Say what a reader must know of these numbers: data really used, tags, losses, failures."""
    names = TrialNames(outcomes)
    lines = [*_sources(outcomes), *_relevant(outcomes, names), *_warnings(outcomes, names)]
    lines += [text for tag, text in _TAG_NOTES.items() if any(item.shape_tag == tag for item in outcomes)]
    lines += [_OVERRIDE] if any(map(allowed, outcomes)) else []
    lines += _refusals(outcomes, names)
    found = [(names.of([outcome]), speedup(outcome, outcomes)) for outcome in outcomes]
    lines += ratio_notes((f"speed-up of {name}", ratio) for name, ratio in found if ratio)
    lines += _losses(outcomes, names)
    own = [item for item in outcomes if item.measured and not item.shared]
    effort = sorted({(len(item.measured), item.warmups, item.repeats, has_windows(item)) for item in own})
    for applications, warmups, repeats, runs_on in effort:
        if runs_on:
            lines.append(
                f"{applications} application(s) of {warmups} warm-up and {repeats} measured window(s)"
            )
            continue
        interval = _INTERVALS if applications >= LEAST_FOR_INTERVAL else "too few applications for intervals"
        lines.append(
            f"{applications} application(s) of {warmups} warm-up(s) and {repeats} repeat(s): median of applications "
            f"(least\u2013most repeat); {interval}"
        )
    return lines + _looks(outcomes, names)


def _losses(outcomes: Sequence[Outcome], names: TrialNames) -> list[str]:
    """Say which trials lost executors, and which did not end well."""
    lost = by_statement(
        (item, f"{item.executors_lost} executor(s) lost while it ran")
        for item in outcomes
        if item.executors_lost
    )
    ended = by_statement(
        (item, f"{item.status}: {(item.error or 'no reason given').splitlines()[0]}")
        for item in outcomes
        if item.status != "ok"
    )
    return [f"{names.of(some)}: {text}" for found in (lost, ended) for text, some in found.items()]


def _looks(outcomes: Sequence[Outcome], names: TrialNames) -> list[str]:
    """Say which trials shared an application, and what follows from it."""
    shared = [item for item in outcomes if item.shared]
    if not shared:
        return []
    passes = sorted({(item.warmups, item.repeats) for item in shared})
    each = ", ".join(f"{warmups} warm-up(s) and {repeats} repeat(s)" for warmups, repeats in passes)
    how = f"{names.of(shared)} ran one after another in one application for each shape, each with {each}"
    what = "median (least\u2013most) of the repeats; no interval, no speed-up, no comparison with separate applications"
    return [f"{SHARED_LOOK}: {how}: {what}"]


def _relevant(outcomes: Sequence[Outcome], names: TrialNames) -> list[str]:
    """Say which test rows rankings count as relevant, and of which trials where they differ in it."""
    found = by_statement((item, said) for item in outcomes if (said := relevant_of(item)))
    return [
        f"relevant in rankings{' of ' + names.of(some) if len(found) > 1 else ''}: {said}"
        for said, some in found.items()
    ]


def _warnings(outcomes: Sequence[Outcome], names: TrialNames) -> list[str]:
    """Say once for all data sets and all trials of the same warning what it is."""
    of_data = by_statement(
        (item.data["name"], text) for item in outcomes for text in item.data.get("warnings", ())
    )
    who = {text: list(dict.fromkeys(found)) for text, found in of_data.items()}
    for text in dict.fromkeys(text for item in outcomes for text in item.warnings):
        who.setdefault(text, []).append(names.of([item for item in outcomes if text in item.warnings]))
    return [f"warning for {', '.join(whom)}: {text}" for text, whom in who.items()]


def _refusals(outcomes: Sequence[Outcome], names: TrialNames) -> list[str]:
    """Say once for all trials of the same reason why they have no speed-up, or why theirs means little."""
    found = [(item, result) for item in outcomes if (result := speedup(item, outcomes))]
    refused = with_ranges(
        (item, result.refused)
        for item, result in found
        if result.refused and not item.shared and "oversubscribed" not in result.refused
    )
    changed = with_ranges((item, result.changed) for item, result in found if result.changed)
    return [
        *(f"{names.of(some)}: no speed-up: {why}" for why, some in refused.items()),
        *(f"the speed-up of {names.of(some)} is of other work: {why}" for why, some in changed.items()),
    ]


def seconds(found: Spread | None) -> str:
    """Write a spread of seconds as "3.21 (3.10-3.40)"."""
    return spread_text(found, _short)


def spread_text(found: Spread | None, write: Callable[[float], str]) -> str:
    """Write a median with the least and the most in brackets, each as `write` does."""
    if found is None:
        return NONE
    if found.least == found.most:
        return write(found.median)
    return f"{write(found.median)} ({write(found.least)}\u2013{write(found.most)})"


def speedup_text(found: Ratio | None) -> str:
    """Write a speed-up with how far it may be trusted."""
    if found is None:
        return NONE
    if found.refused:
        return f"not claimed ({found.tag})" if found.tag == "oversubscribed" else "not claimed"
    tag = f" {found.tag}" if found.tag != "clean" else ""
    tag += " model changed" if found.changed else ""
    return f"{ratio_text(found)}{tag}"


def ratio_text(found: Ratio) -> str:
    """Write a ratio with its interval."""
    if found.ratio is None:
        return f"not claimed: {found.refused}"
    if found.low is None or found.high is None:
        return f"{found.ratio:.2f}\u00d7"
    independent = " unpaired" if found.unpaired else ""
    return f"{found.ratio:.2f}\u00d7 [{found.low:.2f}, {found.high:.2f}]{independent}"


def as_markdown(table: Table) -> str:
    """Write a table as Markdown."""
    rule = ["---"] + ["---:"] * (len(table.header) - 1)
    return "\n".join("| " + " | ".join(line) + " |" for line in [table.header, rule, *table.rows])


def side(selection: Mapping[str, Any]) -> str:
    """Write one side of a comparison."""
    words = (
        str(value) if key in ("phase", MODEL) else f"{short(key, selection)}={value}"
        for key, value in selection.items()
    )
    return " ".join(words)


def _quality_columns(outcomes: Sequence[Outcome]) -> list[tuple[str, str]]:
    present = {name for outcome in outcomes for name in quality(outcome)}
    # A job that judges no predictions: its own numbers, as they come.
    if not present & {RMSE.key, COVERAGE.key}:
        return [(name.replace("_", " "), name) for name in sorted(present)[:_MOST_OTHERS]]
    always = [metric for metric in METRICS if TRIALS in metric.shown and metric.of_job and metric != NDCG]
    shown = [metric.key for metric in always if metric != FLOOR or metric.key in present]
    return [(metric_name(key), key) for key in (*shown, *NDCG.among(present)[:1])]


def _metric(outcome: Outcome, name: str) -> str:
    found = quality(outcome)
    if name not in found:
        return "n/a" if outcome.measured else NONE
    if name == COVERAGE.key:
        return f"{found[name]:.1%}"
    value = found[name]
    return f"{value:.4f}" if 0.001 <= abs(value) < 10 else f"{value:.3g}"


def _name(outcome: Outcome) -> str:
    marks = {"ok": "", "failed": " FAILED", "killed": " interrupted", "running": " running"}
    return outcome.label + marks[outcome.status]


def _sources(outcomes: Sequence[Outcome]) -> list[str]:
    found: dict[str, None] = {}
    for outcome in outcomes:
        if outcome.data:
            text = f"data: {outcome.data['name']}, {outcome.data['rows']:,} rows"
            text += "".join(f", {key}={value}" for key, value in outcome.data.get("cleaning", {}).items())
            fallback = outcome.tags.get("fallback")
            found[text + (f" ({fallback})" if fallback else "")] = None
    return list(found)


def _short(value: float) -> str:
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"
