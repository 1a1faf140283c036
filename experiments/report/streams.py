"""Page of a stream's run: what it read, how long its batches took, how far behind it was, and what failed."""

import dataclasses
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from cluster.lifecycle import Cluster
from cluster.settings import Settings
from core.errors import UsageError
from core.units import time_text
from datasets.publishers.lake import delta_log
from datasets.topics.declared import DEAD_LETTERS
from experiments.page.document import Document, facts_of
from experiments.page.finding import Finding
from experiments.page.index import INDEX, header
from experiments.page.tables import NONE, Table
from experiments.page.wording import number_word
from experiments.record.streams import attach
from experiments.report import stream_plots
from experiments.report.show import added
from experiments.results.events import read
from experiments.results.stream_series import Measured, QuerySeries, StreamSeries, even, offsets_text, totals
from experiments.results.stream_start import EVENTS, Start, starts
from experiments.run.runner import open_recorder
from experiments.run.stream_recording import record_missing
from experiments.run.streams import FOLDER
from experiments.stream_metrics import OF_STEPS
from jobs.streaming.tables import Table as LakeTable

POINTS = 300
"""Steps that the whole of a run is divided into, at most."""

_WORDS = {
    "running": "it still runs",
    "stopped": "a person stopped it",
    "drained": "it ended when what Kafka held at its start was done",
    "ended": "it ended by itself",
    "failed": "it failed",
    "lost": "it was lost with its command, which was killed",
}
_METHOD = (
    ("Messages", "Counted from offsets of committed batches, because Spark counts rows that are read twice again."),
    ("Arrived", "What was committed and what the lag grew by, between two looks at the ends of the topic (every 5 s)."),
    ("Processed", "Messages over the seconds of the batches that had them; pauses between batches do not count."),
    ("Batch", "From its begin to its commit, as Spark's triggerExecution; quantiles are to within 1%."),
    ("Behind", "From the committed offsets to the ends: messages, and for how long there has been one of them."),
    ("Dead letters", "Of the lake: those of the messages that were read in this run."),
    ("Dotted lines", "A query that was started again."),
)  # fmt: skip


@dataclass(frozen=True)
class StreamRun:
    """All starts of one command, in order, with their folders and the folder of the lake."""

    starts: Sequence[tuple[Path, Start]]
    lake: Path

    @property
    def last(self) -> Start:
        """Its last start."""
        return self.starts[-1][1]

    @property
    def name(self) -> str:
        """Name of its streams in one word."""
        return "-".join(self.last.streams)

    @property
    def page(self) -> str:
        """Name of the page of the newest run of its streams."""
        return f"stream-{self.name}"

    @property
    def seconds(self) -> float:
        """From its first start to its end, or to now."""
        return (self.last.ended_at or time.time()) - self.starts[0][1].began_at

    @cached_property
    def series(self) -> StreamSeries:
        """Course of its queries."""
        found = StreamSeries(self.starts[0][1].began_at, even(max(1, math.ceil(self.seconds / POINTS))))
        for folder, _ in self.starts:
            found.application(read(folder / EVENTS))
        found.finish()
        return found

    @cached_property
    def course(self) -> Mapping[str, Sequence[Measured]]:
        """Steps of its queries, in that order."""
        return {query.name: query.take() for query in self.queries}

    @cached_property
    def queries(self) -> list[QuerySeries]:
        """Its queries, those that read most first."""
        return sorted(self.series.queries.values(), key=lambda one: (-one.messages, one.name))


def runs(settings: Settings) -> list[StreamRun]:
    """Return every run of streams that is on disk here, oldest first."""
    found: dict[str, list[tuple[Path, Start]]] = {}
    for folder, start in starts(settings.run_dir / FOLDER):
        found.setdefault(start.command, []).append((folder, start))
    return [StreamRun(group, settings.run_dir / "lake") for group in found.values()]


def newest(settings: Settings) -> list[StreamRun]:
    """Return the newest run of each stream, or of those that ran together."""
    return list({run.name: run for run in runs(settings)}.values())


def find(settings: Settings, streams: Sequence[str] = (), attempt: str = "") -> tuple[StreamRun, str]:
    """Return a run and the name of its page: the newest of these streams, or that with a start of this name.

    Raises:
        UsageError: there is none.
    """
    every = [run for run in runs(settings) if not streams or list(streams) == run.last.streams]
    found = [run for run in every if not attempt or any(attempt == one.attempt for _, one in run.starts)]
    if not found:
        which = f" of {','.join(streams)}" if streams else ""
        known = ", ".join(run.starts[0][1].attempt for run in every[-5:])
        raise UsageError(
            f"no run{which} has a start {attempt!r}: the last ones are {known}"
            if attempt and every
            else f"no stream{which} ran here yet: start one (make stream NAME=lake)"
        )
    run = found[-1]
    later = [one for one in runs(settings) if one.name == run.name][-1].last.command != run.last.command
    return run, run.page + (f"-{run.last.command}" if later else "")


def report_of(run: StreamRun, name: str) -> Document:
    """Return the report of a run."""
    told, text = question(run), answer(run)
    dead = dead_letters(run.lake, run.queries)
    ended = run.last.ended_at or time.time()
    failed = int(run.last.status in ("failed", "lost"))
    values = {
        **header(name, told, text, ended, ok=1 - failed, failed=failed, kind="stream"),
        "starts": [dataclasses.asdict(start) for _, start in run.starts],
        "queries": {
            one.name: {**totals(one), "topic": one.topic, "begin": one.begin, "end": one.end, "dead_letters": dead.get(one.name)}
            for one in run.queries
        },
        "notes": list(_notes(run)),
    }  # fmt: skip
    return Document(
        name=name,
        title=f"Stream {run.last.name}",
        question=told,
        answer=text,
        findings=list(_findings(run, dead)),
        values=values,
        rows=[["query", "second", *(metric.key for metric in OF_STEPS)], *_rows(run.course)],
        facts=facts_of(run.last.environment),
        glance=_glance(run),
        method=_METHOD,
        asked=_asked(run.last),
    )


def show(settings: Settings, run: StreamRun, name: str) -> None:
    """Print what the page of a run says, write it, record what the record lacks of streams, and put the page with the run."""
    report = report_of(run, name)
    print(f"{in_words(report).text()}\n")
    write(settings, run, report)


def in_words(report: Document) -> Document:
    """Return the report without the sections that are pictures alone."""
    return dataclasses.replace(report, findings=[one for one in report.findings if one.tables])


def write(settings: Settings, run: StreamRun, report: Document, *, recorded: bool = True) -> None:
    """Write the page of a run, and say where it is.

    Args:
        settings: where reports and record are.
        run: whose page.
        report: of the run.
        recorded: record what the record lacks of streams, and put the page with the run.
    """
    written = report.write(settings.run_dir / "reports")
    if recorded:
        with added():
            tracking = open_recorder(settings, Cluster(settings).address("mlflow")).tracking
            record_missing(tracking, settings)
            attach(tracking, (start for _, start in run.starts), in_words(report).markdown(), written)
    print(f"page: {written[0]}\nnumbers: {written[1]}\nall reports: {written[0].with_name(INDEX)}")


def question(run: StreamRun) -> str:
    """Return what is asked of a run."""
    names = run.last.streams
    plural = len(names) > 1
    return f"What did the stream{'s' * plural} {' and '.join(names)} read, and how far behind {'were they' if plural else 'was it'}?"


def answer(run: StreamRun) -> str:
    """Return the answer in two sentences: what went through, and how far behind it was."""
    messages = sum(one.messages for one in run.queries)
    batches = sum(one.batches for one in run.queries)
    running = run.last.status == "running"
    each = "one batch" if batches == 1 else f"{batches:,} batches"
    text = f"{messages:,} messages in {each} and {time_text(run.seconds)}{' so far' * running}"
    seen = [one for one in run.queries if one.left is not None]
    if not seen:
        return f"{text}. How far behind it was is not known, because Kafka did not answer."
    most = max(seen, key=lambda one: one.latest)
    left = sum(one.left or 0 for one in seen)
    rest = f"{left:,} messages were left" if left else "nothing was left"
    when = "a moment ago" if running else "at the end"
    return f"{text}. {most.name} was behind most, by {time_text(most.latest)} at most; {when} {rest}."


def _findings(run: StreamRun, dead: Mapping[str, int]) -> Iterator[Finding]:
    yield Finding("Queries", tables=(_table(run.queries, dead),), notes=tuple(_notes(run)))
    for title, draw in (
        ("Rates", stream_plots.rates),
        ("Batches", stream_plots.batches),
        ("Lag", stream_plots.lags),
        ("State", stream_plots.state),
    ):
        plots = tuple(draw(run.course, run.series))
        if plots:
            yield Finding(title, plots=plots)


def _table(queries: Iterable[QuerySeries], dead: Mapping[str, int]) -> Table:
    header_ = ["query", "messages", "batches", "processed/s", "batch p50 s", "p95 s", "p99 s", "behind at most s", "left", "restarts", "dead letters"]  # fmt: skip
    rows = []
    for one in queries:
        busy = one.busy_ms / 1000
        quantiles = [one.durations.seconds(share) for share in (0.5, 0.95, 0.99)]
        rows.append(
            [
                *(one.name, f"{one.messages:,}", f"{one.batches:,}"),
                f"{one.messages / busy:,.0f}" if busy else NONE,
                *(NONE if value is None else f"{value:.2f}" for value in quantiles),
                NONE if one.left is None else f"{one.latest:.1f}",
                NONE if one.left is None else f"{one.left:,}",
                str(max(0, one.starts - 1)),
                f"{dead[one.name]:,}" if one.name in dead else NONE,
            ]
        )
    return Table(header_, rows)


def _notes(run: StreamRun) -> Iterator[str]:
    if len(run.starts) > 1:
        yield f"the application was started {number_word(len(run.starts))} times"
    for _, start in run.starts:
        if start.error:
            yield f"{start.attempt}: {start.error}"
    yield _WORDS[run.last.status]
    failures = {one.name: one.failures for one in run.queries if one.failures}
    if failures:
        yield f"failures: {', '.join(f'{name} {count}' for name, count in failures.items())}"
    yield from run.series.notes
    begins = [f"{one.name} at {offsets_text(one.begin)}" for one in run.queries if one.begin]
    if begins:
        yield f"began: {'; '.join(begins)}"


def _glance(run: StreamRun) -> list[tuple[str, str]]:
    began = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.starts[0][1].began_at))
    cores = run.last.environment.get("host.cores")
    found = [("status", run.last.status), ("when", began), ("for", time_text(run.seconds))]
    return [*found, *([("host", f"{cores} cores")] if cores else [])]


def _asked(start: Start) -> list[tuple[str, str]]:
    triggers = ", ".join(f"{name} {start.triggers[name]:g} s" for name in start.streams)
    options = {
        f"{stream}.{key}": value
        for stream, given in start.params.get("options", {}).items()
        for key, value in given.items()
    }
    given = {key: value for key, value in start.params.items() if key not in ("options", "trigger_s")}
    return [
        *(
            ("streams", start.name),
            ("trigger", triggers),
            ("cores", str(start.cores)),
            ("memory", start.memory),
        ),
        *((key, str(value)) for key, value in {**given, **options}.items()),
    ]


def _rows(course: Mapping[str, Sequence[Measured]]) -> Iterator[list[object]]:
    for query, steps in course.items():
        for one in steps:
            values = one.values()
            yield [query, one.step.end, *(values.get(metric.key, "") for metric in OF_STEPS)]


def dead_letters(lake: Path, queries: Iterable[QuerySeries]) -> dict[str, int]:
    """Return for each query of the lake how many of the messages that it read are dead letters now."""
    table = LakeTable.of(lake, DEAD_LETTERS).path
    mine = [one for one in queries if one.name.startswith("lake.") and one.end]
    if not mine or not (table / delta_log.LOG).is_dir():
        return {}
    found = {one.name: 0 for one in mine}
    for name in delta_log.live(table, delta_log.newest(table)):
        rows = pq.read_table(table / name, columns=["topic", "partition", "offset"], partitioning=None)
        for one in mine:
            for partition, end in one.end.get(one.topic, {}).items():
                begin = one.begin.get(one.topic, {}).get(partition, 0)
                inside = pc.and_(
                    pc.equal(rows["topic"], one.topic), pc.equal(rows["partition"], int(partition))
                )
                inside = pc.and_(
                    inside, pc.and_(pc.greater_equal(rows["offset"], begin), pc.less(rows["offset"], end))
                )
                found[one.name] += pc.sum(inside).as_py() or 0
    return found
