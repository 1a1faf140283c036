"""Explain in a sentence why an application failed: our own errors, Spark's, or a driver that died."""

import re

from py4j.protocol import Py4JError, Py4JNetworkError
from pyspark.errors import PySparkException

from core.errors import DataError, JobError, ServiceError, UsageError

DISK_FULL = "No space left on device|Disk quota exceeded|File too large"
"""Pattern of the system's messages about a full disk, a quota or a file size limit, also inside other errors."""

_KNOWN = (
    (
        DISK_FULL,
        (
            "a disk is full: free some space on the disks of the store and of Spark's work folders "
            "(make clean removes what can be made again), then run again"
        ),
    ),
    (
        "StackOverflowError",
        "the JVM's stack overflowed: a plan or lineage grew too long; lower the iterations or the checkpoint interval",
    ),
    (
        "OutOfMemoryError|ran out of memory|Not enough memory to build and broadcast",
        (
            "the JVM ran out of memory: give the executors more (MEMORY=...), the driver more "
            "(spark.driver_memory), or use more workers or a lower rank"
        ),
    ),
    (
        "SingularMatrixException",
        (
            "ALS cannot solve for a user or an item: with implicit ALS too few items or users have a rating above 0 for so "
            "many factors (lower rank, or use another model); with model.reg=0 give it a value above 0"
        ),
    ),
    (
        "All masters are unresponsive|stopped SparkContext|SparkContext was shut down",
        "Spark ended the application: the master went away or removed it; see make status and make logs S=spark-master",
    ),
    (
        "ExecutorLostFailure|Master removed our application|executor \\d+ lost|Remote RPC client disassociated",
        (
            "an executor was lost during the work: see the worker's log (make logs S=spark-worker-1); "
            "most often the host ran out of memory or a worker was stopped"
        ),
    ),
    (
        "Cannot run program",
        "an executor could not start Python: PYSPARK_PYTHON must name an interpreter that exists on every worker",
    ),
)


def explain(error: BaseException) -> str:
    """Return what happened and what to do next, in one or two lines."""
    if isinstance(error, JobError | DataError | ServiceError | UsageError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted before it ended; the phases that were measured are kept"
    if isinstance(error, Py4JNetworkError | ConnectionError):
        return (
            "the driver's JVM is gone: it was killed or ran out of memory. "
            "See the driver's log; give the driver more memory (spark.driver_memory) if the host has it."
        )
    text = _text(error)
    told = re.search(r"^core\.errors\.(?:DataError|JobError|UsageError): (.+)$", text, flags=re.MULTILINE)
    if told:  # in a task, of a file
        return told[1]
    cause = root_cause(text) or f"{type(error).__name__}: {text.strip()[:500]}"
    for pattern, advice in _KNOWN:
        if re.search(pattern, text):
            return f"{advice[0].upper()}{advice[1:]}.\nSpark says: {cause}"
    source = "Spark says" if isinstance(error, Py4JError | PySparkException) else "unexpected error"
    return f"{source}: {cause} (the whole trace is in the driver's log)"


def root_cause(text: str) -> str:
    """Return the first line of the innermost `Caused by:` of a Java trace, or of the exception that it starts with."""
    causes = re.findall(r"^Caused by: (.+)$", text, flags=re.MULTILINE)
    if causes:
        return str(causes[-1])[:500]
    first = re.search(r"^:? ?((?:[a-z]\w*\.)+\w*(?:Exception|Error)\b.*)$", text, flags=re.MULTILINE)
    return first[1][:500] if first else ""


def _text(error: BaseException) -> str:
    """Return an error's text with its Java cause, or its type's name if the JVM that holds the text has died."""
    try:
        text = str(error)
        origin = getattr(error, "_origin", None)
        return text if origin is None else f"{text}\n{getattr(error, '_stackTrace', '') or ''}"
    except Exception:  # noqa: BLE001 - a dead JVM cannot say why
        return type(error).__name__
