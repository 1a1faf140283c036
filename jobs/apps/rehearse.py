"""Run a small version of the other jobs, so that their classes are loaded and their kernels compiled.

The JVM can write the loaded classes to an archive as it ends; numba keeps the compiled kernels in its cache.
"""

import dataclasses
from pathlib import Path

from datasets.sources import SOURCES
from jobs.apps.preprocess import Preprocess
from jobs.apps.train import Train
from jobs.runtime.context import Context, JobKind
from jobs.runtime.request import Result


class Rehearse:
    """Preprocessing of a few invented ratings, and ALS on them; the request needs no data set."""

    kind: JobKind = "passes"

    def parameters(self) -> frozenset[str]:
        return frozenset()

    def run(self, context: Context) -> Result:
        folder = SOURCES["movielens"].sample("latest-small", Path(context.request.keep) / "sample")
        request = dataclasses.replace(
            context.request, dataset="movielens/latest-small", dataset_path=str(folder), dataset_options={}
        )
        prepare = dataclasses.replace(request, params={"max_rejected_share": 1.0})
        Preprocess().run(dataclasses.replace(context, request=prepare))
        model = {"name": "als", "rank": 2, "iterations": 2, "blocks": 2}
        train = dataclasses.replace(request, params={"test": 0.5, "top_n": 2, "k": 2}, model=model)
        result = Train().run(dataclasses.replace(context, request=train))
        return Result(job="rehearse", status="ok", info=result.info)


JOB = Rehearse()
