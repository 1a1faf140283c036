"""The store in Delta tables: any reader of Delta finds its versions, and a session keeps nothing of it."""

from contextlib import closing

from datasets.formats.spark_paths import local
from datasets.publishers.lake.delta_log import newest
from jobs.runtime.between_trials import clear, held
from jobs.runtime.request import Request
from jobs.stores.lake.store import KEEP_EMPTY, LakeStore


def test_versions_are_deltas_and_nothing_of_them_is_left_in_the_session(spark, tmp_path):
    request = Request(
        job="train", params={}, spark={}, store="lake", store_root="", work=str(tmp_path), events=""
    )
    spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()  # of the tables of other tests
    clear(spark, request, deadline_s=5.0)
    before = set(held(spark))
    rows = spark.range(3).selectExpr("int(id) as id")
    with closing(LakeStore(spark, str(tmp_path / "tables"))) as store:
        written = [store.write("things", rows.where(where)) for where in ("id > 5", "id > 5", "id > 0")]
        assert written == [1, 2, 3]
        folder = tmp_path / "tables" / "things"
        assert newest(folder) == 3
        counts = [
            spark.read.format("delta").option("versionAsOf", version).load(local(folder)).count()
            for version in (0, 2, 3)
        ]
        assert counts == [0, 0, 2]
        assert store.read("things").count() == 2
    spark.conf.unset(KEEP_EMPTY)
    clear(spark, request, deadline_s=5.0)
    assert set(held(spark)) <= before
