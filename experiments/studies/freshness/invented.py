"""An invented model of the size of a real one, and invented people with histories: latency depends on sizes, not on tastes."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jobs.engine.blends import Blend
from jobs.engine.events import Event
from jobs.engine.list_files import FILE, Filed, read, write
from jobs.engine.lists import Known
from jobs.engine.meanings import Meanings
from jobs.engine.personal import NO_HISTORIES
from jobs.engine.rules import Unobserved
from jobs.engine.vectors import vectors
from jobs.stores.cassandra.lists import People, Said

_TERMS, _OF_ITEM = 2_000, 25
_DAY = dt.timedelta(days=1)


def model(folder: Path, keys: Sequence[str], rank: int, seed: int) -> Filed:
    """Write a model's file: factors of all items, 25 of 2,000 terms for each, popularity as the inverse of the place."""
    items = len(keys)
    random = np.random.default_rng(seed)
    item = np.repeat(np.arange(items, dtype=np.int32), _OF_ITEM)
    # Terms are as unequally common as words are.
    drawn = np.minimum(random.pareto(0.8, len(item)) * 20, _TERMS - 1).astype(np.int32)
    item, term = np.unique(np.column_stack([item, drawn]), axis=0).T
    known = Known(
        (random.normal(size=(items, rank)) / np.sqrt(rank)).astype(np.float32),
        np.ones(items, dtype=np.bool_),
        Unobserved(0.01, 1.0, 0.3, items),
        vectors(
            item,
            term,
            np.ones(len(item)),
            groups=np.zeros(_TERMS, dtype=np.int64),
            weights=np.ones(1),
            m=items,
        ),
        (1e5 / np.arange(1, items + 1)).astype(np.float32),
        Blend.parse("0:0/0/1 1:0.5/0.3/0.2"),
        Meanings(),
    )
    write(
        folder / FILE,
        Filed(known, keys, [], NO_HISTORIES, "invented", "", "invented"),
    )
    return read(folder)


def histories(people: People, count: int, likes: int, items: int, seed: int) -> list[str]:
    """Write so many people's likes of the last hundred days to Cassandra; return the people."""
    random = np.random.default_rng([seed, 1])
    users = [f"person-{n}" for n in range(count)]
    now = dt.datetime.now(dt.UTC)
    for user in users:
        liked = random.choice(items, likes, replace=False).tolist()
        days = random.uniform(1, 100, likes).tolist()
        people.keep_events(
            Said(user, Event(now - day * _DAY, f"{user}-{item}", "like", f"item-{item}", None, None), None)
            for item, day in zip(liked, days, strict=True)
        )
    return users
