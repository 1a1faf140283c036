"""Which trial each side of a comparison is, and what cannot be compared."""

import pytest

from cluster.shape import Shape
from core.errors import UsageError
from experiments.cli import arguments
from experiments.spec import loading as spec
from experiments.studies.compare.sides import SOURCE, sides_of

DEFAULT = Shape(1, 1, "1g")
SPEC = {
    "question": "Which?",
    "data": {"name": "synthetic/ml-latest-small"},
    "model": {"als": {"rank": 8, "blocks": 4}},
    "grid": {"model": {"name": ["als", "bias"]}, "shape": {"workers": [1, 2]}},
}


def sides(baseline=(), contender=(), sets=("model.name=als", "shape.workers=1"), content=SPEC):
    given = (arguments.read_sets(pairs, beside=SOURCE) for pairs in (sets, baseline, contender))
    return sides_of(spec.read("made", content), *given, DEFAULT)


def test_a_side_is_the_specs_trial_with_its_own_values():
    first, second = sides([], ["model.rank=16", "spark.sql.adaptive.enabled=true"])
    assert (first.trial.model["rank"], second.trial.model["rank"]) == (8, 16)  # over the model's own table
    assert second.trial.spark == {"spark.sql.adaptive.enabled": "true"}
    assert (first.words, second.words) == ("as in the spec", "model.rank=16 spark.sql.adaptive.enabled=true")
    assert first.trial.partitions == second.trial.partitions


def test_both_sides_may_be_equal():
    first, second = sides()
    assert first.trial == second.trial


def test_keys_that_one_side_fixes_leave_the_grid():
    first, second = sides(["model.name=als"], ["model.name=bias"], sets=["shape.workers=1"])
    assert (first.trial.model_name, second.trial.model_name) == ("als", "bias")


def test_shapes_get_the_same_partitions():
    first, second = sides(
        ["shape.workers=1"], ["shape.workers=8", "model.blocks=8"], sets=["model.name=als", "shape.cores=1"]
    )
    assert (first.trial.shape.workers, second.trial.shape.workers) == (1, 8)
    assert first.trial.partitions == second.trial.partitions == 16


def test_revision_and_package_are_no_parameters():
    first, second = sides(["rev=main", "package=pyarrow==25.0.1"], ["rev=."])
    assert (first.rev, first.package) == ("main", "pyarrow==25.0.1")
    assert (second.rev, second.package) == (None, None)
    assert sides([], ["rev=worktree"])[1].rev is None
    assert first.trial == second.trial


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sets": []}, r"\b4 trials\b.*\bmodel\.name and shape\.workers\b.*--set model\.name=als"),
        ({"sets": ["model.name=als"]}, r"\b2 trials\b.*\bfix shape\.workers\b.*--set shape\.workers=1"),
        ({"contender": ["model.rnak=3"]}, "'model.rnak'.*'model.rank'"),
        ({"contender": ["revv=3"]}, "'revv'.*'rev'"),
        ({"contender": ["model.neighbours=3"]}, r"model als\b.*'neighbours'"),
        ({"contender": ["model.rank=many"]}, r"\brank\b.*model als\b.*'many'"),
        ({"contender": ["model.rank"]}, "key=value.*'model.rank'"),
        ({"contender": ["rank=3"]}, r"\brank is now model\.rank\b"),
        (
            {"sets": ["rev=main", "model.name=als", "shape.workers=1"]},
            r"\brev\b.*--baseline rev=.*--contender rev=",
        ),
        ({"contender": ["job.split_seed=2"]}, r"\bjob\.split_seed\b.*test rows\b.*\bjob\.split_seed=2\b"),
        ({"baseline": ["job.test=0.2"]}, r"^job\.test\b.*\bjob\.test=0\.2\b"),
        ({"contender": ["data.name=movielens/9m"]}, "variant '9m'.*movielens"),
    ],
)
def test_what_is_refused(changes, says):
    with pytest.raises(UsageError, match=says):
        sides(**changes)


def test_other_rows_on_both_sides_alike_are_fine():
    first, second = sides(sets=["model.name=als", "shape.workers=1", "job.split_seed=2"])
    assert first.trial.params["split_seed"] == second.trial.params["split_seed"] == 2
