"""Turns the recorded trials of an experiment into a terminal table, pictures, one HTML page, JSON and CSV."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import UsageError
from core.text_tables import wrapped
from experiments.page.document import Document
from experiments.page.facts import facts_of
from experiments.page.finding import Finding
from experiments.page.index import header
from experiments.page.plots import plots
from experiments.page.raw_values import as_csv, strict, trial_json
from experiments.page.tables import Table, as_markdown, main_table, notes
from experiments.page.text_tables import as_text
from experiments.report.answer import answer_of
from experiments.report.method import asked, data_of, method_of
from experiments.report.overhead import overhead
from experiments.report.sections import FINDINGS
from experiments.results.outcome import Outcome
from experiments.spec.experiment import Experiment


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
            notes=(*notes(outcomes), *overhead(outcomes)),
        )
        return cls(experiment, list(outcomes), [trials, *(item for item in found if item)])

    @property
    def answer(self) -> str:
        """Two short sentences at most: what was found, and how sure it is."""
        return answer_of(self.findings, self.outcomes)

    def text(self) -> str:
        """Return it for a terminal."""
        below = _lines(self.findings, as_text, str.upper, "", said=self.answer, fit=wrapped)
        return "\n\n".join([wrapped(self.answer), *below])

    def markdown(self) -> str:
        """Return it for the page of the parent run."""
        return "\n\n".join(
            [
                self.experiment.question,
                f"**{self.answer}**",
                *_lines(self.findings, as_markdown, "### {}".format, "- ", said=self.answer),
            ]
        )

    def write(self, folder: Path) -> list[Path]:
        """Write NAME.html, NAME.json, NAME.csv, the pictures as PNG and SVG, and the index.

        Returns:
            Their paths, the page first, then the JSON; the index is not among them.
        """
        return self.document.write(folder)

    @property
    def document(self) -> Document:
        """The page and what is written beside it."""
        name = self.experiment.name
        return Document(
            name,
            name,
            self.experiment.question,
            self.answer,
            self.findings,
            self.as_json(),
            as_csv(self.outcomes),
            facts={**dict(data_of(self.outcomes)), **facts_of(self.outcomes[-1].environment)},
            glance=self._glance(),
            method=method_of(self.outcomes),
            asked=asked(self.experiment),
        )

    def as_json(self) -> dict[str, Any]:
        """Return every number of every trial, and what the findings say."""
        values = {
            **{key: value for finding in self.findings for key, value in finding.data.items()},
            **header(
                self.experiment.name,
                self.experiment.question,
                self.answer,
                max(outcome.ended_at for outcome in self.outcomes),
                ok=len(self.outcomes) - len(self._bad),
                failed=len(self._bad),
            ),
            "environment": self.outcomes[-1].environment,
            "trials": [trial_json(outcome, self.outcomes) for outcome in self.outcomes],
            "notes": [note for finding in self.findings for note in finding.notes],
        }
        return {key: strict(value) for key, value in values.items()}

    @property
    def _bad(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.status != "ok"]

    def _glance(self) -> list[tuple[str, str]]:
        """Return what a reader sees first: how many trials, how many not ok, when, on what."""
        count = len(self.outcomes)
        found = [("trials", f"{count} trial{'s' * (count != 1)}")]
        if self._bad:
            found.append(("bad", f"{len(self._bad)} did not end well"))
        ended = max(outcome.ended_at for outcome in self.outcomes)
        found.append(("when", time.strftime("%Y-%m-%d %H:%M", time.localtime(ended))))
        names = dict.fromkeys(str(item.data["name"]) for item in self.outcomes if item.data)
        found += [("data", ", ".join(names))] if names else []
        environment = self.outcomes[-1].environment
        if "host.cores" in environment:
            memory = environment.get("host.memory_gib")
            found.append(
                ("host", f"{environment['host.cores']} cores" + (f", {memory} GiB" if memory else ""))
            )
        return found


def _lines(
    findings: Sequence[Finding],
    write: Callable[[Table], str],
    heading: Callable[[str], str],
    bullet: str,
    *,
    said: str,
    fit: Callable[[str], str] = str,
) -> Iterator[str]:
    """Yield the paragraphs of a report below its answer; `fit` breaks the lines of those that are no tables."""
    for finding in findings:
        yield heading(finding.title)
        yield from (fit(text) for text in (finding.answer, finding.why) if text and text != said)
        yield from (write(table) for table in finding.tables)
        if finding.notes:
            yield "\n".join(fit(bullet + note) for note in finding.notes)
