"""Notes that hold for several trials, said once with the trials' names."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from experiments.results.outcome import Outcome

T = TypeVar("T")

_SETTING = re.compile(r"(?<!\S)[^\s=]+=[^\s=\[\](){},]+(?!\S)")
_QUOTED_OR_NUMBER = re.compile(r"'[^']*'|(?<![\w.,:=@\u00d7-])\d+(?:,\d{3})*(?:\.\d+)?(?!\w|\.\d)")
_FEW_LEFT = 4  # trials for each one that is missing, from which on "all but" is the shorter name


def by_statement(statements: Iterable[tuple[T, str]]) -> dict[str, list[T]]:
    """Group things by what is said of each, in the order in which it is said first."""
    found: dict[str, list[T]] = {}
    for what, text in statements:
        found.setdefault(text, []).append(what)
    return found


def with_ranges(
    statements: Iterable[tuple[T, str]], among: Callable[[str], bool] = lambda _: True
) -> dict[str, list[T]]:
    """Group things by what is said of each, where texts that differ only in numbers become one: 42\u201360% of the time.

    Names such as w2\u00d71c, settings such as rank=16, and what is quoted are no numbers: they have to be equal.

    Args:
        statements: things, and what is said of each.
        among: which texts may become one; others have to be equal.
    """
    groups: dict[str, list[tuple[T, str]]] = {}
    for what, text in statements:
        key = _QUOTED_OR_NUMBER.sub(_masked, text) if among(text) else text
        groups.setdefault(key, []).append((what, text))
    return {_ranged([text for _, text in group]): [what for what, _ in group] for group in groups.values()}


def _masked(found: re.Match[str]) -> str:
    return found[0] if found[0].startswith("'") else "\0"


def _ranged(texts: Sequence[str]) -> str:
    """Write texts that differ only in numbers as one, each number from the least to the most."""
    found: list[list[str]] = [_QUOTED_OR_NUMBER.findall(text) for text in texts]
    places = zip(*found, strict=True)

    def written(match: re.Match[str]) -> str:
        each = next(places)
        if match[0].startswith("'"):
            return match[0]
        numbers = sorted(each, key=lambda number: float(number.replace(",", "")))
        return numbers[0] if numbers[0] == numbers[-1] else f"{numbers[0]}\u2013{numbers[-1]}"

    return _QUOTED_OR_NUMBER.sub(written, texts[0])


def without_settings(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Take the settings (key=value) that all names have out of them; a name never becomes empty.

    Returns:
        The settings, as "key value", and the names without them.
    """
    first, *others = (_SETTING.findall(name) for name in names)
    shared = [word for word in dict.fromkeys(first) if all(word in found for found in others)]
    short = [" ".join(word for word in name.split(" ") if word not in shared) for name in names]
    if not shared or not all(short):
        return [], list(names)
    return [word.replace("=", " ") for word in shared], short


def all_of(count: int, what: str) -> str:
    """Name all of several things: both trials, all 8 trials."""
    return f"both {what}s" if count == 2 else f"all {count} {what}s"


class TrialNames:
    """Names of some of a report's trials, without the settings that all of them have, as in its tables."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        labels = [item.label for item in outcomes]
        short = without_settings(labels)[1] if len(labels) > 1 else labels
        self._all = list(zip(outcomes, short, strict=True))

    def of(self, some: Sequence[Outcome]) -> str:
        """Return "all 8 trials", "all 8 trials but knn w2\u00d71c", or the names: als w1\u00d71c, knn (w1\u00d71c, w2\u00d71c)."""
        chosen = {id(item) for item in some}
        named = [found for found in self._all if id(found[0]) in chosen]
        left = [found for found in self._all if id(found[0]) not in chosen]
        if len(named) < 2 or len(left) * _FEW_LEFT > len(self._all):
            return _listed(named)
        return all_of(len(self._all), "trial") + (f" but {_listed(left)}" if left else "")


def _listed(found: Iterable[tuple[Outcome, str]]) -> str:
    """Name trials; those that differ only in their shape as one with several shapes."""
    shapes: dict[str, list[str]] = {}
    for item, name in found:
        model = name.removesuffix(f" {item.size}")
        shapes.setdefault(model, []).append(name.removeprefix(model).lstrip())
    return ", ".join(
        f"{model} {each[0]}".rstrip() if len(each) == 1 else f"{model} ({', '.join(each)})"
        for model, each in shapes.items()
    )
