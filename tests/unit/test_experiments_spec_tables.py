"""Tables of specs: names in them, names of before there were any, and how values are named for people."""

import tomllib

import pytest

from core.errors import USAGE, UsageError
from experiments import __main__ as main
from experiments.cli import arguments
from experiments.spec import loading as spec
from experiments.spec import older
from experiments.spec.dotted_names import meanings
from experiments.spec.tables import for_model, of, plain, short, under
from jobs.models import MODELS

SHIPPED = 'question = "?"\n[data]\nname = "movielens/1m"\n[model]\nname = "als"\n'


def refused(text):
    with pytest.raises(UsageError) as error:
        spec.read("made", tomllib.loads(text))
    assert error.value.exit_status == USAGE
    return str(error.value)


def test_values_of_a_table_are_read_and_written_by_their_names_in_it():
    values = {"model.name": "als", "model.rank": 8, "job.k": 5}
    assert of(values, "model") == {"name": "als", "rank": 8}
    assert under("job", {"k": 5}) == {"job.k": 5}


def test_values_for_one_model_alone_are_its_own_and_go_before_general_ones():
    row = {"model.name": "knn", "model.blocks": 8, "model.knn.blocks": 2, "model.als.rank": 3, "job.knn.k": 4}
    assert for_model(row) == {"model.name": "knn", "model.blocks": 2, "job.k": 4}
    assert [plain(key) for key in row] == [
        "model.name",
        "model.blocks",
        "model.blocks",
        "model.rank",
        "job.k",
    ]
    assert for_model({"job.rows": 5, "model.als.rank": 3}) == {"job.rows": 5}


@pytest.mark.parametrize(
    ("key", "among", "shown"),
    [
        ("model.rank", ["model.rank", "job.k"], "rank"),
        ("model.sample", ["model.sample", "clean.sample"], "model.sample"),
        ("model.name", ["data.name"], "model"),
        ("data.name", [], "data"),
        ("model.knn.blocks", [], "knn.blocks"),
        ("spark.locality.wait", [], "spark.locality.wait"),
        ("phase", [], "phase"),
    ],
)
def test_people_read_the_last_part_of_a_name_where_it_means_one_value(key, among, shown):
    assert short(key, among) == shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rank = 32", "rank is now model.rank: write rank = 32 in the table [model]"),
        ('dataset = "movielens/1m"', 'dataset is now data.name: write name = "movielens/1m" in the table [data]'),
        ("workers = 2", "workers is now shape.workers: write workers = 2 in the table [shape]"),
        ("[grid]\nworkers = [1, 2]", "workers is now shape.workers: write shape.workers = [1, 2]"),
        ('[grid]\nmodel = ["als"]', 'model is now model.name: write model.name = ["als"]'),
        ("[grid]\nals.rank = [8]", "the table [als] is now [model.als]"),
        ('[grid]\n"dataset.rows" = [9]', "dataset.rows is now data.rows: write data.rows = [9]"),
        ("[[points]]\nsample = 0.5", "sample is now clean.sample: write clean.sample = 0.5"),
        ("exclude = [{ model = 'als' }]", 'model is now model.name: write model.name = "als"'),
        ("held_out = [{ k_core = 5 }]", "k_core is now clean.k_core: write clean.k_core = 5"),
        ("labelled = ['reg']", "reg is now model.reg"),
        ('[spark]\n"spark.locality.wait" = "0s"', "no spark. before them; write locality.wait"),
        ("[[means]]\nmetric = 'rmse'\nover = ['fold']\n[job]\nfold = 'u1'", "did you mean 'job.fold'?"),
        ("[search]\nmetric = 'rmse'\nspace = { reg = [1] }", "reg is now model.reg: write model.reg = [1]"),
        (
            "[[comparisons]]\nbaseline = { store = 'parquet' }\ncontender = { phase = 'fit' }",
            'store is now data.store: write data.store = "parquet"',
        ),
        ("seed = 3", "seed is now model.seed or data.seed: write for example seed = 3 in the table [model]"),
        ("[fixed]\nworkers = 1\n[fixed.knn]\nblocks = 2\nselect = { shrink = [1] }",
         "workers is now shape.workers; [fixed.knn] is now [job.knn] and [model.knn]"),
    ],
)  # fmt: skip
def test_a_name_of_before_tables_is_refused_with_todays(text, said):
    values = tomllib.loads(text)
    base = tomllib.loads(SHIPPED)
    with pytest.raises(UsageError) as error:
        spec.read("made", {**base, **values})
    assert str(error.value).endswith(said)
    assert error.value.exit_status == USAGE


def test_names_of_the_specs_own_job_are_told_first():
    said = refused('question = "?"\njob.name = "topn"\n[grid]\nrank = [8]')
    assert said.endswith("rank is now job.rank: write job.rank = [8]")


def test_a_job_of_before_tables_is_refused_with_todays_form():
    assert 'job is now job.name: write name = "topn" in the table [job]' in refused(
        'question = "?"\njob = "topn"'
    )
    said = refused('question = "?"\njob = "topn"\n[fixed]\nrank = 8\nusers = 5')
    assert said.endswith(
        'job = "topn" is now name = "topn" in [job]; rank is now job.rank; users is now job.users'
    )


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("rank=32", 'rank is now model.rank: write SET="model.rank=32"'),
        ("top_n=0", 'top_n is now job.top_n: write SET="job.top_n=0"'),
        ("dataset.rows=9", 'dataset.rows is now data.rows: write SET="data.rows=9"'),
        ('select={"reg": [0.1]}', """select is now job.select: write SET='job.select={"reg": [0.1]}'"""),
        ("users=9", 'users is now job.users: write SET="job.users=9"'),
    ],
)
def test_set_says_the_new_form(pair, said, capsys, tmp_path):
    with pytest.raises(UsageError) as error:
        arguments.read_sets([pair])
    assert str(error.value) == f"--set: {said}"
    words = ["train", "--model", "als", "--dataset", "movielens/1m", "--set", pair]
    assert main.main([*words, "--cluster-set", f"run_dir={tmp_path}"]) == USAGE
    assert said in capsys.readouterr().err


def test_a_name_in_several_tables_is_named_in_all_of_them(monkeypatch):
    monkeypatch.setitem(MODELS.modules, "toy", "tests.toy_model")
    assert meanings("sample", "train") == ["clean.sample", "model.sample"]
    with pytest.raises(
        UsageError, match=r'is now job\.split or model\.split: write for example SET="job\.split=x"'
    ):
        arguments.read_sets(["split=x"])


def test_a_name_in_no_table_names_the_nearest():
    assert refused(f"rnak = 3\n{SHIPPED}").endswith("unknown key 'rnak': did you mean 'model.rank'?")
    assert "did you mean 'shape.workers'?" in refused(f"{SHIPPED}[grid]\nworker = [1]")
    assert "did you mean 'shape'?" in refused(f"{SHIPPED}[grid]\nshpe.workers = [1]")


OLD = """
question = "?"
exclude = [{ model = "als", workers = 2 }]
held_out = [{ "dataset.rows" = 9 }]
labelled = ["k_core"]
[fixed]
dataset.name = "unused"
store = "parquet"
k_core = 5
top_n = 0
spark.locality.wait = "0s"
select = { rank = [8] }
[fixed.knn]
blocks = 2
[grid]
"dataset.rows" = [1, 9]
model = ["als", "knn"]
[grid.als]
rank = [4, 8]
[[points]]
workers = 1
[[comparisons]]
baseline = { phase = "fit", store = "parquet" }
contender = { phase = "score" }
[[means]]
metric = "rmse"
over = ["fold", "seed"]
[search]
metric = "rmse"
[search.space]
reg = { low = 1, high = 2 }
"""


def test_a_spec_of_before_tables_is_translated_whole():
    old = tomllib.loads(OLD)
    assert older.is_old(old)
    new = older.translated(old)
    assert not older.is_old(new)
    assert new == {
        "question": "?",
        "exclude": [{"model.name": "als", "shape.workers": 2}],
        "held_out": [{"data.rows": 9}],
        "labelled": ["clean.k_core"],
        "job.name": "train",
        "data.name": "unused",
        "data.store": "parquet",
        "clean.k_core": 5,
        "job.top_n": 0,
        "spark.locality.wait": "0s",
        "job.select": {"rank": [8]},
        "model.knn.blocks": 2,
        "grid": {"data.rows": [1, 9], "model.name": ["als", "knn"], "model.als.rank": [4, 8]},
        "points": [{"shape.workers": 1}],
        "comparisons": [
            {"baseline": {"phase": "fit", "data.store": "parquet"}, "contender": {"phase": "score"}}
        ],
        "means": [{"metric": "rmse", "over": ["job.fold", "model.seed"]}],
        "search": {"metric": "rmse", "space": {"model.reg": {"low": 1, "high": 2}}},
    }


@pytest.mark.parametrize("name", spec.names())
def test_no_shipped_spec_is_taken_for_an_older_one(name):
    assert not older.is_old(tomllib.loads((spec.SPECS / f"{name}.toml").read_text()))


def test_values_of_an_older_trial_get_todays_names_by_its_job():
    flat = {"rank": 8, "k": 5, "workers": 2, "spark.x": "1", "seed": 3}
    assert older.values_of(flat) == {
        "model.rank": 8, "job.k": 5, "shape.workers": 2, "spark.x": "1", "model.seed": 3,
    }  # fmt: skip
    assert older.values_of(flat, "topn") == {
        "job.rank": 8, "job.k": 5, "shape.workers": 2, "spark.x": "1", "job.seed": 3,
    }  # fmt: skip


def test_names_beside_the_tables_are_answered_with_a_name_that_there_is():
    for key, hint in (("nmae", "known"), ("datset", "data.name"), ("rnk", "model.rank")):
        with pytest.raises(UsageError) as refused:
            spec.read("x", {"question": "?", key: 1})
        assert hint in str(refused.value)
        assert "did you mean ?" not in str(refused.value)


def test_a_table_that_is_no_table_is_answered_with_a_value_of_it():
    with pytest.raises(UsageError, match=r"in the table \[data\]"):
        spec.read("x", {"question": "?", "data": "movielens/1m"})


def test_an_older_spec_whose_values_are_all_in_points_is_known_as_one():
    assert older.is_old({"question": "?", "points": [{"workers": 1, "dataset.rows": 10}]})
    assert not older.is_old({"question": "?", "points": [{"shape.workers": 1, "data.rows": 10}]})


def test_an_older_table_that_is_a_number_is_refused_as_the_others_are():
    with pytest.raises(UsageError, match="fixed"):
        spec.read("x", {"question": "?", "fixed": {"knn": 3}})


@pytest.mark.parametrize("command", ["preprocess", "eda", "train"])
def test_what_an_option_gives_is_refused_in_a_set(command, capsys):
    given = ["--dataset", "movielens/1m", "--set", "data.name=movielens/100k"]
    model = ["--model", "als"] if command == "train" else []
    assert main.main([command, *given, *model]) == 2
    assert "--dataset" in capsys.readouterr().err
