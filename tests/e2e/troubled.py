"""Real Spark jobs that are slow for one reason each, and healthy ones: `python troubled.py NAME FOLDER` runs an application.

Two executors of one core, processes of their own. Amounts of work are fixed, not seconds, so that shares hold on any machine.
"""

import os
import sys
from pathlib import Path

import pyspark
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.runtime.phases import Events, Phases, consume

ROWS = 800_000
FAR = {  # encrypted blocks over the network, one at a time, as between machines that are far apart
    "spark.executor.memory": "512m",
    "spark.shuffle.readHostLocalDisk": "false",
    "spark.reducer.maxReqsInFlight": "1",
    "spark.reducer.maxBlocksInFlightPerAddress": "1",
    "spark.shuffle.compress": "false",
    "spark.network.crypto.enabled": "true",
    "spark.authenticate": "true",
    "spark.authenticate.secret": "invented",
}
CRAMPED = {  # a young generation that some hundred rows fill, and more collectors than cores
    "spark.executor.memory": "512m",
    "spark.executor.extraJavaOptions": "-XX:+UseParallelGC -XX:ParallelGCThreads=16 -Xmn1m",
}
APPLICATIONS = {
    "roomy": ({"spark.executor.memory": "900m"}, ("healthy", "python", "skewed", "starved", "driver")),
    "far": (FAR, ("sorting", "spilling", "shuffling")),
    "cramped": (CRAMPED, ("allocating",)),
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
    os.environ["SPARK_HOME"] = str(home(folder / "spark"))
    builder = SparkSession.builder.appName(name)
    for key, value in settings.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    timer = Phases(spark, Events(folder / "events.jsonl"), pass_=1)
    burn_everywhere(spark, 1, 2)  # Python workers and classes are there before anything is timed
    consume(hashed(spark.range(0, 1000, numPartitions=2)))
    for phase in phases:
        given = GIVEN.get(phase, lambda session: session)(spark)
        with timer.phase(phase):
            JOBS[phase](given)
    spark.stop()


def home(folder):
    """Link Spark's folder: the workers of a local cluster write beside what they run from."""
    folder.mkdir()
    for name in ("bin", "jars"):
        (folder / name).symlink_to(Path(pyspark.__file__).parent / name)
    return folder


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
    """Burn long enough that the start of the Python workers is not a fifth of the time."""
    burn_everywhere(spark, 8, 12)


def skewed(spark):
    key = F.when(F.col("id") % 8 < 7, 0).otherwise(F.col("id") % 64)
    consume(hashed(spark.range(0, ROWS, numPartitions=8).withColumn("key", key).repartition(8, "key")))


def starved(spark):
    consume(hashed(spark.range(0, ROWS // 3, numPartitions=1)))


def driver(spark):
    for _ in range(4):
        burn(6)
        consume(hashed(spark.range(0, ROWS // 16, numPartitions=4)))


def wide(spark, rows, partitions, times=30):
    text = F.repeat(F.col("id").cast("string"), times).alias("text")
    return spark.range(0, rows, numPartitions=partitions).select(F.xxhash64("id").alias("key"), text)


def sorting(spark):
    """Hash what is sorted as well: sorting alone is so quick that shipping its tasks would be a fifth of the time."""
    rows = wide(spark, 3 * ROWS, 12).sortWithinPartitions("key")
    consume(rows.select(F.sha2("text", 256)))


def spilling(spark):
    """Sort few wide rows: many bytes for a second of CPU, so that slow processors, too, spend their time on spilling."""
    consume(wide(spark, 3 * ROWS // 4, 2, times=300).sortWithinPartitions("key"))


def allocating(spark):
    texts = F.transform(F.sequence(F.lit(0), F.lit(40)), lambda n: F.concat(F.col("id").cast("string"), n))
    consume(spark.range(0, ROWS // 10, numPartitions=8).select(F.size(F.array_sort(texts)).alias("n")))


def shuffled(spark):
    """Write the shuffle beforehand: the timed part is 8 tasks that each fetch the blocks of 300."""
    rows = wide(spark, ROWS, 300).repartition(8, "key")._jdf.queryExecution().toRdd()
    rows.count()
    return rows


def shuffling(rows):
    rows.count()


GIVEN = {"shuffling": shuffled}
JOBS = {
    job.__name__: job
    for job in (healthy, python, skewed, starved, driver, sorting, spilling, shuffling, allocating)
}

if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
