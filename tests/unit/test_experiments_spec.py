"""Specs: what they mean, and that every mistake in one is named with the nearest right word."""

import pytest

from cluster.shape import Shape
from core.errors import UsageError
from experiments.spec import experiment as spec
from experiments.spec import grid
from experiments.spec.trial import Data

DEFAULT = Shape(2, 1, "2g")


def read(**values):
    fixed = {"dataset": "movielens/1m", "model": "als"} | values.pop("fixed", {})
    return spec.read("made", {"question": "?", "fixed": fixed, **values})


def test_grid_is_multiplied_out_in_written_order():
    trials = read(grid={"workers": [1, 2], "rank": [8, 16]}).trials(DEFAULT)
    assert [(t.shape.workers, t.params["rank"]) for t in trials] == [(1, 8), (1, 16), (2, 8), (2, 16)]
    assert [t.label for t in trials][:2] == ["als rank=8 w1\u00d71c", "als rank=16 w1\u00d71c"]


def test_shape_comes_from_the_settings_where_no_key_says_it():
    (trial,) = read(fixed={"cores": 4}).trials(DEFAULT)
    assert trial.shape == Shape(2, 4, "2g")


def test_table_of_a_model_holds_for_that_model_alone():
    experiment = read(fixed={"als": {"iterations": 3}}, grid={"workers": [1, 2]})
    assert experiment.trials(DEFAULT)[0].params == {"model": "als", "iterations": 3}
    values = {"dataset": "movielens/1m", "als": {"iterations": 3}}
    grid = {"model": ["als", "bias"], "als": {"rank": [4, 8]}}
    trials = spec.read("made", {"question": "?", "fixed": values, "grid": grid}).trials(DEFAULT)
    assert [t.params for t in trials] == [
        {"model": "als", "iterations": 3, "rank": 4},
        {"model": "als", "iterations": 3, "rank": 8},
        {"model": "bias"},
    ]
    assert [t.label.split(" w")[0] for t in trials] == ["als rank=4", "als rank=8", "bias"]


def test_spark_settings_and_options_of_the_data_set_are_told_from_parameters():
    (trial,) = read(fixed={"spark": {"sql": {"ansi": {"enabled": True}}}, "k_core": 5}).trials(DEFAULT)
    assert trial.spark == {"spark.sql.ansi.enabled": "true"}
    assert trial.data == Data("movielens/1m", {}, {"k_core": 5})
    assert trial.params == {"model": "als"}
    assert trial.flat["spark.sql.ansi.enabled"] == "true"
    assert trial.flat["k_core"] == 5
    assert trial.data.slug.startswith("movielens-1m-")


def test_how_strictly_to_clean_belongs_to_the_data_set():
    def data(**fixed):
        return read(fixed=fixed).trials(DEFAULT)[0].data

    assert data(max_rating=4, min_rating="1").cleaning == {"min_rating": 1.0, "max_rating": 4.0}
    assert data(k_core=0, max_rejected_share=0.01) == data() == Data("movielens/1m")
    assert data().slug == "movielens-1m"
    assert len({data().slug, data(max_rating=4).slug, data(max_rejected_share=0.5).slug}) == 3


def test_exclude_leaves_combinations_out():
    experiment = read(grid={"workers": [1, 2], "rank": [8, 16]}, exclude=[{"workers": 2, "rank": 8}])
    assert len(experiment.trials(DEFAULT)) == 3
    with pytest.raises(UsageError, match=r"\bexclude\b"):
        read(exclude=[{"model": "als"}]).trials(DEFAULT)


def test_points_hold_values_that_go_together_within_each_combination_of_the_grid():
    points = [{"workers": 1, "dataset": {"rows": 100}}, {"workers": 2, "dataset": {"rows": 200}}]
    fixed = {"dataset": "synthetic/ml-1m", "dataset.items": 500}
    trials = read(fixed=fixed, grid={"rank": [8, 16]}, points=points).trials(DEFAULT)
    assert [(t.params["rank"], t.shape.workers, t.data.options["rows"]) for t in trials] == [
        (8, 1, 100), (8, 2, 200), (16, 1, 100), (16, 2, 200),
    ]  # fmt: skip
    assert trials[0].label == "als rank=8 rows=100 w1\u00d71c"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"points": [{"rnak": 8}]}, "'rnak'.*'rank'"),
        ({"points": [{"rank": 8, "workers": 1}, {"rank": 9}]}, r"point 2\b.*\bworkers\b"),
        ({"points": [{"rank": 8}], "grid": {"rank": [8]}}, r"\brank\b.*\bpoints\b.*\bfixed\b.*\bgrid\b"),
        ({"fixed": {"rnak": 8}}, "'rnak'.*'rank'"),
        ({"grid": {"worker": [1]}}, "'worker'.*'workers'"),
        ({"grid": {"rank": 8}}, r"grid\.rank\b.*\blist\b.*\b8\b"),
        ({"grid": {"rank": []}}, r"grid\.rank\b.*\blist\b.*\[\]"),
        ({"fixed": {"rank": 8}, "grid": {"rank": [8]}}, r"\brank\b.*\bfixed\b.*\bgrid\b"),
        ({"grid": 3}, r"\bgrid\b.*\btable\b"),
        ({"fixed": {"asl": {"rank": 3}}}, "table 'asl'.*'als'"),
        ({"repeat": 3}, "'repeat'.*'repeats'"),
        ({"repeats": 0}, r"repeats\b.*\b1 or more, got 0$"),
        ({"job": "trian"}, "job 'trian'.*'train'"),
        ({"name": "other"}, r"\bfile\b.*'name'"),
        ({"exclude": [{"rank": 8}]}, r"'rank'.*\bfixed\b.*\bgrid\b"),
        (
            {"comparisons": [{"baseline": {"rank": 8}, "contender": {"model": "als"}}]},
            r"'rank'.*\bfixed\b.*\bgrid\b",
        ),
        (
            {"comparisons": [{"baseline": {"phase": "fit"}, "contender": {"model": "als"}}]},
            r"\bbaseline\b.*'fit'.*\bcontender\b.*'als'",
        ),
        ({"comparisons": [{"baseline": {"model": "als"}}]}, "contender"),
    ],
)
def test_mistakes_are_named_when_the_spec_is_read(values, message):
    with pytest.raises(UsageError, match=message):
        read(**values)


@pytest.mark.parametrize(
    ("fixed", "message"),
    [
        ({"dataset": "movielens/2m"}, "variant '2m'.*movielens"),
        ({"dataset": "movielnes/1m"}, "source 'movielnes'.*'movielens'"),
        ({"dataset.rwos": 3}, "key 'rwos'.*movielens/1m"),
        ({"model": "asl"}, "model 'asl'.*'als'"),
        ({"model": "bias", "rank": 3}, r"model bias\b.*'rank'.*\bals\b"),
        ({"rank": "many"}, "rank .*'many'"),
        ({"workers": 0}, r"workers\b.*\b1 or more, got 0$"),
        ({"cores": 0}, r"cores\b.*\b1 or more, got 0$"),
        ({"workers": 1.5}, r"workers\b.*\b1 or more, got 1\.5$"),
        ({"memory": "lots"}, r"memory\b.*\b2g\b.*'lots'$"),
        ({"cpus": 0}, r"cpus\b.*\b0\.01 or more.*got 0;"),
        ({"cpus": "half"}, r"cpus\b.*\b0\.01 or more.*got 'half'$"),
        ({"pin": 1}, r"pin\b.*\btrue\b.*\bfalse\b.*\b1\b"),
        ({"dataset": "synthetic/ml-1m", "dataset.items": 3}, r"items\b.*\b100\b.*\b3\b"),
        ({"workers": 3, "cores": 3}, r"blocks = 8\b.*\b9 cores"),
    ],
)
def test_values_are_checked_before_anything_starts(fixed, message):
    with pytest.raises(UsageError, match=message):
        read(fixed=fixed).trials(DEFAULT)


def test_partitions_are_one_number_for_all_shapes():
    trials = read(grid={"workers": [1, 8]}).trials(Shape(1, 1, "1g"))
    assert {trial.partitions for trial in trials} == {16}
    with pytest.raises(UsageError, match="partitions = 4"):
        read(partitions=4, grid={"workers": [1, 8]}).trials(Shape(1, 1, "1g"))


def test_a_data_set_is_needed_to_train():
    with pytest.raises(UsageError, match=r"\btrain\b.*\bdataset = "):
        spec.read("made", {"question": "?", "fixed": {"model": "als"}}).trials(DEFAULT)


def test_options_of_a_data_set_need_one():
    with pytest.raises(UsageError, match=r"store, k_core, dataset\.rows\b.*\bdataset = "):
        grid.data_of({"store": "parquet", "k_core": 5, "dataset.rows": 9}, "experiment x")


def test_unknown_experiment_names_the_nearest():
    with pytest.raises(UsageError, match="'als_scaling'"):
        spec.load("als_scalling")


def test_file_that_is_not_toml(tmp_path):
    path = tmp_path / "broken.toml"
    path.write_text("question = ")
    with pytest.raises(UsageError, match=r"broken\.toml\b.*\bTOML\b"):
        spec.load(str(path))
    with pytest.raises(UsageError, match=r"absent\.toml\b"):
        spec.load(str(tmp_path / "absent.toml"))


def test_key_changes_with_all_that_may_change_the_numbers():
    def key(digest="d", code="c", lock="l", place="p", **fixed):
        (trial, *_) = read(fixed=fixed, repeats=fixed.pop("repeats", 3)).trials(DEFAULT)
        return trial.key(digest, code, lock, place)

    same = key()
    assert same == key()
    others = [
        key(digest="e"), key(code="e"), key(lock="e"), key(place="e"), key(rank=9), key(workers=1), key(memory="1g"), key(repeats=4),
        key(k_core=2), key(**{"spark.locality.wait": "0s"}),
    ]  # fmt: skip
    others += [key(cpus=0.5), key(cpus=0.25), key(pin=True)]
    assert len({same, *others}) == len(others) + 1


def test_a_shape_without_limits_names_none():
    (trial,) = read(fixed={"memory": "1g"}).trials(DEFAULT)
    assert "cpus" not in trial.flat
    assert "pin" not in trial.flat


def test_limits_belong_to_the_shape_its_label_and_its_parameters():
    trials = read(grid={"workers": [1, 2], "cpus": [0.333, 0.5]}, fixed={"pin": True}).trials(DEFAULT)
    assert [trial.label for trial in trials][:2] == [
        "als w1\u00d71c@0.333 pinned",
        "als w1\u00d71c@0.5 pinned",
    ]
    assert trials[1].shape == Shape(1, 1, "2g", 0.5, pin=True)
    assert (trials[1].flat["cpus"], trials[1].flat["pin"]) == (0.5, True)
    assert read().trials(Shape(2, 1, "2g", 0.5))[0].shape.cpus == 0.5


def test_key_does_not_depend_on_how_many_applications():
    keys = {read(applications=n).trials(DEFAULT)[0].key("d", "c", "l", "p") for n in (1, 5)}
    assert len(keys) == 1


def test_effort_can_be_overridden():
    experiment = read(applications=5).with_effort(1, 7)
    assert (experiment.applications, experiment.repeats) == (1, 7)
    with pytest.raises(UsageError, match=r"applications\b.*\b1\b"):
        read().with_effort(0, None)


@pytest.mark.parametrize(
    ("shape", "tag"),
    [
        (Shape(1, 1, "1g"), "clean"),
        (Shape(2, 1, "1g"), "shared-host"),
        (Shape(3, 1, "1g"), "oversubscribed"),
        (Shape(3, 1, "1g", 0.333), "clean"),
        (Shape(4, 1, "1g", 0.333), "shared-host"),  # the driver has less than a core to itself
        (Shape(6, 1, "1g", 0.3334), "shared-host"),
        (Shape(7, 1, "1g", 0.333), "oversubscribed"),
        (Shape(1, 1, "1g", 8.0), "clean"),  # one core's tasks cannot take more than a core
    ],
)
def test_shape_says_how_far_its_times_may_be_trusted(shape, tag):
    assert shape.tag(host_cores=2) == tag
