"""Predictions of a capacity model, fitted to an experiment's small runs, against its held-out runs."""

import dataclasses
import statistics
from collections.abc import Sequence
from typing import Any

from core.errors import UsageError
from core.units import count_text, time_text
from experiments.page.finding import Finding
from experiments.page.plots import COLOURS, GREY, Plot
from experiments.page.tables import NONE, Table
from experiments.page.wording import counted, number_word, percent, sentence
from experiments.results.outcome import Outcome
from experiments.spec.experiment import Experiment
from experiments.studies.capacity.model import Model, Prediction
from experiments.studies.capacity.points import Point, points_of
from experiments.studies.capacity.sentences import notes

_CAPTION = (
    "Predicted against measured wall time of a job of one pass, both axes logarithmic, with 95% prediction intervals. "
    "Filled: held out. Hollow: fitted to (learnt from). Dashed line: prediction equal to measurement."
)


def _find(experiment: Experiment, outcomes: Sequence[Outcome]) -> Finding | None:
    if not experiment.held_out:
        return None
    try:
        points = points_of(experiment, outcomes)
        model = Model.of(points)
        predictions = model.predict([point.load for point in points.all])
    except UsageError as error:
        return Finding("Capacity", notes=(f"no model: {error}",))
    pairs = list(zip(points.all, predictions, strict=True))
    held_out = pairs[len(points.training) :]
    return Finding(
        "Capacity",
        answer=_answer(model, held_out),
        tables=(_terms(model), _checked(pairs, len(points.training))),
        plots=(
            Plot("capacity", _CAPTION, lambda axes: _draw(axes, pairs, len(points.training)), (6.5, 5.0)),
        ),
        notes=(*_details(model, held_out), *notes(model)),
        data={"capacity": _plain(model, pairs)},
    )


def _answer(model: Model, held_out: Sequence[tuple[Point, Prediction]]) -> str:
    small = counted(len(model.points.training), "small run")
    if not held_out:
        return f"A model is fitted to {small}. Nobody knows yet how good it is: no larger run checked it (plan with --validate)."
    errors = [abs(_error(*pair)) for pair in held_out]
    typical = (
        f"a median error of {percent(statistics.median(errors))}"
        if len(errors) > 1
        else f"an error of {percent(errors[0])}"
    )
    verb = "times of {} were" if len(held_out) > 1 else "time of {} was"
    found = f"From {small} the {verb.format(counted(len(held_out), 'larger run'))} predicted with {typical}"
    inside = [_inside(*pair) for pair in held_out]
    sure = "No interval: it takes more small runs"
    if None not in inside:
        sure = (
            f"{number_word(sum(map(bool, inside)))} of {number_word(len(inside))} lay within the 95% interval"
        )
    return f"{found}. {sentence(sure)}"


def _details(model: Model, held_out: Sequence[tuple[Point, Prediction]]) -> list[str]:
    """Say how far beyond the small runs the checks went, and the largest error."""
    if not held_out:
        return []
    most = max(point.load.rows for point, _ in held_out)
    larger = most / max(point.load.rows for point in model.points.training)
    worst = max(abs(_error(*pair)) for pair in held_out)
    return [
        f"held-out runs have up to {larger:.1f} times the rows of the small ones; the largest error is {worst:.0%}"
    ]


def _terms(model: Model) -> Table:
    """Return one row a term: its meaning, and seconds for each unit of it."""
    rows = [
        [name, term.meaning, f"{work:.3g}", f"{rest:.3g}"]
        for name, term, (work, rest) in zip(
            model.time.terms.names, model.time.terms.chosen, model.time.fit.coefficients, strict=True
        )
    ]
    return Table(["term", "meaning", "s, warm pass", "s, all else"], rows)


def _checked(pairs: Sequence[tuple[Point, Prediction]], training: int) -> Table:
    rows = []
    for number, (point, found) in enumerate(pairs):
        wall = found.wall
        interval = (
            NONE
            if wall.low is None or wall.high is None
            else f"{time_text(wall.low)} to {time_text(wall.high)}"
        )
        rows.append(
            [point.label, "learnt from" if number < training else "held out", count_text(point.load.cores),
             time_text(point.wall_s), time_text(wall.value), interval, f"{_error(point, found):+.0%}", point.tag]
        )  # fmt: skip
    return Table(["run", "used", "cores", "measured", "predicted", "95% interval", "error", "tag"], rows)


def _error(point: Point, found: Prediction) -> float:
    return found.wall.value / point.wall_s - 1.0


def _inside(point: Point, found: Prediction) -> bool | None:
    if found.wall.low is None or found.wall.high is None:
        return None
    return found.wall.low <= point.wall_s <= found.wall.high


def _draw(axes: Any, pairs: Sequence[tuple[Point, Prediction]], training: int) -> None:
    for number, (point, found) in enumerate(pairs):
        held_out = number >= training
        colour = COLOURS[1] if held_out else COLOURS[0]
        if found.wall.low is not None:
            axes.vlines(point.wall_s, found.wall.low, found.wall.high, color=colour, linewidth=1.5)
        face = colour if held_out else axes.get_facecolor()
        label = {training: "held out", 0: "learnt from"}.get(number)
        axes.plot(
            point.wall_s, found.wall.value, "o", markersize=8, color=colour, markerfacecolor=face, label=label
        )
    ends = [value for point, found in pairs for value in (point.wall_s, found.wall.value)]
    axes.plot(
        [min(ends), max(ends)],
        [min(ends), max(ends)],
        "--",
        linewidth=1,
        color=GREY,
        label="as measured",
    )
    for axis, side in ((axes.xaxis, "x"), (axes.yaxis, "y")):
        getattr(axes, f"set_{side}scale")("log")
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter("{x:g}")
    axes.set_xlabel("measured wall time, seconds")
    axes.set_ylabel("predicted, seconds")
    axes.legend(loc="upper left")


def _plain(model: Model, pairs: Sequence[tuple[Point, Prediction]]) -> dict[str, Any]:
    return {
        "terms": model.time.terms.names,
        "coefficients": model.time.fit.coefficients.tolist(),
        "degrees_of_freedom": model.time.fit.degrees,
        "points": [
            {
                "run": point.label,
                "held_out": point in model.points.held_out,
                "load": dataclasses.asdict(point.load),
                "measured_s": {"pass": point.pass_s, "all_else": point.overhead_s, "wall": point.wall_s},
                "predicted_s": dataclasses.asdict(found.wall),
                "error": _error(point, found),
                "executor": {"heap": point.heap, "python": point.python},
            }
            for point, found in pairs
        ],
    }


FIND = _find
