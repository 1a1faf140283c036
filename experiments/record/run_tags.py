"""Parameters, tags and notes of a trial's record: few, flat and readable as columns."""

import getpass
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.errors import RecordingError
from experiments.metric import Metric
from experiments.metric_table import LAG, METRICS, RATE, SECONDS, VIEW, quality_name
from experiments.results.metrics import numbers, phases, quality, relevant_of
from experiments.results.outcome import Outcome
from experiments.results.windows import lags, rates
from experiments.spec.tables import JOB, under
from experiments.spec.trial import SHARED
from experiments.stats.families import SHARED_LOOK
from experiments.telemetry.bottleneck.verdict import verdict

if TYPE_CHECKING:
    from experiments.record.tracking import Run  # it takes seconds to import

PREFIX = "recscale."
TRIAL, EXPERIMENT = "trial", "experiment"
NOTE = "mlflow.note.content"
LONGEST_NOTE = 7000
_LONGEST_PARAM = 6000
LONGEST_TAG = 5000
_KEY_LETTERS = 16
_INFO = ("application_id", "spark_version", "selected", "relevant_rows", "table_versions")
VIEW_NAME = "trials"
_KEYS_A_TAG = 250


def params(outcome: Outcome) -> dict[str, str]:
    """Return what was asked for: every value that defines the trial, and how often it was measured."""
    applications = SHARED if outcome.shared else outcome.wanted
    effort = {"applications": applications, "repeats": outcome.repeats, "warmups": outcome.warmups}
    values = {JOB: outcome.job, **_resolved(outcome), **outcome.values, **effort}
    return {key: as_text(value)[:_LONGEST_PARAM] for key, value in values.items()}


def view_state(columns: Sequence[str]) -> str:
    """Write a view of MLflow's run page: the trials alone, by name, with these columns; their charts come first.

    By itself the page would begin with the charts of overhead and telemetry, whose sections sort before "Model metrics".
    """
    drawn = [column[len("metrics.`") : -1] for column in columns if column.startswith("metrics.")]
    chart = {
        "type": "BAR",
        "runsCountToCompare": 20,
        "metricSectionId": "main",
        "deleted": False,
        "isGenerated": True,
    }
    chosen = {
        "compareRunSections": [
            {"uuid": "main", "name": "Model metrics", "display": True, "isReordered": True}
        ],
        "compareRunCharts": [{**chart, "uuid": f"bar-{name}", "metricKey": name} for name in drawn],
        "isAccordionReordered": True,
        "searchFilter": f"tags.`{PREFIX}kind` = '{TRIAL}'",
        "orderByKey": "attributes.`run_name`",
        "orderByAsc": True,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": list(columns),
    }
    return json.dumps(chosen)


def shown_columns(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the columns that tell the trials apart and say what they cost and are worth."""
    every = [outcome.values for outcome in outcomes]
    known = dict.fromkeys(key for values in every for key in values)
    varying = [key for key in known if len({as_text(values.get(key)) for values in every}) > 1]
    found = {number.name for outcome in outcomes for number in numbers(outcome)}
    words = {
        SECONDS.source: dict.fromkeys(phase for outcome in outcomes for phase in phases(outcome)),
        RATE.source: dict.fromkeys(name for outcome in outcomes for name in rates(outcome)),
        LAG.source: dict.fromkeys(name for outcome in outcomes for name in lags(outcome)),
    }
    judged = {key for outcome in outcomes for key in quality(outcome)}
    shown = dict.fromkeys(
        name for metric in METRICS if VIEW in metric.shown for name in _names(metric, words, judged)
    )
    metrics = [f"metrics.`{name}`" for name in shown if name in found]
    return [*(f"params.`{key}`" for key in varying), *metrics, f"tags.`{PREFIX}shape_tag`"]


def _names(metric: Metric, words: Mapping[str, Iterable[str]], judged: Iterable[str]) -> list[str]:
    """Return the names of a metric that jobs judge, or that has one for each of its source's phases, rates or lags."""
    if metric.of_job:
        return [quality_name(key) for key in metric.among(judged)]
    return [metric.of(word) for word in words[metric.source]]


def tags(outcome: Outcome) -> dict[str, str]:
    """Return what is true of the run besides its numbers."""
    measured = outcome.measured
    info = measured[0].info if measured else {}
    own = {
        "kind": TRIAL,
        "status": outcome.status,
        "key": outcome.key,
        "attempt": outcome.attempt,
        "shape": str(outcome.size),
        "shape_tag": outcome.shape_tag,
        "executors_lost": outcome.executors_lost,
        "applications": len(measured),
        "source": outcome.data.get("name", "none"),
        "data_digest": outcome.data.get("digest", ""),
        **outcome.tags,
    }
    if versions := outcome.data.get("versions"):
        own["data_versions"] = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    died = sorted({name for item in outcome.applications for name in item.died})
    if died:
        own["died"] = ", ".join(died)
    if share := outcome.share:
        own["shared"] = f"trial {share.place} of {share.of} in one application"
    if outcome.error:
        own["error"] = outcome.error
    if told := [*outcome.data.get("warnings", ()), *outcome.warnings]:
        own["warnings"] = "\n".join(told)
    judged = verdict(outcome)
    if judged:
        own |= {"bottleneck": judged.cause or "none", "verdict": judged.sentence}
    described = {**outcome.environment, **{key: info[key] for key in _INFO if key in info}}
    named = {f"{PREFIX}{key}": value for key, value in own.items()} | described
    named[NOTE] = note(outcome)
    named["mlflow.source.name"] = f"python -m experiments run {outcome.experiment}"
    named["mlflow.source.type"] = "LOCAL"
    named["mlflow.user"] = _user()
    if outcome.environment.get("git.commit"):
        named["mlflow.source.git.commit"] = outcome.environment["git.commit"]
    return cut(named)


def _resolved(outcome: Outcome) -> dict[str, Any]:
    """Hyper-parameters as the model had them (defaults, and what was chosen on the validation part), and what was relevant."""
    if not outcome.measured:
        return {}
    judged = relevant_of(outcome, "relevant")
    values = json.loads(outcome.measured[0].info.get("hyper_parameters", "{}"))
    return {**under("model", values), **({"job.relevant": judged} if judged else {})}


def note(outcome: Outcome) -> str:
    """Say in a few lines of Markdown how the trial went."""
    lines = [
        f"**{outcome.label}**: {outcome.status}, {len(outcome.measured)} of {outcome.wanted} applications"
    ]
    if share := outcome.share:
        lines.append(
            f"{SHARED_LOOK} (trial {share.place} of {share.of}): no interval, no speed-up, no comparison."
        )
    if outcome.shape_tag != "clean":
        lines.append(_SHAPE_NOTES[outcome.shape_tag])
    if outcome.executors_lost:
        lines.append(
            f"{outcome.executors_lost} executor(s) were lost while it ran; its times are not to be trusted."
        )
    lines += [f"Warning: {text}" for text in (*outcome.data.get("warnings", ()), *outcome.warnings)]
    if outcome.error:
        lines.append(f"```\n{outcome.error}\n```")
    return "\n\n".join(lines)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return ""


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Say what differs between what two groups of trials were made of; data sets and settings count where both have them."""
    if old.get("keys", 1) != new.get("keys", 1):
        return [f"{_KEYS_CHANGED} changed"]
    found = []
    if old.get("code") != new.get("code"):
        found.append("the code of jobs or datasets changed")
    if old.get("lock") != new.get("lock"):
        found.append("the locked packages changed")
    if old.get("place") != new.get("place"):
        found.append("the host, its Java, the driver's memory or an external master changed")
    found += [f"the rows of {slug} changed" for slug, _, _ in _differ(old, new, "data")]
    found += [f"{key} changed from {was} to {now}" for key, was, now in _differ(old, new, "settings")]
    return found


_KEYS_CHANGED = (
    "what a trial's key covers (finished trials of another version do not count, for that one did not note all settings "
    "that change a time)"
)


def _differ(old: Mapping[str, Any], new: Mapping[str, Any], part: str) -> list[tuple[str, Any, Any]]:
    """Return the names, old and new values that differ in a part that both may have."""
    before, after = old.get(part, {}), new.get(part, {})
    both = sorted(before.keys() & after.keys())
    return [(key, before[key], after[key]) for key in both if before[key] != after[key]]


def tag_of(run: "Run", name: str) -> str:
    """Return a tag that every run of ours of that kind has.

    Raises:
        RecordingError: somebody took it away.
    """
    try:
        return str(run.tags[PREFIX + name])
    except KeyError:
        raise RecordingError(
            f"the MLflow run {run.run_id} ({run.name}) lacks its tag {PREFIX}{name}, which somebody removed: "
            "put it back, or delete the run"
        ) from None


def short_key(key: str) -> str:
    """Return as much of a trial's key as a list of keys holds."""
    return key[:_KEY_LETTERS]


def key_tags(keys: Sequence[str]) -> dict[str, str]:
    """Write the keys of an experiment's trials as tags, in their order, some hundred to a tag."""
    short = [short_key(key) for key in keys]
    chunks = [short[start : start + _KEYS_A_TAG] for start in range(0, len(short), _KEYS_A_TAG)]
    named = {f"{PREFIX}keys.{number}": ",".join(chunk) for number, chunk in enumerate(chunks)}
    return {f"{PREFIX}keys": str(len(chunks)), **named}


def read_keys(run_tags: Mapping[str, str]) -> list[str]:
    """Read what `key_tags` wrote."""
    chunks = range(int(run_tags.get(f"{PREFIX}keys", 0)))
    return [key for number in chunks for key in run_tags[f"{PREFIX}keys.{number}"].split(",")]


def cut(values: Mapping[str, Any]) -> dict[str, str]:
    """Write values as tags or parameters, none longer than MLflow takes."""
    return {key: as_text(value)[:LONGEST_TAG] for key, value in values.items()}


def as_text(value: Any) -> str:
    """Write a value as a spec would show it."""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)


_SHAPE_NOTES = {
    "shared-host": "Its workers have as many cores as the host, which driver and servers need too (shared-host).",
    "external": "Its workers are an external master's: how many cores their machines have is not seen from here.",
    "oversubscribed": "Its workers have more cores than the host: no claim about scaling (oversubscribed).",
}
