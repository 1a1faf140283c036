"""Turns the recorded trials of an experiment into a terminal table, pictures, one HTML page and one JSON file."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets.errors import UsageError
from experiments.analysis import speedup, spread
from experiments.finding import Finding
from experiments.findings import FINDINGS
from experiments.numbers import TOTAL, cold, phases, quality, repeats
from experiments.outcome import Application, Outcome
from experiments.page import render
from experiments.plots import plots
from experiments.spec import Experiment
from experiments.tables import Table, as_markdown, as_text, main_table, notes
from jobs.request import write_json

_FACTS = (
    "host.cpu", "host.cores", "host.memory_gib", "host.system", "version.python", "version.java", "version.pyspark",
    "version.mlflow", "git.commit", "git.dirty", "hash.code", "hash.lock",
)  # fmt: skip


@dataclass(frozen=True)
class Report:
    """An experiment with its recorded outcomes and what they say."""

    experiment: Experiment
    outcomes: list[Outcome]
    findings: list[Finding]

    @classmethod
    def of(cls, experiment: Experiment, outcomes: Sequence[Outcome]) -> "Report":
        """Analyse the outcomes.

        Raises:
            UsageError: there are none.
        """
        if not outcomes:
            raise UsageError(
                f"nothing is recorded of {experiment.name}; run it first (make experiment NAME={experiment.name})"
            )
        found = [find(experiment, outcomes) for find in FINDINGS.values()]
        trials = Finding(
            "Trials",
            tables=(main_table(outcomes),),
            plots=tuple(plots(outcomes)),
            notes=tuple(notes(outcomes)),
        )
        return cls(experiment, list(outcomes), [trials, *(item for item in found if item)])

    def text(self) -> str:
        """Return it for a terminal."""
        return "\n\n".join(_lines(self.findings, as_text, title="", bullet=""))

    def markdown(self) -> str:
        """Return it for the page of the parent run."""
        return "\n\n".join([self.experiment.question, *_lines(self.findings, as_markdown, "### ", "- ")])

    def write(self, folder: Path) -> list[Path]:
        """Write NAME.html, NAME.json and the pictures; return their paths, the page first."""
        folder.mkdir(parents=True, exist_ok=True)
        name = self.experiment.name
        page = folder / f"{name}.html"
        environment = self.outcomes[-1].environment
        facts = {
            key.replace(".", " "): environment[key]
            for key in _FACTS
            if environment.get(key) not in (None, "")
        }
        page.write_text(
            render(
                name,
                self.experiment.question,
                findings=self.findings,
                facts=facts,
            ),
            encoding="utf-8",
        )
        write_json(folder / f"{name}.json", self.as_json())
        written = [page, folder / f"{name}.json"]
        for picture in (plot for finding in self.findings for plot in finding.plots):
            path = folder / f"{name}-{picture.name}.png"
            path.write_bytes(picture.png("light"))
            written.append(path)
        return written

    def as_json(self) -> dict[str, Any]:
        """Return every number of every trial, and the comparisons."""
        return {
            "experiment": self.experiment.name,
            "question": self.experiment.question,
            "environment": self.outcomes[-1].environment,
            "trials": [self._trial(outcome) for outcome in self.outcomes],
            "notes": [note for finding in self.findings for note in finding.notes],
            **{key: value for finding in self.findings for key, value in finding.data.items()},
        }

    def _trial(self, outcome: Outcome) -> dict[str, Any]:
        found = speedup(outcome, self.outcomes)
        times = {phase: spread(outcome, phase) for phase in [*phases(outcome), TOTAL]}
        return {
            "label": outcome.label,
            "key": outcome.key,
            "attempt": outcome.attempt,
            "job": outcome.job,
            "status": outcome.status,
            "error": outcome.error,
            "params": outcome.values,
            "shape": {**outcome.shape, "tag": outcome.shape_tag},
            "data": outcome.data,
            "tags": outcome.tags,
            "executors_lost": outcome.executors_lost,
            "warmups": outcome.warmups,
            "repeats": outcome.repeats,
            "metrics": quality(outcome),
            "seconds": {phase: dataclasses.asdict(item) for phase, item in times.items() if item},
            "speedup": dataclasses.asdict(found) if found else None,
            "recording_s": outcome.recording_s,
            "applications": [_application(item) for item in outcome.applications],
        }


def _application(item: Application) -> dict[str, Any]:
    names = dict.fromkeys(time.phase for time in item.phases)
    return {
        "application": item.number,
        "status": item.status,
        "error": item.error,
        "metrics": item.metrics,
        "counts": item.counts,
        "phases": {name: {"cold_s": cold(item, name), "repeats_s": repeats(item, name)} for name in names},
        "ready_s": item.ready_s,
        "start_s": item.start_s,
        "stop_s": item.stop_s,
        "executors_lost": item.executors_lost,
        "info": item.info,
    }


def _lines(
    findings: Sequence[Finding], write: Callable[[Table], str], title: str, bullet: str
) -> Iterator[str]:
    """Yield the paragraphs of a report; without a sign for titles there are none."""
    for finding in findings:
        if title:
            yield title + finding.title
        if finding.answer:
            yield finding.answer
        yield from (write(table) for table in finding.tables)
        if finding.notes:
            yield "\n".join(bullet + note for note in finding.notes)
