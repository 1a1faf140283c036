"""Makes sure that a data set lies preprocessed in the store, and does not do twice what was done."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cluster.settings import Settings
from cluster.shape import Shape
from core.units import MIB
from core.versioned import Kind, unchanged
from datasets.dataset import Dataset, find
from experiments.run.alone import answer_of, fresh
from experiments.run.harness import Harness
from experiments.run.identity import files_at, lock_hash, preprocess_hash, stamp
from experiments.run.requests import data_fields, request_in
from experiments.run.stores import root_of, spark_settings_to_read
from experiments.spec.trial import Data
from jobs.runtime.request import Result
from jobs.stores import STORAGES

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"
_SPLIT = 128 * MIB  # spark.sql.files.maxPartitionBytes
_ROW = 24  # bytes of a generated row, about what a publisher's file has


@dataclass(frozen=True)
class Prepared:
    """A data set whose tables are in the store.

    Attributes:
        root: what its store is opened with; path: what the source's fetch returned.
        digest: of the rows, whatever their order; layout: how the tables lie there; scale: "lowest,highest,step", empty without ratings.
        counts: rows in and out, dropped by reason, users, items.
        table: the counts for a person.
        warnings: what a person should know of how it was read, a sentence each.
        fresh: whether it was done just now.
    """

    data: Data
    root: str
    path: Path
    digest: str
    layout: str
    scale: str
    counts: dict[str, int]
    table: list[list[Any]]
    warnings: list[str]
    fresh: bool

    @property
    def identity(self) -> str:
        """Identity of the data, on which times and results of trials that read it depend."""
        return f"{self.digest} in {self.layout}"

    @property
    def described(self) -> dict[str, Any]:
        """Description of the data for every run on it."""
        versions = dict(find(self.data.name, self.data.options).versions(self.path))
        return {
            "name": self.data.name,
            "options": dict(self.data.options),
            "cleaning": dict(self.data.cleaning),
            "slug": self.data.slug,
            "digest": self.digest,
            "layout": self.layout,
            "scale": self.scale,
            "rows": self.counts.get("rows_out", 0),
            "users": self.counts.get("users", 0),
            "items": self.counts.get("items", 0),
            "source": str(self.path),
            **({"versions": versions} if versions else {}),
            **({"warnings": self.warnings} if self.warnings else {}),
        }


def manifest_of(folder: Path) -> dict[str, Any] | None:
    """Return what is noted of a data set that was prepared; None if there is nothing that reads, which is said."""
    return PREPARED.read_if(folder / MANIFEST, _whole)


def _whole(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a manifest, of which none may be missing."""
    known = {name: values[name] for name in ("identity", "digest", "scale", "counts", "table", "seconds")}
    return {**known, "warnings": values.get("warnings", [])}


PREPARED = Kind("the manifest of prepared data", (unchanged,), "The data is prepared anew")


def locate(data: Data, settings: Settings) -> tuple[Dataset, Path, list[str]]:
    """Fetch a data set and look at it, before a cluster or Spark is started.

    Returns:
        It, its place, and what a person should know of how it will be read.

    Raises:
        UsageError: an unknown data set or option, or an option that does not fit the files.
        DataError: it cannot be fetched, or is not in its format.
    """
    dataset = find(data.name, data.options)
    path = dataset.fetch(settings.data, settings.run_dir / "data")
    return dataset, path, list(dataset.check(path))


def prepare(
    data: Data,
    harness: Harness,
    shapes: Sequence[Shape],
    spark: Mapping[str, str] = MappingProxyType({}),
) -> Prepared:
    """Fetch and preprocess a data set unless the store holds it as this code would make it.

    Data of less than one of Spark's splits is prepared on the smallest shape and in few tasks: more workers would only take
    longer to start, more tasks longer to send. Anything else on the largest.

    Args:
        data: what to prepare.
        harness: lends the cluster.
        shapes: those of the trials that wait for the data.
        spark: settings of the trials that wait for the data, which hold here too; they change no table.

    Raises:
        UsageError: an unknown data set or option, or an option that does not fit the files.
        DataError: it cannot be fetched, or is not in its format.
        JobError: preprocessing failed; with the reason and the driver's log.
    """
    settings = harness.settings
    dataset, path, notes = locate(data, settings)
    kept = settings.run_dir / "store" / data.slug
    storage, root = STORAGES[data.store], root_of(data, settings)
    reach = harness.reach(data.store)
    identity = _identity(data, path)
    found = manifest_of(kept)
    if found and found["identity"] == identity and storage.holds(root, reach, found["digest"]):
        _warn(found["warnings"])
        return _prepared(data, root, path, found, storage.layout(root, reach), fresh=False)
    _warn(notes)
    logger.info("preprocessing %s from %s", data, path)
    by_size = sorted(shapes, key=lambda shape: shape.total_cores)
    size = dataset.rows(path) * _ROW or sum(file.stat().st_size for file in files_at(path))
    small = size < _SPLIT
    shape = by_size[0] if small else by_size[-1]
    (kept / MANIFEST).unlink(missing_ok=True)
    kept.mkdir(parents=True, exist_ok=True)
    folder = settings.run_dir / "experiments" / "preprocess" / data.slug
    fresh(folder)
    harness.use(shape, measured=False)
    reach = harness.reach(data.store)  # as the driver of this shape sees it
    request = request_in(
        folder,
        harness,
        shape,
        title=f"preprocess {data}",
        job="preprocess",
        params=data.cleaning,
        store=data.store,
        store_root=root,
        partitions=max(2 if small else 8, 2 * shape.total_cores),
        read=spark_settings_to_read(dataset.source, harness.cluster.driver_host.jars),
        spark=spark,
        **data_fields(data, path),
    )
    result = answer_of(harness, request, folder, shape, what=f"preprocessing {data.name}")
    manifest = {"identity": identity, **_kept(result)}
    manifest["warnings"] = [*notes, *manifest["warnings"]]
    PREPARED.write(kept / MANIFEST, manifest)
    return _prepared(data, root, path, manifest, storage.layout(root, reach), fresh=True)


def _kept(result: Result) -> dict[str, Any]:
    """Return what the manifest keeps of the job's answer."""
    return {
        "digest": result.info["data_digest"],
        "scale": result.info.get("scale", ""),
        "counts": result.counts,
        "table": result.table,
        "warnings": result.warnings,
        "seconds": {time.phase: time.seconds for time in result.phases},
    }


def _identity(data: Data, path: Path) -> dict[str, Any]:
    """Return what the tables were made of, as JSON gives it back; generated data sets have no input."""
    values = {
        **asdict(data),
        "code": preprocess_hash(data.store),
        "lock": lock_hash(),
        "input": stamp(path) if path.exists() else "",
    }
    return dict(json.loads(json.dumps(values, default=str)))


def _warn(warnings: Sequence[str]) -> None:
    for text in warnings:
        logger.warning("warning: %s", text)


def _prepared(
    data: Data, root: str, path: Path, manifest: dict[str, Any], layout: str, *, fresh: bool
) -> Prepared:
    return Prepared(
        data=data,
        root=root,
        path=path,
        digest=manifest["digest"],
        layout=layout,
        scale=manifest["scale"],
        counts=manifest["counts"],
        table=manifest["table"],
        warnings=manifest["warnings"],
        fresh=fresh,
    )
