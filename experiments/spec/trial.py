"""Trials: a cluster shape, a data set under its protocol, and one trial of the two."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from cluster.settings import PARQUET
from cluster.shape import Shape
from jobs.runtime.request import NAME

SHARED = "shared"
"""In place of a number of applications: trials of one shape run one after another in one application."""


@dataclass(frozen=True)
class Data:
    """A data set and what is done to it before any trial.

    Attributes:
        name: `source/variant`.
        options: how the source is read.
        cleaning: parameters of the job `preprocess` that are not its defaults.
        store: where its tables lie; empty until the harness has said which store it is.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    cleaning: Mapping[str, Any] = field(default_factory=dict)
    store: str = ""

    @property
    def slug(self) -> str:
        """Names its tables in this store."""
        return self.tables + (f"-{self.store}" if self.store not in ("", PARQUET) else "")

    @property
    def tables(self) -> str:
        """Names its tables in any store: readable, with a short hash where the data set's name does not say all."""
        plain = re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")
        if not self.options and not self.cleaning:
            return plain
        text = json.dumps([dict(self.options), dict(self.cleaning)], sort_keys=True, default=str)
        return f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    def __str__(self) -> str:
        given = sorted({**self.options, **self.cleaning}.items())
        return self.name + "".join(f" {key}={value}" for key, value in given)


@dataclass(frozen=True)
class Trial:
    """One job with one set of parameters on one cluster shape.

    Attributes:
        label: short name for people: what tells it from the experiment's other trials, and its shape.
        params: the job's own parameters.
        model: `name` and fields of the model that the job fits; empty for a job that fits none.
        data: None for a job that makes its own data.
        spark: settings beyond those that every trial gets.
        partitions: Spark's shuffle partitions and default parallelism, the same for all trials of an experiment.
        applications: how many Spark applications, each with `warmups` and then `repeats` passes.
        shared: its one application may be that of other trials, too, one after another in one session.
        timeout_s: seconds after which an application, or the trial's part of one, is stopped and counts as failed.
    """

    job: str
    label: str
    params: Mapping[str, Any]
    shape: Shape
    data: Data | None
    spark: Mapping[str, str]
    partitions: int = 8
    applications: int = 1
    repeats: int = 1
    warmups: int = 0
    timeout_s: float = 1800.0
    shared: bool = False
    model: Mapping[str, Any] = field(default_factory=dict)

    def key(
        self,
        digest: str,
        code: str,
        lock: str,
        place: str,
        conditions: Mapping[str, Any] = MappingProxyType({}),
    ) -> str:
        """Return the hash of everything that may change what is measured; the number of applications is not.

        Args:
            digest: of the data set's rows and how they lie in their store; empty without a data set.
            code: hash of the sources of `jobs` and `datasets`.
            lock: hash of the locked packages.
            place: hash of the host, the backend's Java or image, and the driver's memory.
            conditions: of Spark and of the services that the trial uses (`experiments.run.conditions`).
        """
        limits = {**self.shape.limits, **({"backend": self.shape.backend} if self.shape.backend else {})}
        identity = {
            "job": self.job,
            "params": dict(self.params),
            "model": dict(self.model),
            "shape": [self.shape.workers, self.shape.cores, self.shape.memory, *limits.items()],
            "data": [self.data.slug, digest] if self.data else [],
            "spark": dict(self.spark),
            "partitions": self.partitions,
            "passes": [self.warmups, self.repeats],
            "shared": self.shared,
            "code": code,
            "lock": lock,
            "place": place,
            "conditions": dict(conditions),
        }
        return hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()

    @property
    def flat(self) -> dict[str, Any]:
        """Every value that defines it, but for its job's name, under the dotted name that a spec gives it."""
        tables: dict[str, dict[str, Any]] = {"model": dict(self.model), "job": dict(self.params)}
        if self.data:
            tables["data"] = {NAME: self.data.name, **self.data.options, "store": self.data.store}
            tables["clean"] = dict(self.data.cleaning)
        shape = self.shape
        tables["shape"] = {"workers": shape.workers, "cores": shape.cores, "memory": shape.memory}
        tables["shape"] |= shape.limits | ({"backend": shape.backend} if shape.backend else {})
        tables["spark"] = {key.removeprefix("spark."): value for key, value in self.spark.items()}
        return {f"{table}.{key}": value for table, values in tables.items() for key, value in values.items()}

    @property
    def model_name(self) -> str:
        """Name of the model that it fits, "" if it fits none."""
        return str(self.model.get(NAME, ""))
