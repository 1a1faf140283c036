"""Events of a stream with invented numbers, and a start of one."""

import json
from datetime import UTC, datetime

from experiments.results.stream_start import EVENTS, Start, keep

BEGAN = 1_800_000_000.0
QUERY = "lake.ratings"


def query_start(second, query=QUERY, offset=0):
    """A query begins to read."""
    topic = query.partition(".")[2]
    return {
        "event": "query_start", "clock": BEGAN + second, "query": query, "startOffset": {topic: {"0": offset, "1": offset}},
        "messaging.destination.name": topic,
    }  # fmt: skip


def batch(second, number, messages=100, ms=500, query=QUERY, **more):
    """A batch is told."""
    topic = query.partition(".")[2]
    return {
        "event": "batch", "clock": BEGAN + second, "query": query, "batchId": number, "batchDuration": ms,
        "durationMs": {"addBatch": ms - 100, "walCommit": 100, "triggerExecution": ms}, "numInputRows": messages,
        "endOffset": {topic: {"0": 50 * (number + 1), "1": 50 * (number + 1)}}, "messaging.destination.name": topic, **more,
    }  # fmt: skip


def lag(second, messages, seconds, query=QUERY):
    """Somebody looks at the lag."""
    return {"event": "lag", "clock": BEGAN + second, "query": query, "messages": messages, "seconds": seconds}


def failed(second, query=QUERY):
    """A query fails."""
    return {
        "event": "query_failed",
        "clock": BEGAN + second,
        "query": query,
        "failures": 1,
        "error": "no broker",
    }


def watermark(second):
    """A time of the stream's life as Spark writes it."""
    return (
        datetime.fromtimestamp(BEGAN + second, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


def course(seconds=30, query=QUERY):
    """A hundred messages a second in batches of one second, and a look every five."""
    yield query_start(0, query)
    for second in range(1, seconds):
        yield batch(second, second - 1, query=query)
        if second % 5 == 0:
            yield lag(second, 20, 0.4, query)


def start(attempt, **changes):
    """A start that ended."""
    values = {
        "attempt": attempt, "command": attempt, "restart": 0, "streams": ["lake"], "cores": 1, "memory": "1g", "drain": False,
        "params": {"most": 1000, "options": {"lake": {"topics": "ratings"}}}, "triggers": {"lake": 10.0},
        "environment": {"host.cores": 2, "hash.code": "c0de"}, "began_at": BEGAN, "status": "stopped", "ended_at": BEGAN + 30,
    }  # fmt: skip
    return Start(**(values | changes))


def write(place, begun, events):
    """Write a start and its events as they lie in a run folder; return its folder."""
    folder = place / begun.attempt
    folder.mkdir(parents=True, exist_ok=True)
    keep(begun, folder)
    (folder / EVENTS).write_text("".join(json.dumps(event) + "\n" for event in events))
    return folder
