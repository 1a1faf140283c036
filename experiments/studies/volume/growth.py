"""Growth of what is stored, at the measured sizes and a rate of messages, and its report."""

import time
from collections.abc import Sequence
from typing import Any

from core.units import size_text
from experiments.page.document import Document, facts_of
from experiments.page.finding import BRIEF, Finding
from experiments.page.index import header
from experiments.page.tables import NONE, Table
from experiments.studies.volume.measured import PLACES, Size

NAME = "volume"
QUESTION = "How many bytes do the streams store in a second, a minute, an hour, a day and a year?"
SPANS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "year": 365 * 86_400}


def share(sizes: Sequence[Size]) -> dict[str, float]:
    """Return each topic's share of all messages, by the place that has the most of them."""
    most: dict[str, int] = {}
    for size in sizes:
        most[size.topic] = max(size.messages, most.get(size.topic, 0))
    total = sum(most.values())
    return {topic: count / total for topic, count in most.items()}


def a_message(sizes: Sequence[Size], place: str) -> dict[str, float]:
    """Return the bytes that a message of each topic takes in a place, for the topics that are there."""
    return {size.topic: size.bytes / size.messages for size in sizes if size.place == place}


def a_second(sizes: Sequence[Size], rate: float) -> dict[str, float]:
    """Return the bytes a second in each place, at so many messages a second in the topics' measured shares."""
    shares = share(sizes)
    each = {place: a_message(sizes, place) for place in PLACES}
    return {
        place: rate * sum(shares[topic] * size for topic, size in found.items())
        for place, found in each.items()
        if found
    }


def message_table(sizes: Sequence[Size]) -> Table:
    """One row a topic: its messages, and the bytes of one in each place."""
    each = {place: a_message(sizes, place) for place in PLACES}
    most = {topic: max(one.messages for one in sizes if one.topic == topic) for topic in share(sizes)}
    rows = [
        [topic, f"{most[topic]:,}", *(_bytes(each[place].get(topic)) for place in PLACES)]
        for topic in sorted(most)
    ]
    return Table(["topic", "messages", *(f"B a message, {place}" for place in PLACES)], rows)


def growth_table(sizes: Sequence[Size], rate: float) -> Table:
    """One row a place: its bytes in each span of time."""
    found = a_second(sizes, rate)
    every = {**found, "together": sum(found.values())}
    rows = [
        [place, *(size_text(size * seconds) for seconds in SPANS.values())] for place, size in every.items()
    ]
    return Table(
        [f"{rate:,g} messages/s", *(f"{'an' if span == 'hour' else 'a'} {span}" for span in SPANS)], rows
    )


def document(sizes: Sequence[Size], rate: float, environment: dict[str, Any]) -> Document:
    """Return the report."""
    found, when = a_second(sizes, rate), time.time()
    total = sum(found.values())
    answer = (
        f"At {rate:,g} messages a second the streams store {size_text(total * SPANS['day'])} a day and "
        f"{size_text(total * SPANS['year'])} a year. Kafka keeps of it what the topics' retention says."
    )
    values = {
        **header(NAME, QUESTION, answer, when, ok=1, failed=0, kind="data"),
        "rate": rate,
        "sizes": [size._asdict() for size in sizes],
        "bytes_a_second": found,
        "environment": environment,
    }
    findings = [
        Finding("A message", tables=(message_table(sizes),)),
        Finding("Growth", answer=answer, tables=(growth_table(sizes, rate),)),
    ]
    return Document(
        NAME,
        "volume",
        QUESTION,
        answer,
        findings,
        values,
        rows=[Size._fields, *sizes],
        facts=facts_of(environment),
        glance=[("when", time.strftime("%Y-%m-%d %H:%M"))],
        method=[
            (
                "Bytes",
                "On disk, all copies together, after compression; of the lake the newest version's files.",
            ),
            (
                "Cassandra",
                "All tables of the stream, over the messages of ratings and events that the lake has.",
            ),
            ("Rate", "Of all topics together, in the shares in which their messages are stored now."),
        ],
        style=BRIEF,
    )


def _bytes(size: float | None) -> str:
    return NONE if size is None else f"{size:,.0f}"
