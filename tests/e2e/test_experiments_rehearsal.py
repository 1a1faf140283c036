"""The archive of Spark's classes on real JVMs."""

import subprocess

from cluster.backends.local.driver import LocalDriverHost
from cluster.configuration import load
from cluster.jvm import java
from cluster.jvm.class_archive import class_archive
from experiments.run.environment import for_driver
from experiments.run.rehearsal import record
from tests.conftest import ROOT, keep_kernels


def test_spark_maps_the_classes_that_a_rehearsal_recorded(tmp_path):
    keep_kernels(tmp_path / "run")
    settings = load([f"run_dir={tmp_path / 'run'}"], {})
    driver_host = LocalDriverHost(settings)
    home = java.find(settings.spark.java_home)
    environment, _ = for_driver(driver_host, home)
    archive = class_archive(settings)
    record(archive, settings, driver_host.python, environment)
    assert archive.path.parent == ROOT / ".run" / "classes"
    assert driver_host.foundation == f"{driver_host.java}, class archive"
    shown = subprocess.run(
        [home / "bin" / "java", "-Xshare:on", "-Xlog:class+load", archive.option, "-cp",
         f"{archive.spark}/conf/:{archive.spark}/jars/*", "org.apache.spark.deploy.SparkSubmit", "--version"],
        capture_output=True, text=True, timeout=120, check=True,
    ).stdout  # fmt: skip
    (line,) = (line for line in shown.splitlines() if " org.apache.spark.deploy.SparkSubmit source:" in line)
    assert "shared objects file (top)" in line
