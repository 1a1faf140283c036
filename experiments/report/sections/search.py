"""Trials of a search, the best one, and its quality on the test part."""

from collections.abc import Iterator, Sequence
from typing import Any

from experiments.metric_table import metric_name
from experiments.page.finding import Finding
from experiments.page.plots import Plot
from experiments.page.tables import NONE, Table
from experiments.page.wording import answered, counted, setting, values_apart
from experiments.page.wording import sure as sure_of
from experiments.results.metrics import quality
from experiments.results.outcome import Outcome
from experiments.spec.experiment import Experiment
from experiments.spec.search_space import ALIAS, Search, registered_name
from experiments.spec.tables import short
from experiments.studies.search.best import Tried, best, final, validated

_DIGITS = 4
_NOTE = (
    "{metric} of the trials is measured on the validation part of training, by which the best one was chosen; that of the best "
    "on the test part, too, which no trial of the search saw"
)


def _find(experiment: Experiment, outcomes: Sequence[Outcome]) -> Finding | None:
    search = experiment.search
    trials = validated(search, outcomes) if search else []
    if search is None or not trials:
        return None
    chosen = best(search, trials)
    last = final(outcomes, chosen) if chosen else None
    return Finding(
        "Search",
        answer=_answer(search, trials, chosen, last),
        tables=(_table(search, trials, chosen),),
        plots=tuple(_plots(search, trials, chosen)),
        notes=(
            *_chosen(search, chosen),
            _NOTE.format(metric=search.metric),
            f"a successful run registers the best model as {registered_name(experiment.name)}@{ALIAS}; MLflow's page of models shows it",
        ),
        data={"search": _plain(search, trials, chosen, last)},
    )


def _answer(
    search: Search,
    trials: Sequence[Tried],
    chosen: Tried | None,
    last: Outcome | None,
) -> str:
    """Name the chosen settings as far as they vary, and what they are worth."""
    if chosen is None or chosen.score is None:
        return f"None of {counted(len(trials), 'trial')} can be chosen. Each failed or took longer than the limit."
    metric = metric_name(search.metric)
    tested = quality(last).get(search.metric) if last else None
    scores = values_apart(chosen.score, *([] if tested is None else [tested]))
    varying = [key for key in chosen.settings if len({str(item.settings[key]) for item in trials}) > 1]
    named = [setting(key, chosen.settings[key]) for key in varying or chosen.settings]
    found = (
        f"the best of {counted(len(trials), 'trial')} has {{}}: {metric} {scores[0]} on the validation part"
    )
    if tested is None:
        sure = f"Its {metric} on test rows is unknown: the model was not fitted on all of training."
    else:
        found += f", {scores[1]} on test rows"
        sure = sure_of(min(len(item.outcome.measured) for item in trials if item.outcome.measured))
    return answered((found.format(text) for text in _shorter(named)), sure)


def _shorter(named: Sequence[str]) -> Iterator[str]:
    """Yield all settings, then fewer and the number of the others."""
    yield " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)
    for count in range(len(named) - 1, 0, -1):
        yield f"{', '.join(named[:count])} and {counted(len(named) - count, 'more setting')}"


def _chosen(search: Search, chosen: Tried | None) -> list[str]:
    """Say every chosen setting, and which limit it keeps."""
    if chosen is None:
        return []
    limit = f", within {search.time_limit_s:g} s of {search.time_metric}" if search.time_limit_s else ""
    return [f"chosen{limit}: {_settings(chosen)}"]


def _table(search: Search, trials: Sequence[Tried], chosen: Tried | None) -> Table:
    sign = 1.0 if search.lowest else -1.0
    ranked = sorted(trials, key=lambda item: (item.score is None, sign * (item.score or 0.0)))
    names = [short(key, search.space) for key in search.space]
    rows = [
        [
            f"{trials.index(item) + 1}",
            *(str(value) for value in item.settings.values()),
            NONE if item.score is None else f"{item.score:.{_DIGITS}f}",
            NONE if item.seconds is None else f"{item.seconds:.2f}",
            _remark(item, chosen),
        ]
        for item in ranked
    ]
    return Table(["trial", *names, f"validation {search.metric}", search.time_metric, ""], rows)


def _remark(item: Tried, chosen: Tried | None) -> str:
    if item is chosen:
        return "best"
    if item.score is None:
        return item.outcome.status if item.outcome.status != "ok" else "no score"
    return "" if item.eligible else "over the time limit"


def _plots(search: Search, trials: Sequence[Tried], chosen: Tried | None) -> list[Plot]:
    scored = [(number, item) for number, item in enumerate(trials, 1) if item.score is not None]
    if len(scored) < 2:
        return []
    order = f"{search.metric} on the validation part of each trial in order; the line is the best so far."
    cost = f"{search.metric} on the validation part against seconds of {search.time_metric}; the star is the chosen one."
    return [
        Plot("search-order", order, lambda axes: _order(axes, search, scored), (7.5, 3.8)),
        Plot("search-cost", cost, lambda axes: _cost(axes, search, scored, chosen), (7.5, 3.8)),
    ]


def _order(axes: Any, search: Search, scored: Sequence[tuple[int, Tried]]) -> None:
    for eligible, label in ((True, "within the limit"), (False, "over the time limit")):
        points = [(number, item.score) for number, item in scored if item.eligible is eligible]
        if points:
            fill = {} if eligible else {"markerfacecolor": axes.get_facecolor()}
            axes.plot(
                *zip(*points, strict=True), "o", label=label if search.time_limit_s else "trial", **fill
            )
    allowed = [(number, item.score or 0.0) for number, item in scored if item.eligible]
    if allowed:
        pick = min if search.lowest else max
        so_far = [pick(score for _, score in allowed[: end + 1]) for end in range(len(allowed))]
        axes.step([number for number, _ in allowed], so_far, where="post", label="best so far")
    axes.set_xlabel("trial")
    axes.set_ylabel(search.metric)
    axes.legend()


def _cost(axes: Any, search: Search, scored: Sequence[tuple[int, Tried]], chosen: Tried | None) -> None:
    timed = [item for _, item in scored if item.seconds is not None]
    axes.plot([item.seconds for item in timed], [item.score for item in timed], "o", label="trial")
    if chosen is not None and chosen.seconds is not None:
        axes.plot(chosen.seconds, chosen.score, "*", markersize=15, label="best")
    if search.time_limit_s is not None:
        axes.axvline(search.time_limit_s, linestyle="--", linewidth=1, color="#8b949e", label="limit")
    axes.set_xlabel(f"seconds ({search.time_metric})")
    axes.set_ylabel(search.metric)
    axes.legend()


def _settings(item: Tried) -> str:
    return ", ".join(f"{short(key, item.settings)} = {value}" for key, value in item.settings.items())


def _plain(
    search: Search, trials: Sequence[Tried], chosen: Tried | None, last: Outcome | None
) -> dict[str, Any]:
    return {
        "metric": search.metric,
        "trials": [
            {
                "key": item.outcome.key,
                "settings": item.settings,
                "score": item.score,
                "seconds": item.seconds,
                "eligible": item.eligible,
            }
            for item in trials
        ],
        "best": chosen.outcome.key if chosen else None,
        "test": quality(last).get(search.metric) if last else None,
    }


FIND = _find
