"""Look up once the Java classes that PySpark asks for by name in every call.

Each time `F.col` or another function is called, PySpark asks the JVM what `functions` is, and the JVM tries this name in
every package that PySpark imports, in each of some 300 jars. An application calls such functions a thousand times, mostly
before its first phase, when nothing else can run.
"""

from functools import reduce
from typing import Any

from pyspark import SparkContext

_CLASSES = (
    "functions",
    "Column",
    "PythonUtils",
    "PythonRDD",
    "SerDeUtil",
    "SimplePythonFunction",
    "SparkSession",
    "SparkSession$",
)
_PACKAGES = (  # each after the one that holds it: what is kept in an object that nobody keeps is lost
    "org",
    "org.apache",
    "org.apache.spark",
    "org.apache.spark.sql",
    "org.apache.spark.sql.catalyst",
    "org.apache.spark.sql.catalyst.expressions",
)


def keep_java_names(context: SparkContext) -> None:
    """Make the classes and packages attributes of the JVM's view, so that Python finds them without asking."""
    jvm: Any = context._jvm  # noqa: SLF001 - where PySpark looks them up
    for name in (*_CLASSES, *_PACKAGES):
        *parents, last = name.split(".")
        owner = reduce(getattr, parents, jvm)
        setattr(owner, last, getattr(owner, last))
