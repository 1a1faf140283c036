"""Choice of a blend's weights on rows that are kept from training."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark import Broadcast
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from datasets.compiled import compiled
from jobs.engine.arrays import Floats, Ints
from jobs.engine.blends import Band, Blend
from jobs.engine.lists import Away, Known, Lists, likings
from jobs.engine.neighbours import Csr, some_rows
from jobs.engine.topn_frames import lists as lists_of
from jobs.engine.topn_frames import with_lists
from jobs.prepare.split import uniform

USERS = 2_000
"""Users who are asked at most."""

_FEWEST = 30
_STEPS = 10
_SEED = 1_000_033

GRID = np.array(
    [
        (one / _STEPS, two / _STEPS, (_STEPS - one - two) / _STEPS)
        for one, two in itertools.product(range(_STEPS, -1, -1), repeat=2)
        if one + two <= _STEPS
    ],
    dtype=np.float32,
)
"""Weights to choose from, in tenths; of equally good ones the first, which has most of the factors, is taken."""


class Size(NamedTuple):
    """A band to choose for: its `least`, and likings that users are asked with; None: all that they have."""

    least: int
    likings: int | None


SIZES = (Size(1, 2), Size(5, 10), Size(20, None))
NOTHING_KNOWN = Band(0, (0.0, 0.0, 1.0))
"""Without a history there are no factors and no contents to go by."""


def chosen(lists: "Broadcast[Known]", histories: DataFrame, held: DataFrame, k: int) -> Blend:
    """Return the weights of each band with the best nDCG at `k`.

    Users are asked with a few of their likings as well as with all, so that weights for newcomers are chosen where a data set has none.

    Args:
        lists: fitted on `histories`.
        histories: of `jobs.modelling.preferences.gathered`.
        held: (user, item) that are relevant, and not in the histories.
        k: length of the lists.
    """
    asked = with_lists(held.select("user").distinct(), held, F.col("item"), "wanted")
    rows = asked.count()
    if rows > USERS:
        asked = asked.where(uniform(_SEED, "user") < USERS / rows)
    frame = asked.join(histories.select("user", "history", "rest"), "user").select(
        "user", "wanted", "history", "rest"
    )
    found = frame.mapInArrow(_judging(lists, k), "size int, users long, gains array<double>").collect()
    bands = [NOTHING_KNOWN]
    for number, size in enumerate(SIZES):
        parts = [row for row in found if row["size"] == number]
        users = sum(row["users"] for row in parts)
        if users < _FEWEST:
            continue
        best = int(np.argmax(np.sum([row["gains"] for row in parts], axis=0)))
        one, two, three = GRID[best].astype(float).round(3).tolist()
        bands.append(Band(size.least, (one, two, three)))
    return _stretched(bands)


def _stretched(bands: Sequence[Band]) -> Blend:
    """Let the first band that was chosen hold for those with fewer likings, too."""
    if len(bands) == 1:
        return DEFAULT
    first, second, *more = bands
    return Blend((first, Band(SIZES[0].least, second.weights), *more))


DEFAULT = Blend.parse("0:0/0/1 1:0.4/0.3/0.3 5:0.7/0.2/0.1 20:0.9/0.1/0")
"""Where too few rows were kept from training to choose on."""


def _judging(
    given: "Broadcast[Known]", k: int
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        lists = Lists(given.value)
        for batch in batches:
            offsets, items = lists_of(batch.column("history"))
            histories = Csr(
                offsets, items.astype(np.int32), lists_of(batch.column("rest")).values.astype(np.float32)
            )
            wanted = Away(*lists_of(batch.column("wanted")))
            users = batch.column("user").to_numpy()
            for number, size in enumerate(SIZES):
                count, gains = _gains(lists, _Asked(histories, wanted, users), size, k)
                columns = [
                    pa.array([number], pa.int32()),
                    pa.array([count], pa.int64()),
                    pa.array([gains.tolist()]),
                ]
                yield pa.RecordBatch.from_arrays(columns, names=["size", "users", "gains"])

    return run


class _Asked(NamedTuple):
    """Users [rows], their histories, and what they like of the rows that were kept from training."""

    histories: Csr
    wanted: Away
    users: Ints


def _gains(lists: Lists, asked: _Asked, size: Size, k: int) -> tuple[int, npt.NDArray[np.float64]]:
    """Return how many users have enough likings, and the sum of their nDCG for each of GRID."""
    histories, wanted, users = asked
    able = np.flatnonzero(likings(histories) >= (size.likings or size.least))
    gains, scores = np.zeros(len(GRID)), np.empty((1, lists.items), dtype=np.float32)
    for row in able.tolist():
        whole = some_rows(histories, row, row + 1)
        some = whole if size.likings is None else _some(whole, size.likings, int(users[row]))
        parts = lists.parts(some)
        relevant = np.sort(wanted.items[wanted.offsets[row] : wanted.offsets[row + 1]])
        for number, weights in enumerate(GRID):
            lists.mixed(parts, weights[None, :], scores)
            ids, _ = lists.best(some, scores, k, Away(whole.indptr, whole.indices))
            gains[number] += ndcg(ids[0], relevant)
    return len(able), gains


def _some(whole: Csr, number: int, user: int) -> Csr:
    """Return so many likings of a user, drawn by the user's id."""
    liked = np.flatnonzero(whole.values > 0)
    drawn = np.sort(np.random.default_rng([_SEED, user]).choice(liked, number, replace=False))
    return Csr(np.array([0, number], dtype=np.int64), whole.indices[drawn], whole.values[drawn])


@compiled
def ndcg(ids: Ints, relevant: Ints) -> float:
    """Return the nDCG of one list, int32 [k], given the relevant items, ascending; as `jobs.judge.evaluate` has it."""
    found, ideal = 0.0, 0.0
    for rank in range(len(ids)):
        gain = 1.0 / np.log2(rank + 2.0)
        if rank < len(relevant):
            ideal += gain
        place = np.searchsorted(relevant, ids[rank])
        if place < len(relevant) and relevant[place] == ids[rank]:
            found += gain
    return found / ideal if ideal > 0 else 0.0


def pairs(matrix: Floats, rows: Ints, items: Ints) -> Floats:
    """Return the scores of pairs of a row and an item, NaN for item -1."""
    found = matrix[rows, np.maximum(items, 0)]
    found[items < 0] = np.nan
    return found
