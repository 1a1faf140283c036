"""Names of plug-ins that would mean two things in a table of a spec."""

import dataclasses

import pytest

from core.errors import UsageError
from datasets.sources import SOURCES
from experiments.spec.dotted_names import check_names, known, meanings, option_names, takes_model
from experiments.spec.tables import JOB, MODEL, RESERVED, TABLES
from jobs.apps import JOBS
from jobs.models import MODELS
from jobs.params import hyper_parameters


@pytest.mark.parametrize("source", SOURCES)
def test_no_option_of_a_source_has_a_name_that_the_table_has_itself(source):
    assert not {*option_names(source)} & {*RESERVED["data"]}


@pytest.mark.parametrize("model", MODELS)
def test_no_field_of_a_model_has_the_name_of_a_model_or_of_the_table(model):
    assert dataclasses.is_dataclass(MODELS[model])
    assert not hyper_parameters(MODELS[model]) & {*RESERVED["model"], *MODELS}


@pytest.mark.parametrize("job", JOBS)
def test_no_parameter_of_a_job_has_the_name_of_a_model_or_of_the_table(job):
    assert not JOBS[job].parameters() & {*RESERVED["job"], *MODELS}
    assert not {name.partition(".")[0] for table in TABLES for name in known(job, table)} - {*TABLES}
    assert (MODEL in known(job, "model")) == takes_model(job)
    assert JOB not in known(job, "job")


@pytest.mark.parametrize("name", ["name", *TABLES])
def test_a_table_is_no_value_but_for_those_that_were_values_once(name):
    assert meanings(name) == {"model": [MODEL], "job": [JOB]}.get(name, [])


@pytest.mark.parametrize("name", ["name", "als", "knn"])
def test_a_plug_in_whose_names_mean_two_things_is_refused_at_first_use(monkeypatch, name):
    made = dataclasses.make_dataclass("Made", [(name, int, 1)], frozen=True)
    monkeypatch.setattr("experiments.spec.dotted_names.MODELS", {**MODELS, "made": made})
    with pytest.raises(UsageError, match=f"the model made .*{name}"):
        check_names.__wrapped__()
