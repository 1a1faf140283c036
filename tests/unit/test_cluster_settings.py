"""Settings: their order, their types, and what is said of wrong ones."""

from pathlib import Path

import pytest

from cluster.cluster_state import remember
from cluster.configuration import load
from cluster.services.mlflow import MlflowSettings
from cluster.settings import ROOT, Settings
from core.errors import UsageError


def test_without_anything_the_defaults_hold():
    assert load(environ={}) == Settings()
    assert load(environ={}).run_dir == ROOT / ".run"


def test_each_level_overrules_the_one_below(tmp_path):
    remember(tmp_path, ["spark.workers=3", "spark.cores=3", "spark.master_port=7003"])
    environ = {
        "RECSCALE_RUN_DIR": str(tmp_path),
        "RECSCALE_SPARK_CORES": "4",
        "RECSCALE_SPARK_MASTER_PORT": "7004",
        "PATH": "/bin",
    }
    loaded = load(["spark.master_port=7005"], environ)
    assert (loaded.spark.workers, loaded.spark.cores, loaded.spark.master_port) == (3, 4, 7005)


def test_texts_become_the_types_of_the_fields(tmp_path):
    environ = {
        "RECSCALE_DATA": str(tmp_path),
        "RECSCALE_MLFLOW_ALLOWED_HOSTS": "a.example, b.example:80,",
        "RECSCALE_SPARK_MASTER": "spark://elsewhere:7077",
        "RECSCALE_MLFLOW_URI": "",
        "RECSCALE_SERVICE": "the mark of a running service, which is no setting",
    }
    loaded = load(["spark.java_home=~/java"], environ)
    assert loaded.data == tmp_path
    assert loaded.of(MlflowSettings).allowed_hosts == ("a.example", "b.example:80")
    assert loaded.spark.master == "spark://elsewhere:7077"
    assert loaded.of(MlflowSettings).uri is None
    assert loaded.spark.java_home == Path.home() / "java"


@pytest.mark.parametrize(
    ("sets", "environ", "says"),
    [
        (["spark.worker=3"], {}, "did you mean 'spark.workers'"),
        (["spark.workers"], {}, "'spark.workers'.* spark.workers=value"),
        (["spark.workers=many"], {}, "spark.workers .*whole number.*got 'many'"),
        (["spark.workers=-1"], {}, "spark.workers .*0 or more, got -1"),
        (["spark.cpus=half"], {}, r"spark\.cpus .*number.*got 'half'"),
        (["spark.pin=maybe"], {}, r"spark\.pin .*true or false, got 'maybe'"),
        (["history.servers=2"], {}, "history.servers .*0 or 1, got 2"),
        (["cassandra.nodes=-2"], {}, "cassandra.nodes .*0 or more, got -2"),
        (["cassandra.nodes=1", "cassandra.rf=3"], {}, r"cassandra.rf .*\(1\), got 3"),
        (["store=csv"], {}, "store .*cassandra, lake, parquet, got 'csv'"),
        (["spark.cores=0"], {}, "spark.cores .*1 or more, got 0"),
        (["spark.memory=2 gigabytes"], {}, "spark.memory: .*2g.*got '2 gigabytes'"),
        (["mlflow.port=70000"], {}, "mlflow.port .*1 to 65535, got 70000"),
        (["host=0.0.0.0"], {}, r"host .*127\.0\.0\.1, got '0\.0\.0\.0'"),
        (["backend=locale"], {}, "did you mean 'local'"),
        ([], {"RECSCALE_SPARK_WORKER": "3"}, "did you mean 'RECSCALE_SPARK_WORKERS'"),
        ([], {"RECSCALE_BACKEND": "nomad"}, "'nomad'.*local"),
    ],
)
def test_what_is_wrong_is_named_with_the_nearest_known(sets, environ, says):
    with pytest.raises(UsageError, match=says):
        load(sets, environ)
