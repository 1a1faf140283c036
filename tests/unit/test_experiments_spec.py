"""Specs: what they mean, and that every mistake in one is named with the nearest right word."""

import tomllib

import pytest

from cluster.shape import Shape
from core.errors import UsageError
from experiments.spec import grid
from experiments.spec import loading as spec
from experiments.spec.trial import Data

DEFAULT = Shape(2, 1, "2g")


def read(**values):
    """Read a spec of ALS on MovieLens 1M; `fixed` are dotted names of what all trials share."""
    fixed = {"data.name": "movielens/1m", "model.name": "als"} | values.pop("fixed", {})
    return spec.read("made", {"question": "?", **fixed, **values})


def test_grid_is_multiplied_out_in_written_order():
    trials = read(grid={"shape.workers": [1, 2], "model.rank": [8, 16]}).trials(DEFAULT)
    assert [(t.shape.workers, t.model["rank"]) for t in trials] == [(1, 8), (1, 16), (2, 8), (2, 16)]
    assert [t.label for t in trials][:2] == ["als rank=8 w1\u00d71c", "als rank=16 w1\u00d71c"]


def test_shape_comes_from_the_settings_where_no_key_says_it():
    (trial,) = read(fixed={"shape.cores": 4}).trials(DEFAULT)
    assert trial.shape == Shape(2, 4, "2g")


def test_table_of_a_model_holds_for_that_model_alone():
    experiment = read(fixed={"model.als": {"iterations": 3}}, grid={"shape.workers": [1, 2]})
    assert experiment.trials(DEFAULT)[0].model == {"name": "als", "iterations": 3}
    text = """
        question = "?"
        data.name = "movielens/1m"
        [job.als]
        select = { reg = [0.1, 0.2] }
        [model.als]
        iterations = 3
        [grid]
        model.name = ["als", "bias"]
        model.als.rank = [4, 8]
    """
    trials = spec.read("made", tomllib.loads(text)).trials(DEFAULT)
    assert [(t.model, t.params) for t in trials] == [
        ({"name": "als", "iterations": 3, "rank": 4}, {"select": {"reg": [0.1, 0.2]}}),
        ({"name": "als", "iterations": 3, "rank": 8}, {"select": {"reg": [0.1, 0.2]}}),
        ({"name": "bias"}, {}),
    ]
    assert [t.label.split(" w")[0] for t in trials] == ["als rank=4", "als rank=8", "bias"]


def test_spark_settings_and_options_of_the_data_set_are_told_from_parameters():
    (trial,) = read(fixed={"spark": {"sql": {"ansi": {"enabled": True}}}, "clean": {"k_core": 5}}).trials(
        DEFAULT
    )
    assert trial.spark == {"spark.sql.ansi.enabled": "true"}
    assert trial.data == Data("movielens/1m", {}, {"k_core": 5})
    assert (trial.params, trial.model) == ({}, {"name": "als"})
    assert trial.flat["spark.sql.ansi.enabled"] == "true"
    assert trial.flat["clean.k_core"] == 5
    assert trial.data.slug.startswith("movielens-1m-")


def test_how_strictly_to_clean_belongs_to_the_data_set():
    def data(**clean):
        return read(clean=clean).trials(DEFAULT)[0].data

    assert data(max_rating=4, min_rating="1").cleaning == {"min_rating": 1.0, "max_rating": 4.0}
    assert data(k_core=0, max_rejected_share=0.01) == data() == Data("movielens/1m")
    assert data().slug == "movielens-1m"
    assert len({data().slug, data(max_rating=4).slug, data(max_rejected_share=0.5).slug}) == 3


def test_exclude_leaves_combinations_out():
    experiment = read(
        grid={"shape.workers": [1, 2], "model.rank": [8, 16]},
        exclude=[{"shape": {"workers": 2}, "model": {"rank": 8}}],
    )
    assert len(experiment.trials(DEFAULT)) == 3
    with pytest.raises(UsageError, match=r"\bexclude\b"):
        read(exclude=[{"model.name": "als"}]).trials(DEFAULT)


def test_points_hold_values_that_go_together_within_each_combination_of_the_grid():
    points = [{"shape": {"workers": 1}, "data.rows": 100}, {"shape.workers": 2, "data": {"rows": 200}}]
    fixed = {"data.name": "synthetic/ml-1m", "data.items": 500}
    trials = read(fixed=fixed, grid={"model.rank": [8, 16]}, points=points).trials(DEFAULT)
    assert [(t.model["rank"], t.shape.workers, t.data.options["rows"]) for t in trials] == [
        (8, 1, 100), (8, 2, 200), (16, 1, 100), (16, 2, 200),
    ]  # fmt: skip
    assert trials[0].label == "als rank=8 rows=100 w1\u00d71c"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"points": [{"model.rnak": 8}]}, "'model.rnak'.*'model.rank'"),
        (
            {"points": [{"model.rank": 8, "shape.workers": 1}, {"model.rank": 9}]},
            r"point 2\b.*\bshape\.workers\b",
        ),
        (
            {"points": [{"model.rank": 8}], "grid": {"model.rank": [8]}},
            r"\bmodel\.rank\b.*\bpoints\b.*\bgrid\b.*\[model\]",
        ),
        ({"fixed": {"model.rnak": 8}}, "'model.rnak'.*'model.rank'"),
        ({"fixed": {"rnak": 8}}, "'rnak'.*'model.rank'"),
        ({"fixed": {"model.top_n": 8}}, "'model.top_n'.*'job.top_n'"),
        ({"fixed": {"shape.rank": 8}}, "'shape.rank'.*'model.rank'"),
        ({"fixed": {"model.knn.rank": 8}}, "'model.knn.rank'.*'model.rank'"),
        ({"fixed": {"job.knn.toppn": 8}}, "'job.knn.toppn'.*'job.knn.top_n'"),
        ({"fixed": {"model.knn": 8}}, r"model\.knn\b.*\btable\b.*\b8\b.*model\.name = \"knn\""),
        ({"fixed": {"model": {"rank": 8}, "model.rank": 9}}, r"model\.rank\b.*\btwice\b"),
        ({"grid": {"shape.worker": [1]}}, "'shape.worker'.*'shape.workers'"),
        ({"grid": {"job.name": ["train", "topn"]}}, r"job\.name\b.*\[job\]"),
        ({"grid": {"model.rank": 8}}, r"grid\.model\.rank\b.*\blist\b.*\b8\b.*\[model\]"),
        ({"grid": {"model.rank": []}}, r"grid\.model\.rank\b.*\blist\b.*\[\]"),
        ({"fixed": {"model.rank": 8}, "grid": {"model.rank": [8]}}, r"\bmodel\.rank\b.*\bgrid\b.*\[model\]"),
        ({"grid": 3}, r"\bgrid\b.*\btable\b"),
        ({"shape": 3}, r"\bshape\b.*\btable\b.*\b3\b"),
        ({"fixed": {"model.asl": {"rank": 3}}}, r"\[model\.asl\].*\[model\.als\]"),
        ({"repeat": 3}, "'repeat'.*'repeats'"),
        ({"exclude": ["als"]}, r"\bexclude\b.*\btable\b.*'als'"),
        ({"comparisons": [{"baseline": "als", "contender": "knn"}]}, r"\bcomparisons\b.*\btable\b.*'als'"),
        ({"repeats": 0}, r"repeats\b.*\b1 or more, got 0$"),
        ({"job.name": "trian"}, "job 'trian'.*'train'"),
        ({"job.name": "topn"}, r"\btopn\b.*\bno model\b.*\bmodel\.name\b"),
        ({"name": "other"}, r"\bfile\b.*'name'"),
        ({"exclude": [{"model.rank": 8}]}, r"'model\.rank'.*\btables\b.*\bgrid\b"),
        (
            {"grid": {"model.als.rank": [1]}, "exclude": [{"model.als.rank": 1}]},
            "'model.als.rank'.*'model.rank'",
        ),
        ({"labelled": ["model.rnak"]}, "'model.rnak'.*'model.rank'"),
        (
            {"comparisons": [{"baseline": {"model.rank": 8}, "contender": {"model.name": "als"}}]},
            r"'model\.rank'.*\btables\b.*\bgrid\b",
        ),
        (
            {"comparisons": [{"baseline": {"phase": "fit"}, "contender": {"model.name": "als"}}]},
            r"\bbaseline\b.*'fit'.*\bcontender\b.*'als'",
        ),
        ({"comparisons": [{"baseline": {"model.name": "als"}}]}, "contender"),
    ],
)
def test_mistakes_are_named_when_the_spec_is_read(values, message):
    with pytest.raises(UsageError, match=message):
        read(**values)


@pytest.mark.parametrize(
    ("fixed", "message"),
    [
        ({"data.name": "movielens/2m"}, "variant '2m'.*movielens"),
        ({"data.name": "movielnes/1m"}, "source 'movielnes'.*'movielens'"),
        ({"data.rwos": 3}, "key 'data.rwos'.*movielens/1m"),
        ({"data.name": "synthetic/ml-1m", "data.rwos": 3}, "key 'data.rwos'.*'data.rows'"),
        ({"data.store": "parket"}, "store 'parket'.*'parquet'"),
        ({"model.name": "asl"}, "model 'asl'.*'als'"),
        ({"model.name": "bias", "model.rank": 3}, r"model bias\b.*'rank'.*\bals\b"),
        ({"model.rank": "many"}, "rank .*'many'"),
        ({"shape.workers": 0}, r"workers\b.*\b1 or more, got 0$"),
        ({"shape.cores": 0}, r"cores\b.*\b1 or more, got 0$"),
        ({"shape.workers": 1.5}, r"workers\b.*\b1 or more, got 1\.5$"),
        ({"shape.memory": "lots"}, r"memory\b.*\b2g\b.*'lots'$"),
        ({"shape.cpus": 0}, r"cpus\b.*\b0\.01 or more.*got 0;"),
        ({"shape.cpus": "half"}, r"cpus\b.*\b0\.01 or more.*got 'half'$"),
        ({"shape.pin": 1}, r"pin\b.*\btrue\b.*\bfalse\b.*\b1\b"),
        ({"data.name": "synthetic/ml-1m", "data.items": 3}, r"items\b.*\b100\b.*\b3\b"),
        ({"shape.workers": 3, "shape.cores": 3}, r"blocks = 8\b.*\b9 cores"),
    ],
)
def test_values_are_checked_before_anything_starts(fixed, message):
    with pytest.raises(UsageError, match=message):
        read(fixed=fixed).trials(DEFAULT)


def test_partitions_are_one_number_for_all_shapes():
    trials = read(grid={"shape.workers": [1, 8]}).trials(Shape(1, 1, "1g"))
    assert {trial.partitions for trial in trials} == {16}
    with pytest.raises(UsageError, match="partitions = 4"):
        read(partitions=4, grid={"shape.workers": [1, 8]}).trials(Shape(1, 1, "1g"))


def test_a_data_set_is_needed_to_train():
    with pytest.raises(UsageError, match=r"\btrain\b.*\bname = .*\[data\]"):
        spec.read("made", {"question": "?", "model": {"name": "als"}}).trials(DEFAULT)


def test_options_of_a_data_set_need_one():
    with pytest.raises(UsageError, match=r"data\.store, clean\.k_core, data\.rows\b.*\bdata\.name = "):
        grid.data_of({"data.store": "parquet", "clean.k_core": 5, "data.rows": 9}, "experiment x")


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
        key(digest="e"), key(code="e"), key(lock="e"), key(place="e"), key(repeats=4)
    ]  # fmt: skip
    changes = [
        ("model.rank", 9), ("job.k", 9), ("shape.workers", 1), ("shape.memory", "1g"), ("clean.k_core", 2),
        ("spark.locality.wait", "0s"), ("shape.cpus", 0.5), ("shape.cpus", 0.25), ("shape.pin", True),
    ]  # fmt: skip
    others += [key(**{name: value}) for name, value in changes]
    assert len({same, *others}) == len(others) + 1


def test_a_shape_without_limits_names_none():
    (trial,) = read(fixed={"shape.memory": "1g"}).trials(DEFAULT)
    assert "shape.cpus" not in trial.flat
    assert "shape.pin" not in trial.flat


def test_limits_belong_to_the_shape_its_label_and_its_parameters():
    trials = read(
        grid={"shape.workers": [1, 2], "shape.cpus": [0.333, 0.5]}, fixed={"shape.pin": True}
    ).trials(DEFAULT)
    assert [trial.label for trial in trials][:2] == [
        "als w1\u00d71c@0.333 pinned",
        "als w1\u00d71c@0.5 pinned",
    ]
    assert trials[1].shape == Shape(1, 1, "2g", 0.5, pin=True)
    assert (trials[1].flat["shape.cpus"], trials[1].flat["shape.pin"]) == (0.5, True)
    assert read().trials(Shape(2, 1, "2g", 0.5))[0].shape.cpus == 0.5


def test_key_does_not_depend_on_how_many_applications():
    keys = {read(applications=n).trials(DEFAULT)[0].key("d", "c", "l", "p") for n in (1, 5)}
    assert len(keys) == 1


def test_effort_can_be_overridden():
    experiment = spec.with_effort(read(applications=5), 1, 7)
    assert (experiment.applications, experiment.repeats) == (1, 7)
    with pytest.raises(UsageError, match=r"applications\b.*\b1\b"):
        spec.with_effort(read(), 0, None)


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
