"""Sections of a data set's report, from its aggregates."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from experiments.page.figure import Plot
from experiments.page.finding import Finding
from experiments.page.tables import NONE, Table
from experiments.studies.eda import charts
from experiments.studies.eda.launch import Explored

_PHONE = 4.4
_BAND = (
    "Each bin is twice as wide as the one before, because counts range over several powers of two. The numbers on top say how "
    "many users, items or tags are in each bin; with few of them its mean is uncertain."
)


def findings_of(explored: Explored) -> list[Finding]:
    """Return the sections for which this data has numbers, and one that names what is missing."""
    found = explored.found
    made = [
        *_ratings(explored),
        *_counts(found),
        *_averages(found),
        *_tags(found),
        *_genres(found),
        *_decades(found),
        *_features(found),
    ]
    return [_glance(explored), *made, *_absent(found)]


def answer(explored: Explored) -> str:
    """Describe the data in one sentence."""
    counts, found = explored.counts, explored.found
    if "intervals" not in found:
        what = [name for name in ("genres", "tags", "features") if found[name]]
        described = f", described by {' and '.join(what)}" if what else ""
        return f"{counts['items']:,} items and no ratings{described}."
    ratings, kind = found["ratings"], _kind(found)
    mean = f", {ratings['mean']:.2f} on average" if ratings else ""
    often = found["intervals"][-1]
    share = f"{often['ratings'] / counts['rows']:.0%}"
    one = often["items"] == 1
    held = f"; {often['items']:,} item{'' if one else 's'} with {charts.interval_name(3)} hold{'s' * one} {share} of them"
    rated = f"{found['items']['count']:,} of {counts['items']:,}"
    return (
        f"{counts['rows']:,} {kind} of {rated} items by {counts['users']:,} users{mean}"
        f"{held if often['items'] else ''}."
    )


def _kind(found: Mapping[str, Any]) -> str:
    """Return the word for a row of this data."""
    return "ratings" if found.get("ratings") else "interactions"


def _glance(explored: Explored) -> Finding:
    counts, found = explored.counts, explored.found
    rows = [["items", f"{counts['items']:,}"]]
    if "intervals" in found:
        rated = found["items"]["count"]
        rows = [
            [_kind(found), f"{counts['rows']:,}"],
            ["users", f"{counts['users']:,}"],
            *rows,
            ["items with at least one", f"{rated:,}"],
            ["share of (user, item) pairs", f"{counts['rows'] / (counts['users'] * rated):.2%}"],
            *_side("user", found["users"]),
            *_side("item", found["items"]),
        ]
    notes = [f"dropped by preprocessing: {name.removeprefix('dropped.')} {count:,}" for name, count in sorted(counts.items()) if name.startswith("dropped.") and count]  # fmt: skip
    if counts.get("rejected"):
        notes.append(f"lines that could not be read: {counts['rejected']:,}")
    return Finding("At a glance", tables=(Table(["what", "number"], rows),), notes=tuple(notes))


def _side(name: str, found: Mapping[str, Any]) -> list[list[str]]:
    shown = f"{found['median']:,} ({found['least']:,}\u2013{found['most']:,})"
    return [[f"per {name}, median (least\u2013most)", shown]]


def _ratings(explored: Explored) -> Iterator[Finding]:
    found = explored.found.get("ratings")
    if not found:
        return
    single = all(low == high for low, high, _ in found["values"])
    names = [f"{low:g}" if single else f"{low:.3g}\u2013{high:.3g}" for low, high, _ in found["values"]]
    counts = [count for *_, count in found["values"]]
    plot = _columns("ratings", "How often each rating was given.", names, counts, ("rating", "ratings"))
    table = [["mean", f"{found['mean']:.4f}"], ["standard deviation", f"{found['sd']:.4f}"]] if found["sd"] is not None else [["mean", f"{found['mean']:.4f}"]]  # fmt: skip
    rows = [*table, ["lowest", f"{found['low']:g}"], ["highest", f"{found['high']:g}"]]
    yield Finding("Ratings", tables=(Table(["what", "rating"], rows),), plots=(plot,))


def _counts(found: Mapping[str, Any]) -> Iterator[Finding]:
    if "intervals" not in found:
        return
    kind = _kind(found)
    names = [charts.interval_name(number) for number in range(len(found["intervals"]))]
    items = [row["items"] for row in found["intervals"]]
    ratings = [row["ratings"] for row in found["intervals"]]
    rows = [
        [name, f"{count:,}", f"{count / sum(items):.1%}", f"{rated:,}", f"{rated / sum(ratings):.1%}"]
        for name, count, rated in zip(names, items, ratings, strict=True)
    ]
    table = Table([f"{kind} of an item", "items", "of all items", kind, f"of all {kind}"], rows)
    unrated = found["intervals"][0]["unrated"]
    sides = {name: {row["bin"]: row["n"] for row in found[name]["bins"]} for name in ("items", "users")}
    caption = f"What share of items and of users has how many {kind}, of those with any; each bin is twice as wide as the one before."
    plots = (
        _columns("intervals", f"Items by their number of {kind}.", names, items, (f"{kind} of an item", "items")),
        Plot(
            "counts", caption, lambda axes: charts.two(axes, sides, kind), (7.5, 3.6), narrow=(_PHONE, 3.6)
        ),
    )  # fmt: skip
    note = (
        f"Intervals include both ends. {unrated:,} items have none; they are counted in the first interval."
    )
    yield Finding(f"How many {kind} items and users have", tables=(table,), plots=plots, notes=(note,))


def _averages(found: Mapping[str, Any]) -> Iterator[Finding]:
    ratings = found.get("ratings")
    if not ratings:
        return
    plots, tables = [], []
    for side in ("items", "users"):
        bins = found[side]["bins"]
        caption = f"Average rating of {side} by how many ratings they have: mean, median and the middle 80% of the averages."
        plots.append(
            _band(f"average-{side}", caption, bins, f"ratings of {side[:-1]}s, each", ratings["mean"])
        )
        tables.append(_band_table(f"ratings ({side})", side, bins))
    yield Finding("Average against count", tables=tuple(tables), plots=tuple(plots), notes=(_BAND,))


def _tags(found: Mapping[str, Any]) -> Iterator[Finding]:
    tags = found["tags"]
    if not tags:
        return
    given = dict(tags["histogram"])
    bins = range(max(given) + 1)
    names, counts = [charts.range_name(number) for number in bins], [given.get(number, 0) for number in bins]
    plots = [
        _columns(
            "tags", "Items by how many tags they were given.", names, counts, ("tags of an item", "items")
        )
    ]
    if tags["averages"]:
        caption = "Average rating of items by how many tags they were given: mean, median and the middle 80% of the averages."
        mean = found["ratings"]["mean"] if found.get("ratings") else None
        plots.append(_band("average-tags", caption, tags["averages"], "tags of an item", mean))
    table = Table(["tag", "times given"], [[name, f"{count:,}"] for name, count in tags["top"]])
    note = f"{tags['items']:,} items were given {tags['uses']:,} tags; a tag given twice to an item counts twice."
    yield Finding("Tags", tables=(table,), plots=tuple(plots), notes=(note, _BAND))


def _genres(found: Mapping[str, Any]) -> Iterator[Finding]:
    genres = found["genres"]
    if not genres:
        return
    used, rated = "intervals" in found, bool(found.get("ratings"))
    rows = [
        [
            *(name, f"{items:,}"),
            *([f"{uses:,}"] if used else []),
            *([NONE if mean is None else f"{mean:.2f}"] if rated else []),
        ]
        for name, items, uses, mean in genres["top"]
    ]
    header = ["genre", "items", *([_kind(found)] if used else []), *(["average rating"] if rated else [])]
    names, counts = ([row[at] for row in genres["top"]] for at in (0, 1))
    height = 1.0 + 0.26 * len(names)
    caption = "Items of each genre; an item may have several."
    plot = Plot(
        "genres", caption, partial(charts.rows, names=names, counts=counts, x="items"), (7.5, height),
        narrow=(_PHONE, height),
    )  # fmt: skip
    notes = [f"{genres['without']:,} items have no genre."] if genres["without"] else []
    notes += [f"{genres['others']:,} rarer genres are not shown."] if genres["others"] else []
    yield Finding("Genres", tables=(Table(header, rows),), plots=(plot,), notes=tuple(notes))


def _decades(found: Mapping[str, Any]) -> Iterator[Finding]:
    decades = found["decades"]
    if decades:
        names, counts = [f"{year}s" for year, _ in decades], [count for _, count in decades]
        yield Finding(
            "Years", plots=(_columns("decades", "Items by decade.", names, counts, ("decade", "items")),)
        )


def _features(found: Mapping[str, Any]) -> Iterator[Finding]:
    features = found["features"]
    if not features:
        return
    each = features["each"]
    header = ["feature", "items", "mean", "sd", "least", "5%", "25%", "median", "75%", "95%", "most"]
    rows = [
        [name, f"{item['n']:,}", *(_number(value) for value in
         (item["mean"], item["sd"], item["low"], *item["quantiles"], item["high"]))]
        for name, item in each.items()
    ]  # fmt: skip
    caption = "Items over the range of each feature, in thirty equal parts; the line is the median."
    size = (7.5, 0.4 + 1.45 * charts.panel_rows(len(each)))
    narrow = (_PHONE, 0.4 + 1.4 * charts.panel_rows(len(each), 2))
    plot = Plot("features", caption, partial(charts.panels, features=each), size, narrow=narrow)
    notes = [f"{features['left_out']:,} further features are not shown."] if features["left_out"] else []
    yield Finding("Features", tables=(Table(header, rows),), plots=(plot,), notes=tuple(notes))


def _absent(found: Mapping[str, Any]) -> Iterator[Finding]:
    lacking = {
        "ratings": "ratings, so no averages" + ("" if "intervals" in found else " and no counts"),
        "tags": "tags, so no numbers of tags per item",
        "genres": "genres",
        "decades": "years",
        "features": "numeric features, such as audio features",
    }
    notes = [f"no {what}" for name, what in lacking.items() if not found.get(name)]
    if notes:
        yield Finding("Missing from this data set", notes=tuple(notes))


def _columns(
    name: str, caption: str, names: Sequence[str], counts: Sequence[float], axes: tuple[str, str]
) -> Plot:
    draw = partial(charts.columns, names=names, counts=counts, x=axes[0], y=axes[1])
    return Plot(name, caption, draw, (7.5, 3.4), narrow=(_PHONE, 3.2))


def _band(
    name: str, caption: str, bins: Sequence[Mapping[str, Any]], x: str, overall: float | None
) -> Plot:  # fmt: skip
    draw = partial(charts.averages, bins=bins, x=x, overall=overall)
    return Plot(name, caption, draw, (7.5, 3.9), narrow=(_PHONE, 3.9))


def _band_table(first: str, side: str, bins: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        [charts.range_name(row["bin"]), f"{row['n']:,}", f"{row['mean']:.3f}", *(f"{value:.3f}" for value in row["quantiles"])]
        for row in bins
    ]  # fmt: skip
    return Table([first, side, "mean of averages", "10%", "median", "90%"], rows)


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:,.4g}" if abs(value) < 100_000 else f"{value:,.0f}"
