"""Generator of synthetic items' descriptions: title, text, year, genres, people, tags and features.

Each planted dimension has a topic at either end. An item's text, genres, people and tags come from the topics that
its factors point to, and its features are its factors with noise, so content carries information about taste.
"""

from typing import Any

import numpy as np

_TOPICS = (
    (
        ("Action", "Thriller"),
        "chase storm blade rescue convoy ambush pursuit fuse bridge pilot border escape",
    ),
    (
        ("Drama", "Documentary"),
        "silence harvest letter winter orchard widow kitchen memory harbour debt school rain",
    ),
    (
        ("Comedy", "Children"),
        "picnic parrot wedding mixup neighbour circus pudding prank holiday uncle bicycle hat",
    ),
    (
        ("Crime", "Film-Noir"),
        "ledger alibi warehouse detective witness cellar fingerprint blackmail shadow verdict safe fog",
    ),
    (
        ("Sci-Fi", "Fantasy"),
        "orbit beacon machine colony signal portal comet archive clone engine crystal exile",
    ),
    (
        ("Western", "War"),
        "saddle frontier canyon trench regiment sheriff telegraph ranch river fort drum horizon",
    ),
    (
        ("Romance", "Musical"),
        "waltz balcony serenade ticket garden violin summer promise ballroom letter moonlight song",
    ),
    (
        ("Horror", "Mystery"),
        "attic mirror whisper fever chapel lantern mask staircase owl vault diary midnight",
    ),
    (
        ("Adventure", "IMAX"),
        "island compass jungle summit voyage treasure glacier caravan map reef temple raft",
    ),
    (
        ("Animation", "Children"),
        "fox kite toymaker acorn dragon puddle snowman giant tailor mitten star duckling",
    ),
)
_WORDS = tuple(tuple(words.split()) for _, words in _TOPICS)
_COMMON = [
    "a",
    "story",
    "of",
    "one",
    "year",
    "in",
    "town",
    "where",
    "people",
    "find",
    "and",
    "lose",
    "each",
    "other",
    "while",
    "time",
    "goes",
    "by",
]
_FIRST = [
    "Ada",
    "Boris",
    "Clara",
    "Dmitri",
    "Edda",
    "Farid",
    "Greta",
    "Hugo",
    "Ines",
    "Jonas",
    "Kirin",
    "Leila",
]
_LAST = [
    "Abendroth",
    "Birkwood",
    "Castellan",
    "Drummer",
    "Eastlake",
    "Fenwick",
    "Garrow",
    "Hollis",
    "Inverness",
    "Jarrow",
]
_FEATURES = ("pace", "warmth", "wonder", "tenderness", "playfulness")

_TEXT = 30
_DRAWS = 2 * _TEXT + 24


def describe(seed: int, item: int, factors: np.ndarray, popularity: float, last_year: int) -> dict[str, Any]:
    """Return one row of ITEMS.

    Args:
        seed: of the set.
        item: its number, from 0; the row's key is one more.
        factors: of the item, each dimension scaled to standard deviation 1.
        popularity: the item's popularity as a normal quantile; better known items have more tags.
        last_year: no item is newer, so that none is rated before it exists.
    """
    draws = np.random.default_rng([seed % 2**64, item]).random(_DRAWS)
    lean = np.column_stack([factors, -factors]).ravel()
    weight = np.exp(1.5 * lean)
    shares = np.cumsum(weight / weight.sum())
    topics = np.searchsorted(shares, draws[:_TEXT]).clip(max=len(_TOPICS) - 1)
    words = [_word(topic, draw) for topic, draw in zip(topics, draws[_TEXT : 2 * _TEXT], strict=True)]
    rest = draws[2 * _TEXT :]
    named = [_WORDS[topic][int(draw * 12)] for topic, draw in zip(topics[:2], rest[22:24], strict=True)]
    year = last_year - int(60 * rest[0] ** 2)
    return {
        "item": str(item + 1),
        "title": f"The {named[0].title()} and the {named[1].title()} ({year})",
        "text": " ".join(words),
        "year": year,
        "genres": _genres(lean, rest[1:4]),
        "people": _people(topics, rest[4:7]),
        "tags": _tags(topics, rest[7:16], popularity),
        "features": _features(factors, rest[16:22]),
    }


def _word(topic: int, draw: float) -> str:
    if draw < 0.3:
        return _COMMON[int(draw / 0.3 * len(_COMMON))]
    own = _WORDS[topic]
    return own[int((draw - 0.3) / 0.7 * len(own))]


def _genres(lean: np.ndarray, draws: np.ndarray) -> list[str]:
    best = np.argsort(-lean)[: 1 + int(draws[0] * 3)]
    chosen = (_TOPICS[topic][0][int(draws[n] > 0.7)] for n, topic in enumerate(best))
    return list(dict.fromkeys(chosen))


def _people(topics: np.ndarray, draws: np.ndarray) -> list[str]:
    first = (_FIRST[int(draw * len(_FIRST))] for draw in draws)
    return [f"{name} {_LAST[topic]}" for name, topic in zip(first, topics, strict=False)]


def _tags(topics: np.ndarray, draws: np.ndarray, popularity: float) -> list[tuple[str, int]] | None:
    kinds = min(len(draws), int(3 + 3 * popularity))
    counts: dict[str, int] = {}
    for topic, draw in zip(topics[: max(kinds, 0)], draws, strict=False):
        word = _WORDS[topic][int(draw * 12)]
        counts[word] = counts.get(word, 0) + 1 + int(np.exp(popularity) * draw)
    return sorted(counts.items()) or None


def _features(factors: np.ndarray, draws: np.ndarray) -> list[tuple[str, float]]:
    noisy = [
        (name, float(value + 1.7 * (draw - 0.5)))  # uniform noise of standard deviation 0.5
        for name, value, draw in zip(_FEATURES, factors, draws, strict=False)
    ]
    return [*noisy, ("minutes", float(80 + int(70 * draws[-1])))]
