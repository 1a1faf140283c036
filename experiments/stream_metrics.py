"""Metrics of a stream's run: steps of each query while it goes on, and what each has come to in the end.

They are part of the one table of metrics (`experiments.metric_table`).
"""

from experiments.metric import Metric

ARRIVED = Metric(
    "stream/arrived_per_s",
    "1/s",
    "a stream's query: messages that came to its topic; MLflow's step is the second of the stream's life at which the step ends",
    "stream.arrived",
    title="arrived/s",
)
PROCESSED = Metric(
    "stream/processed_per_s",
    "1/s",
    "a stream's query: messages over the seconds of the batches that had them",
    "stream.processed",
    title="processed/s",
)
BATCH = Metric(
    "stream/batch_s",
    "s",
    "a stream's query: a batch from its begin to its commit, mean of a step",
    "stream.batch",
)
LONGEST = Metric("stream/batch_max_s", "s", "a stream's query: the longest batch of a step", "stream.longest")
BEHIND = Metric(
    "stream/lag",
    "messages",
    "a stream's query: messages from the committed offsets to the ends, the most of a step",
    "stream.behind",
)
LATE = Metric(
    "stream/lag_s",
    "s",
    "a stream's query: for how long there has been a message that is not committed, the most of a step",
    "stream.late",
)
STATE_ROWS = Metric("stream/state_rows", "rows", "a stream's query: rows of its state", "stream.state_rows")
STATE_MB = Metric(
    "stream/state_mb",
    "MB",
    "a stream's query: memory of its state",
    "stream.state_bytes",
    title="state MB",
    factor=1e-6,
)
WATERMARK = Metric(
    "stream/watermark_s",
    "s",
    "a stream's query: by how much the watermark of event time is behind the clock",
    "stream.watermark",
)

OF_STEPS = (ARRIVED, PROCESSED, BATCH, LONGEST, BEHIND, LATE, STATE_ROWS, STATE_MB, WATERMARK)
"""Metrics of a query, a value a step at most."""

PART = Metric(
    "batch parts/{name}_s",
    "s",
    "a stream's query: a part of a batch as Spark's durationMs names it, mean of a step (addBatch)",
    "stream.parts",
)

MESSAGES = Metric(
    "totals/messages",
    "messages",
    "a stream's run or a query: messages that were committed",
    "stream.messages",
)
OF_TOTALS = (
    MESSAGES,
    Metric("totals/batches", "batches", "the same: batches that were committed", "stream.batches"),
    Metric("totals/seconds", "s", "the same: from the start of the application to its end", "stream.seconds"),
    Metric("totals/restarts", "times", "the same: queries that were started again", "stream.restarts"),
    Metric("totals/batch_p50_s", "s", "the same: a batch, median, to within 1%", "stream.p50"),
    Metric("totals/batch_p95_s", "s", "the same: a batch, of 95% of them", "stream.p95"),
    Metric("totals/batch_p99_s", "s", "the same: a batch, of 99% of them", "stream.p99"),
    Metric("totals/lag_s", "s", "the same: the most seconds behind", "stream.latest"),
    Metric(
        "totals/lag_at_end", "messages", "the same: messages behind when it was last looked", "stream.left"
    ),
)
"""Metrics of the end; those of a whole run are of all its queries together."""

OF_STREAMS = (*OF_STEPS, PART, *OF_TOTALS)
"""Every metric of a stream's run."""
