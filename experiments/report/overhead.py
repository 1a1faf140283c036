"""Overhead of the harness: seconds around an application, and seconds to keep and record a trial."""

import statistics
from collections.abc import Sequence

from experiments.results.outcome import Outcome

_MINUTE = 60.0


def overhead(outcomes: Sequence[Outcome]) -> list[str]:
    """Say it in sentences, as far as it is known."""
    return [*_around(outcomes), *_recording(outcomes)]


def recording(outcome: Outcome) -> float | None:
    """Return the seconds that recording a trial took: reading event logs, keeping results on disk, MLflow."""
    kept = [item.kept_s for item in outcome.applications]
    if outcome.recording_s is None or None in kept:
        return None
    return outcome.recording_s + sum(seconds for seconds in kept if seconds is not None)


def _around(outcomes: Sequence[Outcome]) -> list[str]:
    measured = [item for outcome in outcomes for item in outcome.measured]
    first = [item for item in measured if item.share is None or item.share.place == 1]
    later = [item for item in measured if item.share is not None and item.share.place > 1]
    parts = [
        ("from the start of an application to its session", [item.ready_s for item in measured]),
        ("to its first phase", [item.start_s for item in first]),
        ("to that of a later trial in it", [item.start_s for item in later]),
        ("from its last phase to its end, judging included", [item.stop_s for item in measured]),
        ("to record a trial", [outcome.recording_s for outcome in outcomes]),
    ]
    known = [(what, [value for value in values if value is not None]) for what, values in parts]
    words = [f"{statistics.median(values):.2f} s {what}" for what, values in known if values]
    return [f"harness: {', '.join(words)}"] if words else []


def _recording(outcomes: Sequence[Outcome]) -> list[str]:
    found = [
        (seconds, seconds / total)
        for outcome in outcomes
        if (seconds := recording(outcome)) is not None
        and (total := sum(item.seconds for item in outcome.applications))
    ]
    if not found:
        return []
    typical = statistics.median(seconds for seconds, _ in found)
    shares = [share for _, share in found]
    shown = (
        f"recording: event logs, results on disk and MLflow together take {typical:.2f} s a trial, after its "
        f"applications: {statistics.median(shares):.2%} of its time (most {max(shares):.2%}; of a trial of a minute it "
        f"would be {typical / _MINUTE:.2%})"
    )
    return [shown]
