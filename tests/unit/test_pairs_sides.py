"""Which trial each side of a comparison is, and what cannot be compared."""

import pytest

from cluster.shape import Shape
from core.errors import UsageError
from experiments.cli import arguments
from experiments.spec import experiment as spec
from experiments.studies.compare.sides import sides_of

DEFAULT = Shape(1, 1, "1g")
SPEC = {
    "question": "Which?",
    "fixed": {"dataset": "synthetic/ml-latest-small", "als": {"rank": 8, "blocks": 4}},
    "grid": {"model": ["als", "bias"], "workers": [1, 2]},
}


def sides(baseline=(), contender=(), sets=("model=als", "workers=1"), content=SPEC):
    given = (arguments.read_sets(pairs) for pairs in (sets, baseline, contender))
    return sides_of(spec.read("made", content), *given, DEFAULT)


def test_a_side_is_the_specs_trial_with_its_own_values():
    first, second = sides([], ["rank=16", "spark.sql.adaptive.enabled=true"])
    assert (first.trial.params["rank"], second.trial.params["rank"]) == (8, 16)  # over the model's own table
    assert second.trial.spark == {"spark.sql.adaptive.enabled": "true"}
    assert (first.words, second.words) == ("as in the spec", "rank=16 spark.sql.adaptive.enabled=true")
    assert first.trial.partitions == second.trial.partitions


def test_both_sides_may_be_equal():
    first, second = sides()
    assert first.trial == second.trial


def test_keys_that_one_side_fixes_leave_the_grid():
    first, second = sides(["model=als"], ["model=bias"], sets=["workers=1"])
    assert (first.trial.params["model"], second.trial.params["model"]) == ("als", "bias")


def test_shapes_get_the_same_partitions():
    first, second = sides(["workers=1"], ["workers=8", "blocks=8"], sets=["model=als", "cores=1"])
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
        ({"sets": []}, r"\b4 trials\b.*\bmodel and workers\b.*--set model=als"),
        ({"sets": ["model=als"]}, r"\b2 trials\b.*\bfix workers\b.*--set workers=1"),
        ({"contender": ["rnak=3"]}, "'rnak'.*'rank'"),
        ({"contender": ["revv=3"]}, "'revv'.*'rev'"),
        ({"contender": ["neighbours=3"]}, r"model als\b.*'neighbours'"),
        ({"contender": ["rank=many"]}, r"\brank\b.*model als\b.*'many'"),
        ({"contender": ["rank"]}, "key=value.*'rank'"),
        ({"sets": ["rev=main", "model=als", "workers=1"]}, r"\brev\b.*--baseline rev=.*--contender rev="),
        ({"contender": ["split_seed=2"]}, r"\bsplit_seed\b.*test rows\b.*\bsplit_seed=2\b"),
        ({"baseline": ["test=0.2"]}, r"^test\b.*\btest=0\.2\b"),
        ({"contender": ["dataset=movielens/9m"]}, "variant '9m'.*movielens"),
    ],
)
def test_what_is_refused(changes, says):
    with pytest.raises(UsageError, match=says):
        sides(**changes)


def test_other_rows_on_both_sides_alike_are_fine():
    first, second = sides(sets=["model=als", "workers=1", "split_seed=2"])
    assert first.trial.params["split_seed"] == second.trial.params["split_seed"] == 2
