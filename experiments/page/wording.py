"""Plain words for answers: names without parameters, numbers with few digits, and how sure a result is."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from cluster.shape import Shape
from experiments.results.outcome import Outcome
from experiments.spec.tables import MODEL, SHAPE, short
from experiments.stats.intervals import LEAST_FOR_INTERVAL

LONGEST = 220
"""Characters of an answer that people still read as one."""

_MOST_NAMED = 2
_LONGEST_VALUE = 24
_LONGEST_NAME = 48
_WRITTEN = {
    "als": "ALS", "wr": "WR", "ials": "iALS", "knn": "kNN", "mllib": "MLlib", "kmeans": "k-means", "reg": "regularisation"
}  # fmt: skip
_COUNTED = ("rows", "users", "items", "iterations")
_NUMBERS = (
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip


def model_name(name: str) -> str:
    """Write the name of a model or job for people: als_implicit -> ALS implicit."""
    return " ".join(_WRITTEN.get(word, word) for word in name.split("_"))


def model_of(outcome: Outcome) -> str:
    """Name the model, or the job, of a trial."""
    return model_name(str(outcome.values.get(MODEL, outcome.job)))


def named(outcome: Outcome, among: Sequence[Outcome]) -> str:
    """Name a trial without its shape: its model, and the settings that tell it from the others of that model."""
    same = [item for item in among if model_of(item) == model_of(outcome)]
    telling = [
        key
        for key, value in outcome.values.items()
        if key not in (*SHAPE, MODEL) and any(item.values.get(key) != value for item in same)
    ]
    words = model_of(outcome)
    for number, key in enumerate(telling[:_MOST_NAMED]):
        words += ("", " with ", " and ")[number + 1] + setting(key, outcome.values[key])
    return clipped(words + " and more" * (len(telling) > _MOST_NAMED), _LONGEST_NAME)


def setting(key: str, value: Any) -> str:
    """Write one setting: rank 16, data movielens/1m, no pin."""
    last = short(key).rpartition(".")[2]
    name = _WRITTEN.get(last, last.replace("_", " "))
    if isinstance(value, bool):
        return name if value else f"no {name}"
    if last in _COUNTED and isinstance(value, int):
        return f"{value:,} {name}"
    shown = f"{value:.4g}" if isinstance(value, float) else str(value)
    return f"{name} {clipped(plain(shown), _LONGEST_VALUE)}"


def plain(text: str) -> str:
    """Take out of a value what would read as a parameter or as the end of a sentence."""
    return text.replace("=", " ").replace(". ", " ")


def clipped(text: str, longest: int) -> str:
    """Cut a text that is too long, and show that something is missing."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "\u2026"


def answered(candidates: Iterable[str], certainty: str) -> str:
    """Return what was found, in the first of some wordings, the fullest first, that leaves room for how sure it is."""
    text = ""
    for text in candidates:
        if len(text) + len(certainty) + 2 <= LONGEST:
            break
    return f"{sentence(text)} {certainty}"


def sentence(text: str) -> str:
    """Begin with a capital letter, unless a name begins it that has capitals of its own, and end with a full stop."""
    own = text.split(" ", 1)[0]
    return (text if any(map(str.isupper, own)) else text[:1].upper() + text[1:]) + "."


def number_word(count: int) -> str:
    """Write small numbers as words."""
    return _NUMBERS[count] if 0 <= count < len(_NUMBERS) else f"{count:,}"


def counted(count: int, what: str) -> str:
    """Write a number of things: one worker, two workers."""
    return f"{number_word(count)} {what}{'s' * (count != 1)}"


def shape_words(size: Shape, *, by_workers: bool = False) -> str:
    """Write a shape: two workers of 4 cores; only their number where shapes differ in nothing else."""
    words = counted(size.workers, "worker")
    if by_workers:
        return words
    cores = f"{size.cores} core{'s' * (size.cores != 1)}" if size.cpus is None else f"{size.cpus:.3g} cores"
    return f"{words} of {cores}"


def values_apart(*values: float) -> list[str]:
    """Write values of one metric with three decimals, or with as many as it takes to tell unequal ones apart."""
    for digits in (3, 4, 5, 6):
        texts = [f"{value:.{digits}f}" for value in values]
        if len({*texts}) == len({*values}):
            break
    return texts


def times(ratio: float) -> str:
    """Write how many times as much: 1.33, 12.5, 140."""
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.3g}" if ratio < 1000 else f"{ratio:,.0f}"


def percent(share: float) -> str:
    """Write a share with two or three digits: 0.85%, 4.2%, 31%, 120%."""
    size = abs(share) * 100
    if size == 0 or not math.isfinite(size):
        return f"{share:.0%}"
    return f"{share:.{2 if size < 1 else 1 if size < 10 else 0}%}"


def how_sure(outcomes: Sequence[Outcome]) -> str:
    """Say in a sentence how much stands behind numbers of these trials."""
    if any(item.shared for item in outcomes):
        return "Trials shared one run, so this is a look, not a claim."
    return sure(min(len(item.measured) for item in outcomes), each=len(outcomes) > 1)


def sure(fewest: int, *, each: bool = True) -> str:
    """Say in a sentence how much stands behind so many runs."""
    runs = f"{counted(fewest, 'run')}{' each' * each}"
    if fewest < LEAST_FOR_INTERVAL:
        return sentence(f"{runs}, so this is a look, not a claim")
    return f"Medians of {runs}; the intervals below say which differences hold."
