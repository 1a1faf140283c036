"""Checks before a long fit, because MLlib notices these things late, or never."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from pyspark.sql import DataFrame, SparkSession

from core.errors import JobError
from core.units import mib, whole_gib
from jobs.prepare.profile import Profile, profile_of
from jobs.prepare.stored import Tables
from jobs.runtime.session import cores, executors

_USABLE = 0.6  # spark.memory.fraction: the rest of a heap is Spark's own and the user's objects
_FLOAT = 4
_INBLOCK = (
    8  # bytes a rating in MLlib's InBlock: an encoded index and a rating, once by user and once by item
)
_RATING = 12  # bytes a rating while blocks are made: two ids and a rating
_SORTING = 24  # bytes a rating while one block is sorted into place


@runtime_checkable
class Preflighted(Protocol):
    """A model that wants to see the data before it is fitted."""

    def preflight(self, tables: Tables) -> None:
        """Refuse what the fit could not survive; not timed.

        Raises:
            JobError: with numbers and what to do.
        """


@dataclass(frozen=True)
class Need:
    """Memory that ALS needs on one executor, in bytes.

    `factors`: both sides' factors, old and new; `gathered`: the other side's factors that each running task collects;
    `sorting`: the largest blocks while they are built. `spillable`: ratings and blocks, which Spark may put on disk.
    """

    factors: float
    gathered: float
    sorting: float
    spillable: float

    @property
    def hard(self) -> float:
        """Memory that is needed in any case, because it cannot be moved to disk."""
        return self.factors + self.gathered + self.sorting


def als_need(
    *, rows: int, users: int, items: int, rank: int, blocks: int, n_executors: int, cores: int
) -> Need:
    """Estimate what blocked ALS (MLlib's) holds on one executor with `cores` tasks at a time."""
    share = max(n_executors, 1)
    return Need(
        factors=2 * (users + items) * rank * _FLOAT / share,
        gathered=min(cores, blocks) * max(users, items) * rank * _FLOAT,
        sorting=min(cores, blocks) * rows / blocks * _SORTING,
        spillable=rows * (2 * _INBLOCK + _RATING) / share,
    )


def check_als(tables: Tables, rank: int, blocks: int, *, instead: str | None = None) -> None:
    """Refuse tables and sessions on which MLlib's ALS would fail or give a wrong model.

    Args:
        tables: `ratings` is the training part.
        rank: number of factors.
        blocks: of users, and of items.
        instead: as in `check_ratings`.

    Raises:
        JobError: no checkpoint directory, too little memory, or a reason of `check_ratings`.
    """
    ratings = tables.ratings
    spark = ratings.sparkSession
    if not spark.sparkContext._jsc.sc().getCheckpointDir().isDefined():  # noqa: SLF001 - Python's API cannot ask
        raise JobError(
            "Spark has no checkpoint directory, and without one ALS silently keeps none: many iterations then end in a "
            "StackOverflowError. Open the session with jobs.runtime.session, or call SparkContext.setCheckpointDir."
        )
    rows, users, items = check_ratings(tables, instead=instead)
    n_executors = max(executors(spark), 1)
    need = als_need(
        rows=rows,
        users=users,
        items=items,
        rank=rank,
        blocks=blocks,
        n_executors=n_executors,
        cores=cores(spark),
    )
    check_memory(need, heap(spark), f"rank {rank}")


def check_ratings(tables: Tables, *, instead: str | None = None) -> tuple[int, int, int]:
    """Return the numbers of ratings, users and items.

    Args:
        tables: `ratings` is the training part.
        instead: the model to suggest if a row has no rating, for a model that needs a rating in each row; None for a
            model of preferences.

    Raises:
        JobError: ids are not dense int32, a pair has several rows, a needed rating is missing, or no row expresses a
            preference.
    """
    _check_types(tables.ratings)
    found = tables.profile or profile_of(tables.ratings, tables.users, tables.items)
    if instead is not None and found.rated < found.rows:
        raise JobError(
            f"{found.rows - found.rated:,} of {found.rows:,} interactions have no rating, and explicit ALS needs one for "
            f"each row: use {instead}"
        )
    _check_ids(found)
    _check_pairs(found)
    if instead is None:
        _check_preferences(found)
    return found.rows, found.n_users, found.n_items


def check_memory(need: Need, heap: float, what: str) -> None:
    """Compare an estimate with an executor's heap, in bytes.

    Raises:
        JobError: it does not fit.
    """
    usable = _USABLE * heap
    if need.hard <= usable:
        return
    raise JobError(
        f"{what} needs about {mib(need.hard)} on each executor ({mib(need.factors)} for factors, "
        f"{mib(need.gathered)} for the factors that running tasks gather, {mib(need.sorting)} to build blocks; "
        f"another {mib(need.spillable)} of ratings may go to disk). Of its heap of {mib(heap)} about {mib(usable)} can be "
        f"used. Give executors more memory (MEMORY={whole_gib(need.hard / _USABLE)}g), use more "
        "workers, lower the rank, or raise blocks."
    )


def check_copies(spark: SparkSession, size: float, what: str) -> None:
    """Refuse a broadcast of `size` bytes that Python workers could not hold: each running task has its own copy.

    The copies are outside the heap. No setting limits a Python worker, so as much memory as the heap is assumed to be
    free for them.

    Raises:
        JobError: the copies on one executor are together larger than its heap.
    """
    size_of_heap, tasks = heap(spark), cores(spark)
    if size * tasks <= size_of_heap:
        return
    raise JobError(
        f"{what} needs {mib(size)} in each of an executor's {tasks} Python workers, {mib(size * tasks)} together, and "
        f"only {mib(size_of_heap)}, as much as its heap, is assumed to be free for them. Give executors more memory "
        f"(MEMORY={whole_gib(size * tasks)}g) or fewer cores each, or use a smaller data set or another model."
    )


def _check_types(ratings: DataFrame) -> None:
    types = dict(ratings.dtypes)
    wrong = {name: types.get(name, "missing") for name in ("user", "item") if types.get(name) != "int"}
    if wrong:
        raise JobError(
            f"ALS needs int32 ids, got {wrong}: run make preprocess, which numbers users and items"
        )


def _check_ids(found: Profile) -> None:
    if found.rows == 0:
        raise JobError(
            "the training part has no rows: preprocess a data set with ratings, or use another split"
        )
    if found.without_ids or found.users is None or found.items is None:
        raise JobError(f"{found.without_ids:,} ratings have no user or item id: run make preprocess again")
    (low_user, high_user), (low_item, high_item) = found.users, found.items
    if min(low_user, low_item) < 0 or high_user >= found.n_users or high_item >= found.n_items:
        raise JobError(
            f"ids are not dense: users {low_user}..{high_user} of {found.n_users:,}, "
            f"items {low_item}..{high_item} of {found.n_items:,}. "
            "The tables do not belong together: run make preprocess again."
        )


def _check_preferences(found: Profile) -> None:
    if found.rated < found.rows or found.ratings is None or found.ratings[1] > 0:
        return
    low, high = found.ratings
    raise JobError(
        "implicit ALS reads a rating above 0 as a preference, and no rating of the training part is above 0: they go from "
        f"{low:g} to {high:g}, so all factors would become 0. Shift the ratings so that those of liked items are above 0, "
        "or use a model of ratings, for example als"
    )


def _check_pairs(found: Profile) -> None:
    if found.most is None:
        return
    count, user, item = found.most
    if count > 1:
        raise JobError(
            f"user {user} and item {item} have {count} ratings, and ALS would count each of them: "
            "run make preprocess, which keeps the latest"
        )


def heap(spark: SparkSession) -> float:
    """Return an executor's heap in bytes; in local mode the driver is the executor."""
    if executors(spark) < 1:
        return float(jvm(spark).java.lang.Runtime.getRuntime().maxMemory())
    return size_in_bytes(spark, spark.sparkContext.getConf().get("spark.executor.memory", "1g") or "1g")


def jvm(spark: SparkSession) -> Any:
    """Return py4j's view of the driver's JVM."""
    found = spark.sparkContext._jvm  # noqa: SLF001 - only the JVM reads Spark's sizes
    assert found is not None
    return found


def size_in_bytes(spark: SparkSession, size: str) -> float:
    """Read a size as Spark writes it."""
    return float(jvm(spark).org.apache.spark.network.util.JavaUtils.byteStringAsBytes(size))
