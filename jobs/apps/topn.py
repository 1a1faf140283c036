"""Sets the blocked top-N against MLlib's `recommendForAllUsers`, with the same factors, in the same application."""

from dataclasses import dataclass, fields

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from core.errors import JobError, UsageError
from core.options import parse
from jobs.engine.topn_frames import ItemFactors, recommend_factors
from jobs.modelling.mllib import AlsSettings, Factors, fit_als
from jobs.runtime.context import Context, JobKind
from jobs.runtime.phases import consume
from jobs.runtime.python_workers import PythonWorkers
from jobs.runtime.request import Result

SIDES = ("mllib", "blocked")
TOLERANCE = 1e-4
_ROUNDS = 4  # ratings of each user or item, whichever are more
_FINGERPRINT = 1000


@dataclass(frozen=True)
class TopnParams:
    """Parameters of the ranking.

    Attributes:
        users, items: how many there are; every one has factors.
        rank: number of factors.
        k: length of the lists.
        seed: of the generated ratings and of the fit.
        iterations: of the fit, which is not timed.
        blocks: MLlib's user blocks and item blocks, 10 unless it is told otherwise.
    """

    users: int = 20_000
    items: int = 26_744
    rank: int = 64
    k: int = 10
    seed: int = 1
    iterations: int = 1
    blocks: int = 10


class Topn:
    """Phases of each pass: recommend_mllib and recommend_blocked, in an order that turns round from pass to pass.

    The blocked one counts from MLlib's model on: collecting and broadcasting the items' factors is part of it. After
    the last pass both answers are compared, untimed; a disagreement fails the job.
    """

    kind: JobKind = "passes"

    def parameters(self) -> frozenset[str]:
        return frozenset(item.name for item in fields(TopnParams))

    def run(self, context: Context) -> Result:
        params = parse(TopnParams, context.request.params, "parameters of topn")
        for name in self.parameters() - {"seed"}:
            if getattr(params, name) < 1:
                raise UsageError(
                    f"{name} in parameters of topn must be 1 or more, got {getattr(params, name)}"
                )
        context.ready()
        workers = PythonWorkers(context.spark, context.ready)
        settings = AlsSettings(
            params.rank, params.iterations, reg=0.1, blocks=params.blocks, seed=params.seed, checkpoint=10, implicit=False
        )  # fmt: skip
        model = fit_als(generated(context.spark, params), settings)
        try:
            workers.wait()
            for number in context.passes():
                for side in SIDES if number % 2 == 0 else SIDES[::-1]:
                    with context.phases.phase(f"recommend_{side}"):
                        _recommend(model, side, params.k)
            return _result(context, params, model)
        finally:
            model.release()


def generated(spark: SparkSession, params: TopnParams) -> DataFrame:
    """Return a few ratings (user, item, rating) of every user and every item, the same for the same seed."""
    longest = max(params.users, params.items)
    row = F.col("id")
    item = (row + F.floor(row / longest) * 7919) % params.items  # each round pairs them anew
    rating = F.pmod(F.xxhash64("user", "item", F.lit(params.seed)), F.lit(5)) + 1
    return (
        spark.range(_ROUNDS * longest)
        .select((row % params.users).cast("int").alias("user"), item.cast("int").alias("item"))
        .dropDuplicates()
        .withColumn("rating", rating.cast("float"))
    )


def _recommend(model: Factors, side: str, k: int) -> None:
    if side == "mllib":
        consume(model.model.recommendForAllUsers(k))
        return
    items = ItemFactors(model.items)
    consume(recommend_factors(model.users, items, k))
    items.release()


def _result(context: Context, params: TopnParams, model: Factors) -> Result:
    blocked = recommend_factors(model.users, model.items, params.k).persist()
    facts = compare(model.model.recommendForAllUsers(params.k), blocked)
    best = blocked.orderBy("user").select(F.col("scores")[0]).limit(_FINGERPRINT).collect()
    blocked.unpersist()
    _agree(facts, params)
    seconds = {side: context.phases.median(f"recommend_{side}") for side in SIDES}
    pairs = params.users * params.items
    metrics = {f"m_pairs_per_s_{side}": pairs / seconds[side] / 1e6 for side in SIDES}
    return Result(
        job="topn",
        status="ok",
        metrics={
            "max_score_difference": float(facts["difference"]),
            **metrics,
            "speed_up": seconds["mllib"] / seconds["blocked"],
        },
        counts={"pairs": pairs, "users": int(facts["both"]), "ties_in_other_order": int(facts["other_ids"])},
        fingerprint=[float(row[0]) for row in best],
        table=[
            ["way", "median s", "M pairs/s"],
            *([side, round(seconds[side], 3), round(metrics[f"m_pairs_per_s_{side}"], 1)] for side in SIDES),
        ],
    )


def compare(mllib: DataFrame, blocked: DataFrame) -> Row:
    """Set two answers side by side.

    Returns:
        One row: `both` users in both, `mllib` and `blocked` in one or both; `lengths` users whose lists differ in length;
        `difference`, the largest between the scores at a rank; `other_ids`, places at which the items differ.
    """
    left = mllib.select(
        "user",
        F.col("recommendations.item").alias("left_items"),
        F.col("recommendations.rating").alias("left_scores"),
    )
    difference = F.array_max(F.zip_with("left_scores", "scores", lambda one, other: F.abs(one - other)))
    changed = F.filter(
        F.zip_with("left_items", "items", lambda one, other: one != other), lambda differs: differs
    )
    row = (
        left.join(blocked, "user", "full")
        .agg(
            F.count("left_items").alias("mllib"),
            F.count("items").alias("blocked"),
            F.count(F.when(F.isnotnull("left_items") & F.isnotnull("items"), 1)).alias("both"),
            F.count(F.when(F.size("left_items") != F.size("items"), 1)).alias("lengths"),
            F.coalesce(F.max(difference), F.lit(0.0)).alias("difference"),
            F.coalesce(F.sum(F.size(changed)), F.lit(0)).alias("other_ids"),
        )
        .first()
    )
    assert row is not None
    return row


def _agree(facts: Row, params: TopnParams) -> None:
    """Refuse to compare the speed of two different answers.

    Where scores agree at every rank, items can differ only among ties.
    """
    users = {facts["mllib"], facts["blocked"], facts["both"]}
    if users == {params.users} and facts["lengths"] == 0 and facts["difference"] <= TOLERANCE:
        return
    raise JobError(
        f"the two rankings disagree, so their times mean nothing: users {facts['mllib']:,} by MLlib, "
        f"{facts['blocked']:,} blocked, {facts['both']:,} in both, of {params.users:,}; {facts['lengths']:,} lists differ "
        f"in length; scores differ by up to {facts['difference']:.6f}, {TOLERANCE} is allowed. "
        "Run it again; if it stays, one of the two is wrong: please report it with these numbers and the parameters."
    )


JOB = Topn()
