"""An answer to an experiment's question for somebody who decides: what was found, then how sure it is."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from core.units import time_in_words
from experiments.metric_table import BIAS, NDCG, RMSE, TOTAL, metric_name
from experiments.page.finding import Finding
from experiments.page.wording import (
    answered,
    how_sure,
    model_of,
    named,
    number_word,
    sentence,
    shape_words,
    values_apart,
)
from experiments.results.metrics import medians, quality, relevant_of
from experiments.results.outcome import Outcome

_PROTOCOL = tuple(
    f"job.{key}" for key in ("split", "test", "split_seed", "n", "fold", "k", "relevant", "seen")
)


def answer_of(findings: Sequence[Finding], outcomes: Sequence[Outcome]) -> str:
    """Return the first answer that a finding gives, else what the trials' own numbers say."""
    return next((finding.answer for finding in findings if finding.answer), "") or _composed(outcomes)


def _composed(outcomes: Sequence[Outcome]) -> str:
    measured = [outcome for outcome in outcomes if outcome.measured]
    if not measured:
        count = len(outcomes)
        whose = "its only trial did not end" if count == 1 else f"none of {number_word(count)} trials ended"
        return f"No answer yet: {whose} well."
    if len(measured) == 1:
        return _single(measured[0])
    if len({protocol(outcome) for outcome in measured}) > 1:
        return (
            "No single answer: the trials differ in their data or in how it is split. "
            "The table sets them side by side."
        )
    best = [*_best_quality(measured), *_shortest(measured)]
    if not best:
        return "No answer yet: the trials have neither times nor quality that tell them apart."
    return answered(_worded(best, measured), how_sure(measured))


def _single(outcome: Outcome) -> str:
    who, values = model_of(outcome), quality(outcome)
    words = []
    if typical := medians(outcome, TOTAL):
        on = shape_words(outcome.size, by_workers=True)
        words.append(f"one pass of {who} on {on} takes {time_in_words(statistics.median(typical))}")
    if {RMSE.key, BIAS.key} <= {*values}:
        own, bias = values_apart(values[RMSE.key], values[BIAS.key])
        words.append(f"its RMSE is {own} (user and item means: {bias})")
    elif ranked := next(iter(NDCG.among(values)), ""):
        words.append(f"its {metric_name(ranked)} is {values_apart(values[ranked])[0]}")
    if not words:
        return f"{sentence(f'{who} ran, but measured neither times nor quality')}"
    return f"{sentence(' and '.join(words))} {how_sure([outcome])}"


class _Best(NamedTuple):
    """The trials that are best in one thing; `what` and `value` say in which, for people."""

    who: list[Outcome]
    verb: str
    what: str
    value: str
    shaped: bool = False


def _worded(best: Sequence[_Best], measured: Sequence[Outcome]) -> Iterator[str]:
    """Yield the sentence with all that is best, then without the last ones, then by models alone."""
    names = [named, lambda item, _: model_of(item)]
    for count in range(len(best), 0, -1):
        for name in names:
            yield "; ".join(_part(item, measured, name) for item in best[:count])


def _part(item: _Best, measured: Sequence[Outcome], name: Callable[..., str]) -> str:
    who = list(dict.fromkeys(name(outcome, measured) for outcome in item.who))
    words = who[0] if len(who) == 1 else f"{who[0]} and {number_word(len(who) - 1)} more"
    several = len({outcome.size for outcome in measured}) > 1
    alike = len({(outcome.size.cores, outcome.size.cpus) for outcome in measured}) == 1
    on = f" on {shape_words(item.who[0].size, by_workers=alike)}" if item.shaped and several else ""
    return f"{words}{on} {item.verb if len(who) == 1 else item.verb.replace('has', 'have')} {item.what}, {item.value}"


def _best_quality(measured: Sequence[Outcome]) -> Iterator[_Best]:
    names = sorted({name for outcome in measured for name in quality(outcome)})
    wanted: list[tuple[str, str, Callable[..., float]]] = [(RMSE.key, "lowest", min)]
    wanted += [(name, "highest", max) for name in NDCG.among(names)[:1]]
    for name, word, choose in wanted:
        values = [(quality(outcome)[name], outcome) for outcome in measured if name in quality(outcome)]
        if len({f"{value:.4f}" for value, _ in values}) < 2:
            continue
        best = choose(value for value, _ in values)
        who = [item for value, item in values if f"{value:.4f}" == f"{best:.4f}"]
        others = [value for value, item in values if item not in who]
        shown = values_apart(best, choose(others))[0]
        yield _Best(who, "has", f"the {word} {metric_name(name)}", shown)


def _shortest(measured: Sequence[Outcome]) -> Iterator[_Best]:
    timed = [item for item in measured if medians(item, TOTAL) and item.shape_tag != "oversubscribed"]
    if len(timed) < 2 or len({outcome.shared for outcome in timed}) > 1:
        return
    best = min(timed, key=lambda outcome: statistics.median(medians(outcome, TOTAL)))
    took = f"{time_in_words(statistics.median(medians(best, TOTAL)))} a pass"
    yield _Best([best], "is", "the fastest", took, shaped=True)


def protocol(outcome: Outcome) -> tuple[str, ...]:
    """Return what two trials must agree in before their quality can be compared: rows, split and judging."""
    resolved = {
        **outcome.values,
        **({"job.relevant": text} if (text := relevant_of(outcome, "relevant")) else {}),
    }
    return (str(outcome.data.get("digest")), *(str(resolved.get(key)) for key in _PROTOCOL))


def unshaped(outcome: Outcome) -> str:
    """Return a trial's label without its shape."""
    return outcome.label.replace(f" {outcome.size}", "")
