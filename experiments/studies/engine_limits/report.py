"""Report of what an iteration would take on more workers and more ratings: what was measured, what is assumed, what is arithmetic."""

import time
from collections.abc import Sequence
from typing import Any

from core.units import size_text
from experiments.page.document import Document, facts_of
from experiments.page.finding import BRIEF, Finding
from experiments.page.index import header
from experiments.page.plots import COLOURS, Plot
from experiments.page.tables import Table
from experiments.studies.engine_limits.arithmetic import (
    SIZES,
    WAYS,
    Data,
    Iteration,
    Measured,
    every,
    fastest,
)

NAME = "engine-limits"
QUESTION = "Up to how many ratings and workers is it right to send all factors to every worker?"
BUILT = WAYS[:2]

_HEADER = [
    "ratings",
    "workers",
    "compute s",
    *(f"{way} s" for way in WAYS),
    "sent by broadcast",
    "by rows",
    "a worker holds",
    "fastest of those built",
]


def document(rank: int, measured: Measured, memory: float, environment: dict[str, Any]) -> Document:
    """Return the report of an iteration at a rank, on workers that have `memory` bytes for factors."""
    found = list(every(rank, measured))
    answer, when = _answer(found, memory), time.time()
    values = {
        **header(NAME, QUESTION, answer, when, ok=1, failed=0, kind="data"),
        "rank": rank,
        "measured": vars(measured),
        "iterations": [{**vars(data), **vars(one)} for data, one in found],
        "environment": environment,
    }
    finding = Finding(
        "An iteration",
        answer=answer,
        tables=(Table(_HEADER, [_row(data, one) for data, one in found]),),
        plots=tuple(_plot(data, [one for of, one in found if of == data]) for data in SIZES),
    )
    return Document(
        NAME,
        NAME,
        QUESTION,
        answer,
        [finding],
        values,
        facts=facts_of(environment),
        glance=[("when", time.strftime("%Y-%m-%d %H:%M")), ("rank", str(rank))],
        method=_method(measured),
        style=BRIEF,
    )


def _answer(found: Sequence[tuple[Data, Iteration]], memory: float) -> str:
    """Say where a broadcast is the quicker way, what it needs, and from where on rows between workers would be quicker."""
    quicker = all(fastest(one, BUILT) == WAYS[0] for _, one in found)
    text = "Of what is built, a broadcast is the quicker way " + (
        "everywhere here" if quicker else "in some places (see the table)"
    )
    (data, one), *_ = found
    most = data.ratings * memory / one.most[WAYS[0]]
    text += f"; with {size_text(memory)} for factors in each worker it ends at about {most:.1g} ratings"
    between = [
        f"{one.workers} workers at {data.ratings:.0e}".replace("e+", "e")
        for data in SIZES
        for one in [item for of, item in found if of == data and fastest(item) == WAYS[2]][:1]
    ]
    if between:
        text += f". Rows sent from worker to worker would be quicker from {', '.join(between)} ratings on"
    return f"{text}."


def _row(data: Data, one: Iteration) -> list[str]:
    return [
        f"{data.ratings:.0e}".replace("e+", "e"),
        str(one.workers),
        f"{one.compute_s:.1f}",
        *(f"{one.seconds[way]:.1f}" for way in WAYS),
        size_text(one.shipped[WAYS[0]]),
        size_text(one.shipped[WAYS[1]]),
        size_text(one.most[WAYS[0]]),
        fastest(one, BUILT),
    ]


def _plot(data: Data, found: Sequence[Iteration]) -> Plot:
    caption = f"Seconds of an iteration over {data.ratings:,.0f} ratings by the number of workers, both axes logarithmic."

    def draw(axes: Any) -> None:
        workers = [one.workers for one in found]
        for way, colour in zip(WAYS, COLOURS, strict=False):
            style = "-" if way in BUILT else ":"
            axes.plot(
                workers, [one.seconds[way] for one in found], style, marker="o", color=colour, label=way
            )
        axes.plot(workers, [one.compute_s for one in found], "--", color="#8b949e", label="computing alone")
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(workers, [str(number) for number in workers])
        axes.set_xlabel("workers of one core")
        axes.set_ylabel("seconds of an iteration")
        axes.legend()

    return Plot(f"ratings-{data.ratings:.0e}".replace("+", ""), caption, draw, (7.5, 4.2), narrow=(4.4, 3.8))


def _method(measured: Measured) -> list[tuple[str, str]]:
    return [
        (
            "Measured",
            (
                f"a core's kernel {measured.gflops:g} GFLOP/s, loading factors {measured.load_mb_per_s:g} MB/s, {measured.stage_s:g} s a stage beside its work, "
                f"the slowest core {measured.slowest:g} times the mean; by `engine_vs_mllib` on the machine that the docs name"
            ),
        ),
        (
            "Assumed",
            f"each machine's link {measured.network_mb_per_s:g} MB/s both ways, one core a worker, two blocks a worker and side",
        ),
        (
            "Arithmetic",
            (
                "everything else: users and items are as skewed as in ml-32m, ten times the ratings have ten times the users and three times the items; an id "
                "with n ratings is needed in b (1 - (1 - 1/b)^n) of b blocks"
            ),
        ),
        (
            "Routed between workers",
            "is not built: rows would go from the worker that solved them to those that need them, without the driver",
        ),
    ]
