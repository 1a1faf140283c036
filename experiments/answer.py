"""A sentence that answers an experiment's question, or says that there is no answer yet, and one that says why."""

import statistics
from collections.abc import Callable, Sequence

from experiments.finding import Finding
from experiments.intervals import LEAST_FOR_INTERVAL
from experiments.metrics import TOTAL, medians, quality, relevant_of
from experiments.outcome import Outcome
from experiments.scaling.families import SHARED_LOOK

_PROTOCOL = ("split", "test", "split_seed", "n", "fold", "k", "relevant", "seen")


def answer_of(findings: Sequence[Finding], outcomes: Sequence[Outcome]) -> str:
    """Return the first answer that a finding gives, else what the trials' own numbers say; then why, if one knows."""
    answer = next((finding.answer for finding in findings if finding.answer), "") or _composed(outcomes)
    why = next((finding.why for finding in findings if finding.why), "")
    return f"{answer} {why}".rstrip()


def _composed(outcomes: Sequence[Outcome]) -> str:
    measured = [outcome for outcome in outcomes if outcome.measured]
    if not measured:
        count = len(outcomes)
        return f"No answer yet: {'its only trial did not end' if count == 1 else f'none of {count} trials ended'} well."
    timed = [outcome for outcome in measured if medians(outcome, TOTAL)]
    if len(measured) == 1:
        return _single(measured[0])
    if len({protocol(outcome) for outcome in measured}) > 1:
        return (
            "No answer in one sentence: the trials differ in their data or in how it is split, so none of them is the "
            "best of all; the table sets them side by side."
        )
    best = [*_best_quality(measured), *_shortest(timed)]
    if not best:
        return "No answer yet: the trials have neither times nor quality to compare."
    sentence = "; ".join(best)
    return f"{sentence[0].upper()}{sentence[1:]} ({_weight(measured)})."


def _single(outcome: Outcome) -> str:
    words = []
    if typical := medians(outcome, TOTAL):
        words.append(f"one pass takes {statistics.median(typical):.2f} s")
    values = quality(outcome)
    if "rmse" in values:
        words.append(f"its RMSE is {values['rmse']:.4f}")
    said = ", ".join(words) or "it measured nothing"
    return f"{outcome.label}: {said} ({_weight([outcome])})."


def _best_quality(measured: Sequence[Outcome]) -> list[str]:
    names = sorted({name for outcome in measured for name in quality(outcome)})
    wanted: list[tuple[str, str, Callable[..., float]]] = [("rmse", "lowest RMSE", min)]
    wanted += [(name, f"highest {name.replace('ndcg_at_', 'nDCG@')}", max) for name in names if name.startswith("ndcg_at_")][:1]  # fmt: skip
    found = []
    for name, words, choose in wanted:
        values = [(quality(outcome)[name], outcome) for outcome in measured if name in quality(outcome)]
        shown = {f"{value:.4f}" for value, _ in values}
        if len(shown) < 2:
            continue
        best = choose(value for value, _ in values)
        who = dict.fromkeys(unshaped(item) for value, item in values if f"{value:.4f}" == f"{best:.4f}")
        found.append(f"{words}: {' and '.join(who)}, {best:.4f}")
    return found


def _shortest(timed: Sequence[Outcome]) -> list[str]:
    claimed = [outcome for outcome in timed if outcome.shape_tag != "oversubscribed"]
    if len(claimed) < 2 or len({outcome.shared for outcome in claimed}) > 1:
        return []
    best = min(claimed, key=lambda outcome: statistics.median(medians(outcome, TOTAL)))
    return [f"shortest pass: {best.label}, {statistics.median(medians(best, TOTAL)):.2f} s"]


def _weight(measured: Sequence[Outcome]) -> str:
    """Say how much stands behind a comparison of medians."""
    if any(outcome.shared for outcome in measured):
        return f"{SHARED_LOOK}, not a claim"
    fewest = min(len(outcome.measured) for outcome in measured)
    if fewest >= LEAST_FOR_INTERVAL:
        return f"medians of {fewest} applications each; whether they differ, the intervals say"
    return f"{fewest} application{'s' * (fewest != 1)} each: a look, not a claim"


def protocol(outcome: Outcome) -> tuple[str, ...]:
    """Return what two trials must agree in before their quality can be compared: rows, split and judging."""
    resolved = {
        **outcome.values,
        **({"relevant": text} if (text := relevant_of(outcome, "relevant")) else {}),
    }
    return (str(outcome.data.get("digest")), *(str(resolved.get(key)) for key in _PROTOCOL))


def unshaped(outcome: Outcome) -> str:
    """Return a trial's label without its shape."""
    return outcome.label.replace(f" {outcome.size}", "")
