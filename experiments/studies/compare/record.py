"""A comparison in MLflow: a parent with its verdicts, and a child for each side."""

import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from experiments.metric_table import (
    APPLICATIONS,
    DIFFERENCE,
    PAIR_RATIO,
    SECONDS,
    TIMINGS,
    TOTAL,
    quality_name,
)
from experiments.page.finding import MARKDOWN, paragraphs
from experiments.record.run_tags import LONGEST_NOTE, NOTE, PREFIX, as_text
from experiments.record.run_tree import Node
from experiments.results.metrics import Number, medians, phases
from experiments.results.metrics import quality as quality_numbers
from experiments.results.outcome import Outcome
from experiments.spec.tables import JOB
from experiments.studies.compare.findings import findings
from experiments.studies.compare.ledger import STATE, Ledger
from experiments.studies.compare.sides import NAMES
from experiments.studies.compare.verdict import Verdict

KIND = "comparison"
SIDE = "comparison-side"


def tree_of(ledger: Ledger, verdict: Verdict, report: Sequence[Path] = ()) -> Node:
    """Return the runs of a comparison, with the files of its report. Their kinds tell them from trials, so that no report counts them as such."""
    words = ledger.about["sides"]
    found = verdict.timing
    note = "\n\n".join(paragraphs(findings(ledger, verdict), MARKDOWN))
    tags = {
        f"{PREFIX}key": ledger.about["key"],
        f"{PREFIX}baseline": words["baseline"],
        f"{PREFIX}contender": words["contender"],
        f"{PREFIX}metric": verdict.metric,
        f"{PREFIX}verdict": found.verdict,
        f"{PREFIX}quality": verdict.quality,
        NOTE: note[:LONGEST_NOTE],
    }
    return Node(
        name=f"compare {words['contender']} against {words['baseline']}",
        kind=KIND,
        tags=tags,
        params={"metric": verdict.metric, "pairs": str(ledger.pairs)},
        metrics=list(_numbers(verdict)),
        files=[ledger.folder / STATE, *report],
        children=[_side(name, ledger.sides[name], ledger.pilots[name], words[name]) for name in NAMES],
    )


def _side(name: str, outcome: Outcome, pilot: Outcome, words: str) -> Node:
    described = {key: as_text(value) for key, value in outcome.environment.items()}
    values: dict[str, Any] = {JOB: outcome.job, **outcome.values, "repeats": outcome.repeats, "side": name}
    return Node(
        name=f"{name}: {words}",
        kind=SIDE,
        tags={**described, f"{PREFIX}side": name, f"{PREFIX}shape_tag": outcome.shape_tag},
        params={key: as_text(value) for key, value in values.items()},
        metrics=[
            *_seconds(outcome),
            *(Number(quality_name(key), value) for key, value in quality_numbers(pilot).items()),
        ],
    )


def _numbers(verdict: Verdict) -> Iterator[Number]:
    found = verdict.timing
    for metric in TIMINGS:
        value = getattr(found, metric.key)
        if value is not None:
            yield Number(metric.name, value)
    for pair, (baseline, contender) in enumerate(found.pairs):
        yield Number(PAIR_RATIO.name, contender / baseline, pair)
    for item in verdict.qualities:
        yield Number(DIFFERENCE.of(item.metric), item.difference)


def _seconds(outcome: Outcome) -> Iterator[Number]:
    for phase in [*phases(outcome), TOTAL]:
        found = medians(outcome, phase)
        yield from (Number(APPLICATIONS.of(phase), value, step) for step, value in enumerate(found))
        if found:
            yield Number(SECONDS.of(phase), statistics.median(found))
