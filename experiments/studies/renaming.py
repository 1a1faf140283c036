"""Gives runs that an older version recorded the names that their metrics have now, so that MLflow draws both together."""

import statistics
from collections.abc import Iterator

from experiments.metric_names import APPLICATIONS, SECONDS, TOTAL, new_name, phase_of
from experiments.record.recorder import Recorder, explained
from experiments.record.run_tags import PREFIX
from experiments.results.metrics import Number
from experiments.studies.compare.record import SIDE

_ALL_SECONDS = SECONDS.of(TOTAL)


class Renamer(Recorder):
    """A recorder that adds metrics to runs that ended.

    MLflow cannot delete a single metric, so the old names stay beside the new ones.
    """

    def rename(self) -> dict[str, int]:
        """Add what is missing under today's names; return how many runs of each experiment got something.

        Raises:
            RecordingError: MLflow cannot be read or written; what was added stays, and the next call adds the rest.
        """
        with explained(self.uri):
            names = [place.name for place in self._client.search_experiments()]
            return {name: count for name in names if (count := self._of(name))}

    def _of(self, experiment: str) -> int:
        changed = 0
        for kind, missing in (("trial", self._of_trial), (SIDE, self._of_side)):
            for run in self._runs(experiment, f"tags.`{PREFIX}kind` = '{kind}'"):
                if found := list(missing(run.info.run_id, dict(run.data.metrics))):
                    self._log(run.info.run_id, {}, found, run.info.end_time or run.info.start_time)
                    changed += 1
        return changed

    def _of_trial(self, run_id: str, known: dict[str, float]) -> Iterator[Number]:
        for old in known:
            new = new_name(old)
            if new is not None and new not in known:
                yield from self._series(run_id, old, new)

    def _of_side(self, run_id: str, known: dict[str, float]) -> Iterator[Number]:
        """A side's seconds were series under the names that its medians have now."""
        for old in known:
            if old == _ALL_SECONDS or old.startswith("phase."):
                phase = phase_of(old)
                if APPLICATIONS.of(phase) in known:
                    continue
                found = list(self._series(run_id, old, APPLICATIONS.of(phase)))
                yield from found
                # MLflow shows the last step: of the series of all seconds, which keeps its name, too.
                middle = statistics.median(number.value for number in found)
                yield Number(SECONDS.of(phase), middle, len(found))
            elif (new := new_name(old)) is not None and new not in known:
                yield from self._series(run_id, old, new)

    def _series(self, run_id: str, old: str, new: str) -> Iterator[Number]:
        for metric in self._client.get_metric_history(run_id, old):
            yield Number(new, metric.value, metric.step)
