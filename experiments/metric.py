"""One metric, or a family of metrics: its names, its unit, and which of an older version's names are its."""

import re
from collections.abc import Iterable
from typing import NamedTuple

_OF_JOBS = "metrics."


def safe(name: str) -> str:
    """Write a name with the letters that MLflow accepts."""
    return re.sub(r"[^\w\-./ ]", "_", name)


class Metric(NamedTuple):
    """A name or, where it has a word in braces, a family of names.

    Attributes:
        name: as it is recorded; {phase} stands for a phase or "total", {name} for any other word.
        unit: of the value.
        what: it is.
        source: where the value stands in what is measured; what is after the last dot is its `key`.
        shown: where a person sees it besides the charts of its run in MLflow.
        title: for people, as of a column; empty for its key in words.
        old: the name in records of older versions; empty where it is the same, or the job's own.
        factor: by which the value at the source is multiplied.
    """

    name: str
    unit: str
    what: str
    source: str
    shown: tuple[str, ...] = ()
    title: str = ""
    old: str = ""
    factor: float = 1.0

    @property
    def key(self) -> str:
        """Name of the value at its source."""
        return self.source.rpartition(".")[2]

    def of(self, word: str = "") -> str:
        """Return the name for one phase or word, in letters that MLflow accepts."""
        return safe(_filled(self.name, word))

    def titled(self, word: str = "") -> str:
        """Return the name for people, for one phase or word."""
        return _filled(self.title or self.key.replace("_", " "), word)

    def word_of(self, key: str) -> str | None:
        """Return the word that makes the key of this metric's source that one, "" if it takes none; None if it is another's."""
        return _word(self.key, key)

    def among(self, keys: Iterable[str]) -> list[str]:
        """Return those keys of its source that are this metric's, sorted."""
        return sorted(key for key in keys if self.word_of(key) is not None)

    def renamed(self, old: str) -> str | None:
        """Return what an older version's name is now; None if it is not this metric's.

        Older versions recorded what a job judged under the job's own names.
        """
        pattern = self.old or (self.key if self.of_job and self.key != self.name else "")
        word = _word(pattern, old) if pattern else None
        return None if word is None else self.of(word)

    @property
    def of_job(self) -> bool:
        """Whether a job judged it."""
        return self.source.startswith(_OF_JOBS)


def _filled(text: str, word: str) -> str:
    return text.format(phase=word, name=word)


def _word(pattern: str, text: str) -> str | None:
    """Return the word at the place of the braces of a pattern, "" without braces; None if the text is another."""
    found = re.fullmatch(re.sub(r"\\\{(phase|name)\\\}", r"(?P<word>.+)", re.escape(pattern)), text)
    return found.groupdict().get("word", "") if found else None
