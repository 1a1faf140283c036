"""The tables of a curve: its points, the parameters of its fits, and what changed in its models."""

from collections.abc import Iterator, Sequence

from experiments.page.tables import NONE, Table, seconds, speedup_text
from experiments.stats.families import growth
from experiments.stats.fits import NAMES, Fit, Parameter
from experiments.studies.scaling.curves import Curve, Point


def points_table(curves: Sequence[Curve]) -> Table:
    """One row a shape of each curve."""
    named = len(curves) > 1
    weak = any(item.kind == "weak" for item in curves)
    serial = any(point.serial for item in curves for point in item.points)
    header = ["shape", *(["of"] if named else []), *(["rows", "users", "items"] if weak else [])]
    header += ["cores", "seconds", "95%", "scaled speed-up" if weak else "speed-up", "efficiency"]
    header += ["serial (Karp\u2013Flatt)"] if serial else []
    return Table(header, [_row(point, item, named, weak, serial) for item in curves for point in item.points])


def fit_table(curves: Sequence[Curve]) -> Table | None:
    """One row a parameter of each fit; None without fits."""
    rows = [
        [
            f"{NAMES[fit.law]}: {parameter.name}",
            curve.name,
            f"{parameter.value:.3f}",
            f"[{parameter.low:.3f}, {parameter.high:.3f}]",
            f"{fit.missed:.1%}",
            _word(fit, parameter),
        ]
        for curve in curves
        for fit in curve.fits
        for parameter in fit.parameters
    ]
    return Table(["fit", "of", "value", "95%", "times missed by", "verdict"], rows) if rows else None


def _word(fit: Fit, parameter: Parameter) -> str:
    if fit.described != "yes":
        return "poor fit" if fit.poor else "fit cannot be told"
    return "not 0" if parameter.shown else "may be 0"


def change_table(curves: Sequence[Curve]) -> Table | None:
    """One row for everything in which models differ that should be one; None if nothing does."""
    rows = [row for curve in curves for row in _changed(curve)]
    return (
        Table(["changed", "between", "and", "before", "after", "difference", "allowed"], rows)
        if rows
        else None
    )


def _changed(curve: Curve) -> Iterator[list[str]]:
    for item in curve.changes:
        values = [NONE if value is None else f"{value:.6f}" for value in (item.before, item.after)]
        allowed = "none" if item.allowed < 1e-6 else f"{item.allowed:.0e}"
        yield [item.what, item.first, item.second, *values, f"{item.difference:.2g}", allowed]


def _row(point: Point, curve: Curve, named: bool, weak: bool, serial: bool) -> list[str]:
    found, outcome = point.seconds, point.outcome
    row = [str(outcome.size) + ("" if outcome.status == "ok" else f" {outcome.status.upper()}")]
    row += [curve.name] if named else []
    if weak:
        grown = growth(outcome)
        row += [f"{grown[key]:,.0f}" if key in grown else NONE for key in ("rows", "users", "items")]
    interval = NONE if found.low is None or found.high is None else f"{found.low:.2f}\u2013{found.high:.2f}"
    row += [f"{outcome.size.capacity:.3g}", seconds(found), interval]
    efficiency = point.efficiency if curve.claimed and point.drawn else None
    refused = NONE if curve.claimed else "refused"
    row += [speedup_text(point.ratio) if curve.claimed else refused]
    ends = point.efficiency_interval
    within = f" [{ends[0]:.0%}, {ends[1]:.0%}]" if ends else ""
    row += [f"{efficiency:.0%}{within}" if efficiency is not None else NONE]
    return row + ([_serial(point) if curve.claimed else NONE] if serial else [])


def _serial(point: Point) -> str:
    if point.serial is None:
        return NONE
    value, low, high = point.serial
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f} [{low:.3f}, {high:.3f}]"
