"""Makes `planted` importable by the tests of this folder and of those below it, and lends jobs their session and context."""

import sys
from pathlib import Path

import pytest

from cluster.services.cassandra import CassandraSettings
from jobs.runtime.context import Context
from jobs.runtime.phases import Events, Phases
from jobs.runtime.request import Request
from jobs.stores import STORES
from tests.conftest import connected

sys.path.insert(0, str(Path(__file__).resolve().parent))


@pytest.fixture(autouse=True)
def compiled_plans(request):
    """Let tests on publishers' files run as a user's do: from the plans' generated Java, which short tests go without."""
    if request.node.get_closest_marker("realdata") is None:
        yield
        return
    conf = request.getfixturevalue("spark").conf
    as_used = {"spark.sql.codegen.wholeStage": "true", "spark.sql.codegen.factoryMode": "FALLBACK"}
    before = {key: conf.get(key) for key in as_used}
    for key, value in as_used.items():
        conf.set(key, value)
    yield
    for key, value in before.items():
        conf.set(key, value)


@pytest.fixture
def in_cassandra(spark, cassandra):
    """Let the session's settings name the tests' node."""
    with connected(spark, cassandra, f"{cassandra.host}:{cassandra.of(CassandraSettings).port}"):
        yield cassandra


@pytest.fixture
def context(spark, tmp_path):
    """Make the context of a job in this process: context(job, params, model={...}, warmups=1, ...)."""

    def make(job, params, **changes):
        store, log = tmp_path / "store", tmp_path / "events.jsonl"
        request = Request(
            job=job, params=params, spark={}, store="parquet", store_root=str(store), work=str(tmp_path),
            events=str(log), **changes,
        )  # fmt: skip
        events = Events(log)
        return Context(
            request, spark, STORES["parquet"](spark, str(store)), Phases(spark, events), events, lambda: None
        )

    return make


@pytest.fixture(scope="module")
def tables(spark):
    """Lend the planted tables, kept in memory, without the ratings of one user and one item."""
    import planted  # noqa: PLC0415 - of this folder, which is on the path by now

    found = planted.tables(spark)
    ratings = found.ratings.where("user <> 7 and item <> 3").persist()
    yield found._replace(ratings=ratings)
    ratings.unpersist()
