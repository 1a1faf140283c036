"""Drills without a cluster: what is refused, and which trial on which workers is disturbed."""

import dataclasses
import re
from typing import ClassVar

import pytest
from invented_drills import DRILL, SETTINGS, trial

from cluster import configuration
from cluster.shape import Shape
from core.errors import UsageError
from experiments import __main__ as main
from experiments.run.progress import Progress
from experiments.spec import loading as spec
from experiments.spec.experiment import Experiment
from experiments.spec.trial import Trial
from experiments.studies.drills import baseline
from experiments.studies.drills.kinds import DRILLS
from experiments.studies.drills.session import Session


@pytest.mark.parametrize("kind", DRILLS)
def test_every_drill_says_what_it_kills_and_what_recovery_means(kind):
    drill = DRILLS[kind]
    assert drill.what
    assert drill.recovered
    assert drill.refusal(SETTINGS, trial(baseline.fitted(DRILL, drill))) is None


@pytest.mark.parametrize("kind", DRILLS)
@pytest.mark.parametrize(
    "sets",
    [
        ["spark.master=spark://there:7077"],
        ["mlflow.uri=http://there:5000"],
        ["cassandra.contact_points=there"],
    ],
)
def test_what_was_not_started_here_is_not_killed(kind, sets):
    settings = configuration.load(sets, {})
    refused = DRILLS[kind].refusal(settings, trial(baseline.fitted(DRILL, DRILLS[kind]), settings))
    concerned = {"mlflow.uri": {"mlflow"}, "cassandra.contact_points": {"cassandra"}}
    if kind in concerned.get(sets[0].partition("=")[0], DRILLS):
        assert "not started here" in refused
        assert "RECSCALE_" in refused
    else:
        assert refused is None


def test_a_worker_is_killed_only_where_another_is_left():
    single = trial(dataclasses.replace(DRILL, fixed={**DRILL.fixed, "shape.workers": 1}))
    assert "set workers = 2" in DRILLS["worker"].refusal(SETTINGS, single)
    assert DRILLS["executor"].refusal(SETTINGS, single) is None


def test_a_server_that_docker_starts_again_is_no_drill():
    settings = dataclasses.replace(SETTINGS, backend="docker")
    assert re.search("Docker starts.*again", DRILLS["mlflow"].refusal(settings, trial(DRILL)))
    assert DRILLS["executor"].refusal(settings, trial(DRILL)) is None


def test_a_drill_disturbs_one_trial_that_fits_a_model():
    with pytest.raises(UsageError, match="als_scaling has 2"):
        trial(spec.load("als_scaling"))
    with pytest.raises(UsageError, match="fits none"):
        trial(Experiment("made", "?", job="generate"))


def test_the_value_that_a_drill_needs_goes_over_the_specs_grid():
    several = Experiment(
        "made",
        "?",
        fixed={"model.name": "als", "data.name": "movielens/1m"},
        grid={"data.store": ["parquet"]},
    )
    fitted = baseline.fitted(several, DRILLS["cassandra"])
    assert trial(fitted).data.store == "cassandra"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["drill", "excutor"], "'excutor'.*'executor'"),
        (["drill", "executor", "dril"], "'dril'.*'drill'"),
        (["drill", "executor", "als_scaling"], r"\bals_scaling\b.*\b2\b.*one value"),
        (
            ["drill", "executor", "--cluster-set", "spark.master=spark://there:7077"],
            "executor.*spark://there:7077.*RECSCALE_SPARK_MASTER",
        ),
        (["drill", "all", "--cluster-set", "spark.master=spark://there:7077"], r"\bnone of the drills"),
    ],
)
def test_wrong_names_and_other_peoples_clusters_exit_with_two(arguments, message, tmp_path, capsys):
    assert main.main([*arguments, "--cluster-set", f"run_dir={tmp_path / 'run'}"]) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "run").exists()


def test_a_spec_without_a_shape_takes_the_settings(monkeypatch):
    bare = Experiment("made", "?", fixed={"model.name": "als", "data.name": "movielens/1m"})
    assert trial(bare).shape == Shape(2, 1, "2g")


class Lent:
    """A cluster that only remembers what shape it was brought to."""

    asked: ClassVar[list] = []

    def __init__(self, settings):
        self.backend = settings.backend

    def status(self):
        return []

    def reshape(self, shape):
        self.asked.append((self.backend, shape))

    def down(self, _groups):
        return []


def test_workers_of_a_drill_have_the_whole_shape_of_its_trial(tmp_path, monkeypatch):
    monkeypatch.setattr("experiments.studies.drills.session.Cluster", Lent)
    shape = Shape(2, 1, "1g", cpus=0.5, pin=True, backend="docker")
    trial = Trial("train", "als", {}, shape, None, {})
    session = Session(None, configuration.load([f"run_dir={tmp_path}"], {}), Progress(), "")
    with session._lent(trial):
        spark = session.settings.spark
        assert (spark.workers, spark.cpus, spark.pin, session.settings.backend) == (2, 0.5, True, "docker")
    assert Lent.asked == [("docker", shape)]
