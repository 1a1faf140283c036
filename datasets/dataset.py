"""A data set named `source/variant` with its reading options, ready to be fetched and read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from core.errors import UsageError
from core.options import nearest, parse
from datasets.source import Adviser, Example, Extended, Raw, Source, Variant, Versioned
from datasets.sources import SOURCES


@dataclass(frozen=True)
class Dataset:
    """One variant of one source with its parsed options."""

    name: str
    source: Source
    variant: str
    options: Any

    @property
    def description(self) -> Variant:
        """Description of this variant; options named like its fields (rows, scale) override them."""
        variant = self.source.variants[self.variant]
        own = {name: getattr(self.options, name, None) for name in ("rows", "scale")}
        return replace(variant, **{name: value for name, value in own.items() if value is not None})

    def fetch(self, data: Path | None, cache: Path) -> Path:
        """Return the folder or file of the data set, downloaded into `cache` unless the folder `data` has it."""
        return self.source.fetch(self.variant, self.options, data, cache)

    def check(self, path: Path) -> Sequence[str]:
        """Look at what `fetch` returned, without Spark; return warnings about how it will be read."""
        return self.source.check(self.variant, self.options, path)

    def advise(self, path: Path, rejected: Sequence[Example]) -> Sequence[str]:
        """Guess from rejected lines which option would read them."""
        if not isinstance(self.source, Adviser):
            return ()
        return self.source.advise(self.variant, self.options, path, rejected)

    def versions(self, path: Path) -> Mapping[str, int]:
        """Return the versions of tables that `fetch` pinned; none of a data set that stays as it is."""
        return self.source.versions(path) if isinstance(self.source, Versioned) else {}

    def rows(self, path: Path) -> int:
        """Return about how many ratings `read` gives; 0 where only the publisher's files tell."""
        if isinstance(self.source, Versioned):
            return self.source.rows(self.variant, self.options, path)
        return 0 if path.exists() else self.description.rows or 0

    def read(self, spark: SparkSession, path: Path) -> Raw:
        """Read what `fetch` returned.

        Raises:
            UsageError: the session lacks what the source needs, as that of a command without a cluster does.
        """
        if isinstance(self.source, Extended):
            for key, value in self.source.spark_settings.items():
                if value not in (spark.conf.get(key, None) or "").split(","):
                    raise UsageError(
                        f"{self.name} is read with jars and settings that only applications of the cluster are given: use "
                        f"make preprocess, eda or train DATASET={self.name}"
                    )
        return self.source.read(spark, self.variant, self.options, path)


def find(name: str, options: Mapping[str, Any] | None = None) -> Dataset:
    """Find a data set by its name, `source/variant`.

    Raises:
        UsageError: the source, variant or option is unknown; the message names the nearest known one.
    """
    source_name, _, variant = name.partition("/")
    if source_name not in SOURCES:
        raise UsageError(
            f"unknown source {source_name!r} in data set {name!r}: {nearest(source_name, SOURCES)}"
        )
    source = SOURCES[source_name]
    if not variant and len(source.variants) == 1:
        (variant,) = source.variants
    if variant not in source.variants:
        raise UsageError(f"unknown variant {variant!r} of {source_name}: {nearest(variant, source.variants)}")
    return Dataset(name, source, variant, parse(source.options, options or {}, f"options of {name}"))
