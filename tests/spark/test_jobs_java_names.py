"""What PySpark asks the JVM for by name in every call, which takes longer than the call."""

import re

from py4j.java_gateway import JavaPackage, JVMView
from pyspark.sql import functions as F

from jobs.runtime.java_names import keep_java_names


def test_calling_functions_asks_for_no_class_of_the_jvm(spark, monkeypatch):
    keep_java_names(spark.sparkContext)
    asked = []

    def counted(cls):
        look_up = cls.__getattr__
        monkeypatch.setattr(cls, "__getattr__", lambda self, name: asked.append(name) or look_up(self, name))

    counted(JVMView)
    counted(JavaPackage)
    rows = spark.range(3).select(
        F.transform(F.array(F.col("id"), F.lit(1)), lambda each: each + 1).alias("both")
    )
    assert [row.both for row in rows.collect()] == [[1, 2], [2, 2], [3, 2]]
    assert not [
        name
        for name in asked
        if re.match("functions|Column|SparkSession|org$|apache|spark|sql|catalyst|expressions", name)
    ], asked
