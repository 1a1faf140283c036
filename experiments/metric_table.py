"""The one table of metrics: names in MLflow, units, meanings, sources, where a person sees them, and names of older versions.

MLflow's charts make a section of what stands before a slash, and call "Model metrics" what has no slash: what a person
wants first has none.
"""

from collections.abc import Iterator

from experiments.metric import Metric, safe
from experiments.stream_metrics import OF_STREAMS

TOTAL = "total"
"""In place of a phase's name: all phases of a pass together."""

VIEW = "view"
"""A column and a chart of the view of an experiment's trials in MLflow."""

TRIALS = "trials"
"""A column of a report's table of trials."""

WINDOWS = "windows"
"""A column of a report's table of windows."""

DRILLS = "drills"
"""A column of a report of drills."""

SECONDS = Metric(
    "{phase}_s",
    "s",
    "a phase of a warm pass: median over applications of the median over repeats (fit_s, total_s)",
    "phases.seconds",
    (VIEW, TRIALS),
    "{phase} s",
    "phase.{phase}_s_median",
)
ALL_SECONDS = Metric(
    "total_s",
    "s",
    "all phases of a warm pass together, the same median",
    "phases.seconds",
    (VIEW,),
    old="total_s_median",
)
RMSE = Metric(
    "rmse",
    "steps of the rating scale",
    "root mean squared error on the test rows",
    "metrics.rmse",
    (VIEW, TRIALS),
    "RMSE",
)
COVERAGE = Metric(
    "coverage", "0 to 1", "share of the test rows that got a prediction", "metrics.coverage", (VIEW, TRIALS)
)
NDCG = Metric(
    "ndcg_at_{name}",
    "0 to 1",
    "nDCG of the lists of recommendations, cut after so many items (ndcg_at_10: ten)",
    "metrics.ndcg_at_{name}",
    (VIEW, TRIALS),
    "nDCG@{name}",
)
REPEATS = Metric(
    "repeats/{phase}_s",
    "s",
    "every measured pass; MLflow's step is the pass, counted over all applications",
    "phases.seconds",
    old="phase.{phase}_s",
)
COLD = Metric(
    "cold/{phase}_s",
    "s",
    "the first pass of each application, when JVM and caches are empty; MLflow's step is the application",
    "phases.seconds",
    old="phase_cold/{phase}_s",
)
RATE = Metric(
    "{name}_per_s",
    "1/s",
    "what comes through in a measured window: median over applications of the median over windows (rows_per_s)",
    "windows.rates",
    (VIEW, WINDOWS),
)
LAG = Metric(
    "lag/{name}_s", "s", "how late it is, the same median (lag/p99_s)", "windows.lags", (VIEW, WINDOWS)
)
WINDOW_RATES = Metric(
    "windows/{name}_per_s",
    "1/s",
    "every measured window; MLflow's step is the window, counted over all applications",
    "windows.rates",
)
WINDOW_LAGS = Metric("windows/lag_{name}_s", "s", "the same of each lag", "windows.lags")
APPLICATIONS = Metric(
    "applications/{phase}_s",
    "s",
    "one side of a comparison: median of each of its applications",
    "phases.seconds",
)
MEAN = Metric(
    "baseline/rmse_global_mean",
    "as rmse",
    "error of the global mean on the same rows",
    "metrics.rmse_global_mean",
    (TRIALS,),
    "RMSE of mean",
)
BIAS = Metric(
    "baseline/rmse_bias",
    "as rmse",
    "error of user and item means on the same rows",
    "metrics.rmse_bias",
    (TRIALS,),
    "RMSE of bias",
)
FLOOR = Metric(
    "baseline/rmse_floor",
    "as rmse",
    "noise of generated ratings: the smallest RMSE that any model can reach",
    "metrics.rmse_floor",
    (TRIALS,),
    "noise floor",
)
MAE = Metric("quality/mae", "as rmse", "mean absolute error on the test rows", "metrics.mae")
COVERED = Metric(
    "quality/rmse_covered",
    "as rmse",
    "rmse of users and items that are known from training",
    "metrics.rmse_covered",
)
MAP = Metric(
    "quality/map_at_{name}",
    "0 to 1",
    "mean average precision of the lists",
    "metrics.map_at_{name}",
    title="MAP@{name}",
)
PRECISION = Metric(
    "quality/precision_at_{name}", "0 to 1", "share of a list that is relevant", "metrics.precision_at_{name}"
)
RECALL = Metric(
    "quality/recall_at_{name}",
    "0 to 1",
    "share of the relevant items that are in a list",
    "metrics.recall_at_{name}",
)
ROWS = Metric(
    "rows/{name}",
    "rows, users or items",
    "counts: training, test and scored rows, cold users and items",
    "counts.{name}",
)
SINGLE = Metric("single/{name}", "s, or as named", "parts of a fit in one thread", "metrics.single_{name}")
ENGINE = Metric(
    "engine/{name}",
    "s, MB, GFLOP/s or a share",
    "parts of an iteration of a fit on the executors",
    "metrics.engine_{name}",
)

CHAIN = Metric(
    "chain/{name}",
    "as named",
    "health of Markov chains: means, R-hat and effective sizes of the noise's precision, of the RMSE on training rows and of predictions; "
    "by chain, the first two at each sweep, which is MLflow's step",
    "metrics.chain_{name}",
)

INTERVALS = Metric(
    "quality/interval_{name}",
    "0 to 1",
    "share of the test ratings in the intervals that should hold so many percent of them (interval_80: 0.8)",
    "metrics.interval_{name}",
)
PREQUENTIAL = Metric(
    "prequential/{name}",
    "0 to 1",
    "lists judged before they learn: recall and nDCG of each policy (frozen, fold_in, retrained, both), what training again gains, alone and with fold-in, and the share of that "
    "that fold-in has, with 95% limits over users; recall_course by part of the time, which is MLflow's step",
    "metrics.prequential_{name}",
)
CALIBRATION = Metric(
    "quality/calibration",
    "0 to 1",
    "share of the test ratings in the interval that should hold so many percent of them, which is MLflow's step",
    "metrics.calibration",
)
DEVIATION = Metric(
    "quality/deviation",
    "steps of the rating scale",
    "mean standard deviation that the model gives a rating",
    "metrics.deviation",
)

_AROUND = "applications."
HARNESS = (
    Metric(
        "harness/ready_s",
        "s",
        "from the start of an application to its session with all executors",
        f"{_AROUND}ready_s",
        old="overhead/ready_s",
    ),
    Metric(
        "harness/start_s",
        "s",
        "from the start of an application to its first phase or window",
        f"{_AROUND}start_s",
        old="overhead/start_s",
    ),
    Metric(
        "harness/stop_s",
        "s",
        "from the end of the last phase or window to the end of an application",
        f"{_AROUND}stop_s",
        old="overhead/stop_s",
    ),
    Metric(
        "harness/application_s", "s", "a whole application", f"{_AROUND}seconds", old="overhead/application_s"
    ),
)
"""What the harness needs around the measured phases: the median over applications."""

RECORDING = Metric("harness/recording_s", "s", "to record a trial", "recording_s", old="overhead/recording_s")

_GROUP, _MB = "telemetry.groups.", 1e-6
TASKS = (
    Metric("spark/{phase}/tasks", "tasks", "tasks of a phase on the executors", f"{_GROUP}tasks"),
    Metric("spark/{phase}/run_s", "s", "seconds that these tasks ran, added up", f"{_GROUP}run_s"),
    Metric(
        "spark/{phase}/cpu_s", "s", "processor time of these tasks in the JVM, added up", f"{_GROUP}cpu_s"
    ),
    Metric("spark/{phase}/gc_s", "s", "garbage collection during these tasks, added up", f"{_GROUP}gc_s"),
    Metric(
        "spark/{phase}/shuffle_read_mb",
        "MB",
        "shuffled data that a phase read",
        f"{_GROUP}shuffle_read",
        factor=_MB,
    ),
    Metric(
        "spark/{phase}/shuffle_write_mb",
        "MB",
        "shuffled data that a phase wrote",
        f"{_GROUP}shuffle_write",
        factor=_MB,
    ),
    Metric("spark/{phase}/spill_mb", "MB", "data that a phase spilled to disk", f"{_GROUP}spill", factor=_MB),
    Metric("spark/{phase}/input_rows", "rows", "rows that a phase read", f"{_GROUP}input_rows"),
    Metric("spark/{phase}/task_max_s", "s", "longest task of a phase", f"{_GROUP}task_max_s"),
    Metric("spark/{phase}/task_median_s", "s", "median task of a phase", f"{_GROUP}task_median_s"),
)
"""What a phase cost on the executors, from Spark's event log: the median of its measured passes."""

_USE = "telemetry.phases."
BUSY = Metric(
    "spark/{phase}/busy_share",
    "0 to 1",
    "share of a phase's core-time in which a task held a core",
    f"{_USE}busy_s",
)
ALONE = Metric(
    "spark/{phase}/driver_only_share",
    "0 to 1",
    "share of a phase's time in which no task ran",
    f"{_USE}driver_only_s",
)

RESIDENT = (
    Metric(
        "memory/{phase}_mb",
        "MB",
        "most anonymous and shared memory of all executors, JVM and Python workers, at a time in a phase; of local workers",
        "telemetry.resident.own",
        factor=_MB,
    ),
    Metric(
        "memory/{phase}_pss_mb",
        "MB",
        "the same with mapped files, pages that processes share counted once (PSS)",
        "telemetry.resident.pss",
        factor=_MB,
    ),
)
"""Memory of the executors as the host sees it: the median of a phase's measured passes."""

METRICS = (
    SECONDS, ALL_SECONDS, RMSE, COVERAGE, NDCG, REPEATS, COLD, RATE, LAG, WINDOW_RATES, WINDOW_LAGS, APPLICATIONS, MEAN, BIAS, FLOOR,
    MAE, COVERED, MAP, PRECISION, RECALL, ROWS, SINGLE, ENGINE, CHAIN, INTERVALS, CALIBRATION, PREQUENTIAL, DEVIATION, *HARNESS, RECORDING, *TASKS, BUSY, ALONE,
    *RESIDENT
)  # fmt: skip
"""Every metric of a trial and of a side of a comparison, in the order in which old names are looked up."""

RANKINGS = (NDCG, MAP, PRECISION, RECALL)
"""What judges lists of recommendations: the highest is the best."""

SECONDS_BY_CORES = Metric(
    "total_s by cores/{name}",
    "s",
    "an experiment's run: total_s of each kind of trial; MLflow's step is the number of cores",
    "phases.seconds",
)
RMSE_BY_TRIAL = Metric(
    "rmse/{name}", "as rmse", "an experiment's run: rmse of each kind of trial", "metrics.rmse"
)

TIMINGS = (
    Metric(
        "time_ratio",
        "times",
        "a comparison: contender's time over baseline's; above 1 it is slower",
        "timing.ratio",
    ),
    Metric("time_ratio_low", "times", "lower end of its 95% interval", "timing.low"),
    Metric("time_ratio_high", "times", "upper end of its 95% interval", "timing.high"),
    Metric(
        "time_ratio_detectable",
        "times",
        "the slowdown that would have been found in 80 of 100 comparisons",
        "timing.slower_detectable",
    ),
)
"""What a comparison says of its pairs together."""

PAIR_RATIO = Metric("pair_ratio", "times", "the same ratio of each pair", "timing.pairs")
DIFFERENCE = Metric(
    "{name}_difference",
    "as the metric",
    "a comparison: contender's value of a metric minus baseline's",
    "qualities.difference",
)

RECOVERY = Metric("recovery_s", "s", "a drill: from the fault to recovery", "drill.recovery_s", (DRILLS,))
ENDED = Metric("ended_s", "s", "a drill: from the fault to the end of what was disturbed", "drill.ended_s")
AFTER = Metric("after_s", "s", "a drill: from the beginning of the phase to the fault", "drill.after_s")
UNDISTURBED = Metric(
    "undisturbed_s",
    "s",
    "a drill: the phase without a fault",
    "drill.undisturbed_s",
    (DRILLS,),
    "phase undisturbed s",
)
DISTURBED = Metric("disturbed_s", "s", "a drill: the phase with the fault", "drill.disturbed_s", (DRILLS,))
RERUN = Metric("rerun_s", "s", "a drill: the application that was run again", "drill.rerun_s")
RECOMPUTED = Metric(
    "recomputed_tasks",
    "tasks",
    "a drill: tasks whose work was done twice",
    "drill.recomputed_tasks",
    (DRILLS,),
)
FAILED = Metric("failed_tasks", "tasks", "a drill: attempts that failed", "drill.failed_tasks", (DRILLS,))
LOST = Metric(
    "executors_lost", "executors", "a drill: executors that were lost", "drill.executors_lost", (DRILLS,)
)
APART = Metric(
    "largest_difference",
    "as rmse",
    "a drill: largest difference of two predictions of the same pair",
    "drill.largest_difference",
    (DRILLS,),
    "model differs by",
)
STORED = Metric(
    "rows", "rows", "a drill: rows of the stored recommendations in the end", "drill.rows", (DRILLS,)
)
SAME = Metric("same_result", "0 or 1", "a drill: whether it ended with the undisturbed result", "drill.good")

OF_DRILLS = (RECOVERY, ENDED, AFTER, UNDISTURBED, DISTURBED, RERUN, RECOMPUTED, FAILED, LOST, APART, STORED, SAME)  # fmt: skip
"""Every metric of a drill."""

OF_STREAM_DRILLS = (
    RECOVERY,
    Metric(
        "drill/cold_start_s",
        "s",
        "a drill of streams: from the start to the first committed batch",
        "drill.cold_start_s",
    ),
    Metric("drill/batch_s", "s", "a drill of streams: between two commits, the median", "drill.batch_s"),
    Metric("drill/reconcile_s", "s", "a drill of streams: comparison of everything", "drill.reconcile_s"),
    Metric(
        "drill/acknowledged",
        "messages",
        "a drill of streams: messages that brokers acknowledged",
        "drill.acknowledged",
    ),
    Metric(
        "drill/compared", "rows", "a drill of streams: messages and rows that were compared", "drill.compared"
    ),
    Metric(
        "drill/differing", "rows", "a drill of streams: of those compared, how many differ", "drill.differing"
    ),
)
"""Every metric of a drill of streams."""

OF_RATES = (
    Metric("rate/asked_per_s", "1/s", "a trial at a rate: messages that were to be sent", "rate.asked"),
    Metric("rate/achieved_per_s", "1/s", "a trial at a rate: messages that were sent", "rate.achieved"),
    Metric(
        "rate/lag_growth_per_s",
        "1/s",
        "a trial at a rate: upper bound of the growth of the lag",
        "rate.growth",
    ),
    Metric("rate/latency_p50_s", "s", "from the intended sending to the row, median", "rate.p50"),
    Metric("rate/latency_p95_s", "s", "the same, of 95% of the messages", "rate.p95"),
    Metric("rate/latency_p99_s", "s", "the same, of 99% of the messages", "rate.p99"),
    Metric("rate/latency_max_s", "s", "the same, of the slowest message", "rate.slowest"),
    Metric(
        "rate/delay_p99_s",
        "s",
        "from the intended sending to the handing over to Kafka's client, of 99%",
        "rate.delay",
    ),
    Metric("rate/sustained", "0 or 1", "a trial at a rate: whether the stream kept up", "rate.sustained"),
)
"""Every metric of a trial at a rate."""

SUSTAINED_RATE = Metric(
    "rate/kept_up_per_s",
    "1/s",
    "a search among rates: the highest that the stream kept up with",
    "rate.kept_up",
)
DRAINED_RATE = Metric(
    "rate/drained_per_s", "1/s", "a stream: messages of a backlog that it drained", "rate.drained"
)
RATE_TO_BASE = Metric(
    "rate/of_base",
    "times",
    "a point of stream-scaling: drained messages a second over those of the base point of the same round",
    "rate.of_base",
)
DRAINED_BY = Metric(
    "drained by {name}",
    "1/s",
    "an axis of stream-scaling (partitions, workers, brokers): drained messages a second; MLflow's step is the number",
    "rate.drained",
)
LAG_OF_RATE = Metric(
    "rate/lag",
    "messages",
    "a trial at a rate: lag at the end of each batch; MLflow's step is the batch",
    "rate.lags",
)

MESSAGES_PER_S = Metric(
    "correctness/messages_per_s",
    "1/s",
    "cost of correctness: messages a second of a stream or of one of its sides, median of the rounds",
    "cost.seconds",
)
OF_BATCH = Metric(
    "correctness/of_batch",
    "0 to 1",
    "cost of correctness: the same, as a share of the batch's",
    "cost.shares",
)
COST_OF_GUARANTEE = Metric(
    "correctness/cost_{name}",
    "share",
    "cost of correctness: time that a guarantee adds to that of the side without it (NAME)",
    "cost.costs",
)
ROUND_S = Metric(
    "correctness/round_s",
    "s",
    "cost of correctness: seconds of a side; MLflow's step is the round",
    "cost.seconds",
)
LATE_OF_EARLY = Metric(
    "correctness/late_of_early",
    "times",
    "cost of correctness: 95th percentile of late small batches over that of early ones",
    "cost.late_of_early",
)
FRESHNESS = Metric(
    "freshness/{name}_s",
    "s",
    "a trial of freshness: from the moment at which a like was to be sent to its sending, its acknowledgement, its row, and a list that has it; 50%, 95%, "
    "99% of the likes",
    "trials.seconds",
)
LIST_ALONE = Metric(
    "freshness/list_alone_s",
    "s",
    "one person's list from events in memory, on a quiet machine; MLflow's step is the list",
    "found.alone_s",
)

OTHERS = (
    SECONDS_BY_CORES,
    RMSE_BY_TRIAL,
    *TIMINGS,
    PAIR_RATIO,
    DIFFERENCE,
    *OF_DRILLS,
    *OF_STREAM_DRILLS[1:],
    *OF_RATES,
    SUSTAINED_RATE,
    DRAINED_RATE,
    RATE_TO_BASE,
    DRAINED_BY,
    LAG_OF_RATE,
    *OF_STREAMS,
    MESSAGES_PER_S,
    OF_BATCH,
    COST_OF_GUARANTEE,
    ROUND_S,
    LATE_OF_EARLY,
    FRESHNESS,
    LIST_ALONE,
)
"""Metrics of an experiment's own run, of comparisons, drills, rates, streams and costs of guarantees; they never had other names."""


def new_name(old: str) -> str | None:
    """Return the name that stands for a name of older versions now; None if that is a name of today or nobody's."""
    return next((name for metric in METRICS if (name := metric.renamed(old)) is not None), None)


def quality_name(metric: str) -> str:
    """Return the recorded name of a metric as a job names it; what a job has of its own keeps its name."""
    return new_name(metric) or safe(metric)


def metric_name(key: str) -> str:
    """Write a metric as a job names it for people: ndcg_at_10 -> nDCG@10."""
    for metric in METRICS:
        if metric.of_job and (word := metric.word_of(key)) is not None:
            return metric.titled(word)
    return key.replace("_", " ")


def phase_of(metric: str) -> str:
    """Return the phase that the name of a time means: fit_s and, in older specs, phase.fit_s -> fit."""
    return metric.removeprefix("phase.").removesuffix("_median").removesuffix("_s")


def seconds_name(metric: str) -> str:
    """Return the name of a time as it is recorded now, whichever of its names is given."""
    return SECONDS.of(phase_of(metric))


def described() -> Iterator[tuple[str, str, str, str, str]]:
    """Yield name, unit, meaning, source and where it is shown of every metric, for people."""
    for metric in (*METRICS, *OTHERS):
        name, source = (
            text.replace("{phase}", "PHASE").replace("_at_{name}", "_at_K").replace("{name}", "NAME")
            for text in (metric.name, metric.source)
        )
        yield name, metric.unit, metric.what, source, ", ".join(metric.shown)
