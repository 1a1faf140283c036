"""Turns the recorded trials of an experiment into a terminal table, pictures, one HTML page and one JSON file."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets.errors import UsageError
from experiments.analysis import Averaged, Compared, compare, means, speedup, spread
from experiments.numbers import TOTAL, cold, phases, quality, repeats
from experiments.outcome import Application, Outcome
from experiments.page import Section, render
from experiments.plots import plots
from experiments.spec import Experiment
from experiments.tables import as_markdown, as_text, comparison_table, main_table, mean_table, notes
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
    compared: list[Compared]
    averaged: list[Averaged]

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
        good = [outcome for outcome in outcomes if outcome.measured]
        return cls(
            experiment,
            list(outcomes),
            list(compare(experiment.comparisons, good)),
            list(means(experiment.means, good)),
        )

    @property
    def sections(self) -> list[Section]:
        """Its tables, those without rows left out."""
        tables = [
            Section("Trials", main_table(self.outcomes)),
            Section("Comparisons", comparison_table(self.compared)),
            Section("Means", mean_table(self.averaged)),
        ]
        return [section for section in tables if section.table.rows]

    def text(self) -> str:
        """Return it for a terminal."""
        tables = [as_text(section.table) for section in self.sections]
        return "\n\n".join([*tables, "\n".join(notes(self.outcomes))])

    def markdown(self) -> str:
        """Return it for the page of the parent run."""
        tables = [f"### {section.title}\n\n{as_markdown(section.table)}" for section in self.sections]
        lines = "\n".join(f"- {note}" for note in notes(self.outcomes))
        return "\n\n".join([self.experiment.question, *tables, lines])

    def write(self, folder: Path) -> list[Path]:
        """Write NAME.html, NAME.json and the pictures; return their paths, the page first."""
        folder.mkdir(parents=True, exist_ok=True)
        name = self.experiment.name
        pictures = list(plots(self.outcomes, self.compared))
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
                sections=self.sections,
                pictures=pictures,
                notes=notes(self.outcomes),
                facts=facts,
            ),
            encoding="utf-8",
        )
        write_json(folder / f"{name}.json", self.as_json())
        written = [page, folder / f"{name}.json"]
        for picture in pictures:
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
            "comparisons": [_comparison(item) for item in self.compared],
            "means": [dataclasses.asdict(item) for item in self.averaged],
            "notes": notes(self.outcomes),
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


def _comparison(item: Compared) -> dict[str, Any]:
    return {
        "baseline": dict(item.baseline),
        "contender": dict(item.contender),
        "metric": item.metric,
        "where": item.where,
        "ratio": item.result.ratio,
        "low": item.result.low,
        "high": item.result.high,
        "refused": item.result.refused,
    }
