"""Launch of the job that explores a data set, on data that is prepared as for any trial."""

import json
import logging
from dataclasses import dataclass, replace
from typing import Any

from cluster.settings import PARQUET
from datasets.dataset import find
from experiments.run import environment
from experiments.run.alone import answer_of, fresh
from experiments.run.harness import Harness
from experiments.run.prepare import locate, prepare
from experiments.run.requests import data_fields, request_in
from experiments.spec.trial import Data

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Explored:
    """A data set and the result of its exploration.

    Attributes:
        digest: of its rows; empty for items only.
        counts: rows, users, items, and what preprocessing counted.
        found: the aggregates of `jobs.apps.eda`.
        seconds: of each phase.
        environment: of the run.
    """

    data: Data
    digest: str
    counts: dict[str, int]
    found: dict[str, Any]
    seconds: dict[str, float]
    environment: dict[str, Any]


def explore(data: Data, harness: Harness) -> Explored:
    """Explore a data set on the cluster of the settings; prepare it before if it has ratings and is not prepared.

    Raises:
        UsageError: an unknown data set or option.
        DataError: it cannot be fetched.
        JobError: preparing or exploring failed; with the reason and the driver's log.
    """
    dataset = find(data.name, data.options)
    shape = harness.default_shape
    counts: dict[str, int] = {}
    digest, root = "", ""
    if dataset.description.has_ratings:
        data = replace(data, store=data.store or harness.default_store)
        prepared = prepare(data, harness, [shape])
        path, root, digest, counts = prepared.path, prepared.root, prepared.digest, prepared.counts
    else:
        data = replace(data, store=PARQUET)
        _, path, notes = locate(data, harness.settings)
        for note in notes:
            logger.warning("warning: %s: %s", data.name, note)
    logger.info("exploring %s", data)
    folder = harness.settings.run_dir / "experiments" / "eda" / data.slug
    fresh(folder)
    harness.use(shape)
    request = request_in(
        folder,
        harness,
        shape,
        title=f"eda {data}",
        job="eda",
        params={},
        store=data.store,
        store_root=root or str(folder / "store"),
        partitions=max(8, 2 * shape.total_cores),
        **data_fields(data, path),
    )
    result = answer_of(harness, request, folder, shape, what=f"exploring {data}")
    return Explored(
        data=data,
        digest=digest,
        counts={**counts, **result.counts},
        found=json.loads(result.info["aggregates"]),
        seconds={time.phase: time.seconds for time in result.phases},
        environment=environment.describe(harness.cluster.driver_host),
    )
