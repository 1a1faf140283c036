"""Times how fast a synthetic data set is generated and written as Parquet."""

import dataclasses
import statistics
from dataclasses import dataclass
from pathlib import Path

from core.errors import JobError
from core.options import parse
from datasets.dataset import find
from datasets.formats.spark_paths import literal, local
from jobs.runtime.context import Context, JobKind
from jobs.runtime.request import Result


@dataclass(frozen=True)
class GenerateParams:
    """Which ratings.

    Attributes:
        variant: of the source `synthetic`.
        rows: how many, None for the variant's own number.
        seed: None for the source's own.
    """

    variant: str = "ml-10m"
    rows: int | None = None
    seed: int | None = None


class Generate:
    """Phase of each pass: generate (all ratings, written as Parquet to the application's own folder)."""

    kind: JobKind = "passes"

    def parameters(self) -> frozenset[str]:
        return frozenset(field.name for field in dataclasses.fields(GenerateParams))

    def run(self, context: Context) -> Result:
        params = parse(GenerateParams, context.request.params, "parameters of generate")
        options = {
            name: getattr(params, name) for name in ("rows", "seed") if getattr(params, name) is not None
        }
        dataset = find(f"synthetic/{params.variant}", options)
        target = Path(context.request.work).resolve() / "generated"
        for _ in context.passes():
            with context.phases.phase("generate"):
                ratings = dataset.read(context.spark, target).ratings
                assert ratings is not None  # every synthetic set has ratings
                ratings.write.mode("overwrite").parquet(local(target))
        written = context.spark.read.parquet(literal(local(target))).count()
        wanted = params.rows or dataset.description.rows
        if written != wanted:
            raise JobError(
                f"{written:,} rows were written instead of the {wanted:,} that were asked for: this is an error of the "
                "generator, please report it with the parameters"
            )
        seconds = statistics.median(time.seconds for time in context.phases.times if time.kind == "repeat")
        return Result(
            job="generate",
            status="ok",
            metrics={"rows_per_s": written / seconds},
            counts={"rows": written, "bytes": sum(path.stat().st_size for path in target.glob("*.parquet"))},
            info={"dataset": dataset.name},
        )


JOB = Generate()
