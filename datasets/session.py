"""Spark session of a command that reads a data set in its own process."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyspark.sql import SparkSession

_ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def session() -> Iterator[SparkSession]:
    """Give this process's Spark session, or one on all cores that ends with the block."""
    running = SparkSession.getActiveSession()
    if running:
        yield running
        return
    os.environ["PYTHONPATH"] = str(_ROOT)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    if sys.flags.utf8_mode:  # the locale is ASCII, and Java would read names of files by it
        os.environ["LC_ALL"] = "C.UTF-8"
    settings: dict[str, bool | float | int | str | None] = {
        "spark.driver.memory": "2g",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "8",
        "spark.log.level": "ERROR",
    }
    builder = SparkSession.builder.master("local[*]").appName("datasets")
    spark = builder.config(map=settings).getOrCreate()
    try:
        yield spark
    finally:
        spark.stop()
