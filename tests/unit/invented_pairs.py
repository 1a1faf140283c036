"""Comparisons with invented numbers, on disk as a run leaves them."""

import numpy as np
from invented import application, outcome

from experiments.studies.compare.ledger import PER_USER, Ledger

ABOUT = {
    "experiment": "made",
    "sides": {"baseline": "as in the spec", "contender": "rank=16"},
    "same": False,
    "key": "0123456789abcdef",
}
JITTER = (0.98, 1.01, 1.03, 0.99, 1.02, 1.0, 0.97, 1.04)


def per_user(folder, factor=1.0, users=50):
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(1)
    rows = random.integers(5, 20, users)
    squared = (
        rows
        * random.gamma(20, 1 / 20, users)
        * factor
        * np.random.default_rng(int(factor * 1e6)).gamma(400, 1 / 400, users)
    )
    np.savez(
        folder / PER_USER, user=np.arange(users), rows=rows, scored=rows, check=rows, squared=squared,
        ndcg=np.full(users, np.nan),
    )  # fmt: skip


def ledger(folder, ratio=1.0, pairs=8, error=1.0, fingerprint=(3.0, 4.0), files=True, **about):
    """A comparison whose contender takes `ratio` times as long and has `error` times the squared error."""
    empty = {
        name: outcome(experiment="made", wanted=pairs, status="running") for name in ("baseline", "contender")
    }
    made = Ledger.open(folder, empty, ABOUT | about)
    made.plan(max(pairs, len(JITTER)))
    for name, factor, prints in (("baseline", 1.0, (3.0, 4.0)), ("contender", error, fingerprint)):
        made.add_pilot(name, application(0, [9.0, 1.0], fingerprint=list(prints)))
        if files:
            per_user(made.place(name, None), factor)
    for pair in range(pairs):
        made.add("baseline", application(pair, [9.0, 2.0, 2.0], fingerprint=[3.0, 4.0]))
        seconds = 2.0 * ratio * JITTER[pair]
        made.add("contender", application(pair, [9.0, seconds, seconds], fingerprint=list(fingerprint)))
    return made
