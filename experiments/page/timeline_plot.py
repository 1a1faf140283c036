"""Plot of the cores of one application over time, with its phases."""

from typing import Any

from experiments.page.figure import Plot
from experiments.results.outcome import Application

_SHADES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
_LETTER = 0.011  # of the width: a phase that is narrower than its name goes without


def picture(name: str, label: str, application: Application) -> Plot | None:
    """Return the plot of an application; None if its event log has no timeline."""
    telemetry = application.telemetry
    if not telemetry.get("timeline", {}).get("busy"):
        return None
    caption = (
        f"{label}, application {application.number + 1}: cores that held a task (filled) of the cores of its executors (line), "
        "over its whole life; averages of equal bins. Shaded: timed phases, measured passes darker than warm-ups. White "
        "beneath the line is core-time without a task."
    )
    return Plot(name, caption, lambda axes: _draw(axes, telemetry), (9.0, 3.4))


def _draw(axes: Any, telemetry: dict[str, Any]) -> None:
    line = telemetry["timeline"]
    count, width = len(line["busy"]), line["width_s"]
    edges = [number * width for number in range(count + 1)]
    whole = edges[-1]
    most = max([1.0, *line["cores"], *line["busy"]])
    colours: dict[str, str] = {}
    for use in telemetry.get("phases", ()):
        colour = colours.setdefault(use["phase"], _SHADES[len(colours) % len(_SHADES)])
        start = use["start"] - line["start"]
        strength = 0.28 if use["kind"] == "repeat" else 0.12
        label = use["phase"] if use["kind"] == "repeat" or len(telemetry["phases"]) == 1 else None
        known = axes.get_legend_handles_labels()[1]
        axes.axvspan(
            start, start + use["seconds"], color=colour, alpha=strength, linewidth=0,
            label=None if label in known else label,
        )  # fmt: skip
        if use["seconds"] >= _LETTER * len(use["phase"]) * whole:
            axes.annotate(
                use["phase"], (start + use["seconds"] / 2, most * 1.04), ha="center", fontsize=8, color=colour
            )
    axes.stairs(line["busy"], edges, fill=True, color="#57606a", alpha=0.85, label="busy cores")
    axes.stairs(line["cores"], edges, linewidth=1.2, color="#d1242f", label="cores", baseline=None)
    axes.set_xlim(0, whole)
    axes.set_ylim(0, most * 1.15)
    axes.set_xlabel("seconds since the application began")
    axes.set_ylabel("cores")
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.grid(visible=False)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2 + len(colours), fontsize=9)
