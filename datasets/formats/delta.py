"""Jars and settings with which a Spark session reads and writes Delta tables."""

from collections.abc import Mapping

JARS = "streams"
"""List of jars in `cluster/jvm/jars`: Delta's, and those for Kafka. One list for both: an application may need both, and Spark takes a
jar from one folder only."""

EXTENSION = "io.delta.sql.DeltaSparkSessionExtension"
"""Entry for `spark.sql.extensions`, which is one list for all that extend Spark."""

SETTINGS: Mapping[str, str] = {
    # Without it Delta refuses to work.
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    # Delta's 50 partitions for the state of a table are 50 tasks for each read and write; tables here have a few files to a
    # few thousand.
    "spark.databricks.delta.snapshotPartitions": "1",
}
"""The other settings of every session that reads or writes such tables."""
