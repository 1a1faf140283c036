"""Real Spark jobs that are slow for one reason each, and healthy ones: `python troubled.py NAME FOLDER` runs an application.

Two executors of one core, processes of their own. Amounts of work are fixed, not seconds, so that shares hold on any machine.
"""

import sys
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.phases import Events, Phases, consume

ROWS = 800_000
SMALL = {
    "spark.executor.memory": "512m",
    "spark.sql.objectHashAggregate.sortBased.fallbackThreshold": "100000000",
    # One block at a time over the network, as between machines that are far apart.
    "spark.shuffle.readHostLocalDisk": "false",
    "spark.reducer.maxReqsInFlight": "1",
    "spark.reducer.maxBlocksInFlightPerAddress": "1",
    "spark.executor.extraJavaOptions": "-XX:+UseSerialGC -Xmn2m",
}
APPLICATIONS = {
    "roomy": ({"spark.executor.memory": "900m"}, ("healthy", "python", "skewed", "starved", "driver")),
    "calibrate": ({"spark.executor.memory": "900m"}, ("spilling",)),
    "small": (SMALL, ("spilling", "collecting", "shuffling")),
}


def main(name, folder):
    settings, phases = APPLICATIONS[name]
    settings = {
        "spark.master": "local-cluster[2,1,1024]", "spark.driver.host": "127.0.0.1", "spark.ui.enabled": "false",
        "spark.driver.bindAddress": "127.0.0.1", "spark.eventLog.enabled": "true", "spark.sql.adaptive.enabled": "false",
        "spark.eventLog.dir": (folder / "eventlog").as_uri(), "spark.local.dir": str(folder / "local"),
        "spark.sql.warehouse.dir": str(folder / "warehouse"), "spark.cores.max": "2",
        "spark.scheduler.minRegisteredResourcesRatio": "1", "spark.log.level": "ERROR", **settings,
    }  # fmt: skip
    (folder / "eventlog").mkdir(parents=True)
    builder = SparkSession.builder.appName(name)
    for key, value in settings.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    timer = Phases(spark, Events(folder / "events.jsonl"), pass_=1)
    burn_everywhere(spark, 1, 2)  # Python workers and classes are there before anything is timed
    for phase in phases:
        given = GIVEN.get(phase, lambda session: session)(spark)
        with timer.phase(phase):
            JOBS[phase](given)
    spark.stop()


def burn(amount):
    return sum(i * i % 7 for i in range(int(amount * 1_000_000)))


def hashed(frame, times=4):
    column = F.col("id").cast("string")
    for _ in range(times):
        column = F.sha2(column, 256)
    return frame.select(column.alias("hash"))


def burn_everywhere(spark, amount, tasks):
    def work(batches):
        for batch in batches:
            batch["id"] += burn(amount)
            yield batch

    consume(spark.range(tasks, numPartitions=tasks).mapInPandas(work, "id long"))


def healthy(spark):
    consume(hashed(spark.range(0, ROWS, numPartitions=12)))


def python(spark):
    burn_everywhere(spark, 4, 12)


def skewed(spark):
    key = F.when(F.col("id") % 8 < 7, 0).otherwise(F.col("id") % 64)
    consume(hashed(spark.range(0, ROWS, numPartitions=8).withColumn("key", key).repartition(8, "key")))


def starved(spark):
    consume(hashed(spark.range(0, ROWS // 3, numPartitions=1)))


def driver(spark):
    for _ in range(4):
        burn(8)
        consume(hashed(spark.range(0, ROWS // 16, numPartitions=4)))


def spilling(spark):
    wide = spark.range(0, 4 * ROWS, numPartitions=4).select(
        F.xxhash64("id").alias("key"), *(F.col("id").alias(f"c{n}") for n in range(8))
    )
    consume(wide.sortWithinPartitions("key"))


def collecting(spark):
    texts = spark.range(0, ROWS, numPartitions=4).select(
        (F.col("id") % 50_000).alias("key"), F.hex("id").alias("t")
    )
    consume(texts.groupBy("key").agg(F.collect_list("t").alias("ts")))


def shuffled(spark):
    """Write the shuffle beforehand: the timed part is 16 tasks that each fetch 200 small blocks, one after another."""
    rows = spark.range(0, ROWS, numPartitions=200).repartition(16, "id")._jdf.queryExecution().toRdd()
    rows.count()
    return rows


def shuffling(rows):
    rows.count()


GIVEN = {"shuffling": shuffled}
JOBS = {
    "healthy": healthy, "python": python, "skewed": skewed, "starved": starved, "driver": driver,
    "spilling": spilling, "collecting": collecting, "shuffling": shuffling,
}  # fmt: skip

if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
