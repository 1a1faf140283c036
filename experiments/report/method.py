"""Description of an experiment's method, in sentences for a reader of the report."""

from collections.abc import Sequence

from experiments.metric_table import COVERAGE, NDCG, RMSE
from experiments.results.metrics import phases, quality
from experiments.results.model_equality import SAME_MODEL
from experiments.results.outcome import Outcome
from experiments.results.windows import has_windows
from experiments.spec.experiment import Experiment
from experiments.spec.tables import JOB, short
from experiments.stats.families import SHARED_LOOK
from experiments.stats.fits import MUCH, NEGLIGIBLE
from experiments.stats.intervals import LEAST_FOR_INTERVAL

_TAGS = {
    "clean": "worker cores leave at least one of the host's cores to the driver and the servers",
    "shared-host": "worker cores take all of the host's cores, so that the driver and the servers compete with them",
    "external": "the workers are an external master's, and how many cores their machines have is not seen from here",
    "oversubscribed": "there are more worker cores than the host has; no speed-up is claimed or fitted",
}


_WINDOWS = (
    "A job that runs on is measured in windows, one after another without a gap, by a monotonic clock in the driver: rates are "
    "what was counted in a window over its length, lags are as the job tells them. Warm-ups above are windows, too, and so are "
    "measured repeats. Shown is the median over applications of each application's median window."
)


def method_of(outcomes: Sequence[Outcome]) -> list[tuple[str, str]]:
    """Return pairs of a term and what it means here."""
    found = [("Trials", _effort(outcomes))]
    found += [("Time", _time(outcomes))] if not all(map(has_windows, outcomes)) else []
    found += [("Windows", _WINDOWS)] if any(map(has_windows, outcomes)) else []
    claimed = not all(outcome.shared or has_windows(outcome) for outcome in outcomes)
    if claimed:
        found.append(("Intervals", _intervals()))
        found += [("Ratios", _ratios())] if len(outcomes) > 1 else []
    if len({str(outcome.size) for outcome in outcomes}) > 1:
        found += [("Speed-up", _speedup()), ("Laws", _laws())] if claimed else []
        used = [tag for tag in _TAGS if any(outcome.shape_tag == tag for outcome in outcomes)]
        found.append(("Tags of shapes", "; ".join(f"{tag}: {_TAGS[tag]}" for tag in used) + "."))
    judged = {name for outcome in outcomes for name in quality(outcome)}
    if judged & {RMSE.key, COVERAGE.key}:
        found.append(("Quality", _quality(judged)))
    return found


def asked(experiment: Experiment) -> list[tuple[str, str]]:
    """Return what the spec fixed and what it varied, by name."""
    every = [JOB, *experiment.fixed, *experiment.grid]
    rows = [(short(JOB), experiment.job)]
    rows += [(short(key, every), _words(value)) for key, value in experiment.fixed.items()]
    return rows + [(f"{short(key, every)} (varied)", _words(value)) for key, value in experiment.grid.items()]


def data_of(outcomes: Sequence[Outcome]) -> list[tuple[str, str]]:
    """Return each data set of the trials with its size and the digest of its rows."""
    found: dict[str, str] = {}
    for outcome in outcomes:
        data = outcome.data
        if data:
            sizes = [f"{data[key]:,} {key}" for key in ("rows", "users", "items") if data.get(key)]
            found[f"data {data['name']}"] = ", ".join([*sizes, f"digest {data['digest']}"])
    return list(found.items())


def _effort(outcomes: Sequence[Outcome]) -> str:
    shared = [outcome for outcome in outcomes if outcome.shared]
    own = [outcome for outcome in outcomes if not outcome.shared]
    return " ".join([*([_alone(own)] if own else []), *([_together(shared)] if shared else [])])


def _together(outcomes: Sequence[Outcome]) -> str:
    warmups = _span([outcome.warmups for outcome in outcomes], "warm-up")
    repeats = _span([outcome.repeats for outcome in outcomes], "measured repeat")
    return (
        f"{SHARED_LOOK}. Trials of one cluster shape run one after another in the session of one Spark application, "
        f"each with {warmups}, then {repeats}; what a trial cached is released before the next. A later trial finds "
        "JVMs and Python workers warmer than an earlier one, so no interval and no speed-up is given, and such times are "
        "never set against those of trials with applications of their own."
    )


def _alone(outcomes: Sequence[Outcome]) -> str:
    applications = _span([outcome.wanted for outcome in outcomes], "Spark application")
    warmups = _span([outcome.warmups for outcome in outcomes], "warm-up")
    repeats = _span([outcome.repeats for outcome in outcomes], "measured repeat")
    return (
        f"A trial is {applications}, each in a new JVM: {warmups}, then {repeats} in the same session. Trials take turns, an application each "
        "a round, in an order that is drawn anew for each round and balanced over all, so that a host that grows slower does so for "
        "all and no rhythm of it meets always the same trial; trials of one shape stay together within a round. The first warm-up is kept as the cold number and mixed into nothing."
    )


def _time(outcomes: Sequence[Outcome]) -> str:
    named = list(dict.fromkeys(phase for outcome in outcomes for phase in phases(outcome)))
    which = f" ({', '.join(named)})" if named else ""
    return (
        f"Timed are the phases{which} by a monotonic clock in the driver; each ends in an action that computes every row "
        "and column of what it made, and a phase in which no Spark job ran is refused. A pass is all phases together. "
        "Starting the application, judging the model and recording are outside. Shown is the median over applications "
        "of each application's median repeat; in brackets the least and the most repeat of all."
    )


def _intervals() -> str:
    return (
        "Repeats inside one application are correlated, so an application counts as one value, and with fewer than "
        f"{LEAST_FOR_INTERVAL} there is no interval, only the raw values. A trial's own seconds: 95% interval of the median "
        "over applications, between interpolated order statistics (with five applications from the least to the most, which "
        "is 93.75%). It holds where applications vary independently; where the host grows slower or faster meanwhile, "
        "nothing is promised of it. All intervals cover what varies between applications on this host at that time, nothing else."
    )


def _ratios() -> str:
    return (
        "Ratios of two trials are of geometric means. Where trials took turns the applications of the same round are paired: "
        "95% interval by Student's t over the logarithms of their ratios, in which what the host does to a whole round cancels. "
        "Trials without five common rounds (measured at different times, or by an older version that did not note rounds) are "
        "marked unpaired: t over both samples with the degrees of freedom of the smaller one, rather too wide than too narrow, "
        "and a change of the host between them is in the ratio."
    )


def _speedup() -> str:
    return (
        "Against the smallest shape that ran the same trial. It is refused where the fitted "
        f"model changed: where predictions on fixed pairs differ by more than {SAME_MODEL:g}."
    )


def _laws() -> str:
    return (
        f"A law is fitted to geometric means. It is poor if it misses them by more than their noise explains (F test at 5%, so "
        f"of laws that hold one in twenty is called poor) and by more than {NEGLIGIBLE:.0%}. If it may miss them by more than "
        f"{MUCH:.0%} (upper 95% bound), whether it describes the times cannot be told. In both cases nothing is concluded from it."
    )


def _quality(judged: set[str]) -> str:
    text = (
        "RMSE is over the test rows that the model could score; coverage is their share. Beside it stands the RMSE of the "
        "training part's mean and of user and item biases on the same rows. A model without a rating scale has none (n/a)."
        if RMSE.key in judged
        else "Coverage is the share of test rows that the model could score."
    )
    if NDCG.among(judged):
        text += (
            " nDCG counts a test row as relevant or not; candidates are all items that the user has not seen."
        )
    return text


def _span(values: Sequence[int], noun: str) -> str:
    least, most = min(values), max(values)
    number = str(least) if least == most else f"{least}\u2013{most}"
    return f"{number} {noun}" + "s" * (number != "1")


def _words(value: object) -> str:
    return ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)
