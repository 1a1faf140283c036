"""Every source and variant: its sample reads in the exact schemas, twice the same, every line kept or rejected."""

import dataclasses

import pytest
from pyspark.sql import functions as F

from core.errors import DataError, UsageError
from core.options import parse
from datasets.dataset import find
from datasets.source import ITEMS, RAW, REJECTED
from datasets.sources import SOURCES

EVERY = [(name, variant) for name, source in SOURCES.items() for variant in source.variants]


def options(source, path):
    """The least that a source needs to read its sample: where it lies, its columns, and few rows."""
    known = {field.name for field in dataclasses.fields(source.options)}
    wanted = {"path": str(path), "rating": "rating", "at": "at", "rows": 300}
    return parse(source.options, {key: value for key, value in wanted.items() if key in known}, "sample")


@pytest.fixture
def sample(request, spark, tmp_path):
    name, variant = request.param
    source = SOURCES[name]
    path = source.sample(variant, tmp_path)
    return source, variant, path, source.read(spark, variant, options(source, path), path)


@pytest.mark.parametrize("sample", EVERY, ids="/".join, indirect=True)
def test_reads_its_sample(sample):
    source, variant, path, raw = sample
    assert source.fetch(variant, options(source, path), path.parent, path.parent) == path
    assert list(source.check(variant, options(source, path), path)) == []
    assert raw.rejected.schema == REJECTED
    assert (raw.ratings is not None) == source.variants[variant].has_ratings
    for row in raw.rejected.collect():
        assert row.file
        assert row.text
        assert row.reason
    if raw.ratings is not None:
        assert raw.ratings.schema == RAW
        ratings = raw.ratings.collect()
        assert len(ratings) > 0
        assert all(row.user and row.item for row in ratings)
        assert sorted(map(str, raw.ratings.collect())) == sorted(map(str, ratings))
    if raw.items is not None:
        assert raw.items.schema == ITEMS
        items = raw.items.limit(50).collect()
        assert len({row.item for row in items}) == len(items) > 0
        assert all(row.title != "" for row in items)
        assert any(row.title for row in items)


@pytest.mark.parametrize(("name", "variant"), EVERY)
def test_terms_are_stated(name, variant):
    source = SOURCES[name]
    described = source.variants[variant]
    assert source.citation
    assert source.licence
    assert described.description
    assert described.scale is None or described.scale[0] < described.scale[1]


@pytest.mark.parametrize("name", SOURCES)
def test_nothing_there_is_a_clear_error(spark, tmp_path, name):
    source = SOURCES[name]
    variant = next(iter(source.variants))
    if not source.sample(variant, tmp_path).exists():
        return  # generated: there is nothing that could be missing
    missing = tmp_path / "nowhere"
    with pytest.raises((DataError, UsageError)):
        source.read(spark, variant, options(source, missing), missing)
    with pytest.raises((DataError, UsageError)):
        source.check(variant, options(source, missing), missing)


def test_known_by_name(spark, tmp_path):
    dataset = find("synthetic/ml-100m", {"rows": "40"})
    raw = dataset.read(spark, dataset.fetch(None, tmp_path))
    assert raw.ratings.agg(F.count("*")).first()[0] == 40
