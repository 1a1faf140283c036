"""Combinations of a spec's grid, and the trial of each: its shape, data set, Spark settings, job and model."""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cluster.settings import BACKENDS
from cluster.shape import LEAST_CPUS, Shape
from core.errors import UsageError
from core.options import nearest, parse
from datasets.dataset import find
from datasets.sources import SOURCES
from experiments.spec.dotted_names import option_names, takes_model
from experiments.spec.tables import DATA, MODEL, RESERVED, SHAPE, STORE, for_model, of, short, under
from experiments.spec.trial import Data, Trial
from jobs import params as train_params
from jobs.apps.preprocess import PreprocessParams
from jobs.modelling.model import Model
from jobs.stores import STORES


def product(
    fixed: Mapping[str, Any], grid: Mapping[str, Any], points: Sequence[Mapping[str, Any]] = ()
) -> Iterator[dict[str, Any]]:
    """Yield every combination, the last written key turning fastest; keys of another model are left out.

    Points are values that go together: each combination of the grid comes with each of them.
    """
    for *values, point in itertools.product(*grid.values(), points or ({},)):
        yield for_model({**fixed, **dict(zip(grid, values, strict=True)), **point})


def matches(values: Mapping[str, Any], selection: Mapping[str, Any]) -> bool:
    """Whether the values hold all that a selection asks for."""
    return all(key in values and values[key] == wanted for key, wanted in selection.items())


def trial_of(row: Mapping[str, Any], varying: list[str], job: str, default: Shape, what: str) -> Trial:
    """Make the trial of one combination, its repetitions still to be set.

    Args:
        row: values by their dotted names.
        varying: keys whose values differ within the experiment: they make the label.
        job: key in `jobs.apps.JOBS`.
        default: fills in what no key says of the shape.
        what: names the experiment in errors.

    Raises:
        UsageError: an unknown data set or option, or a shape that no cluster can have.
    """
    given = {**vars(default), **of(row, "shape")}
    shape = Shape(
        workers=_whole(given["workers"], "workers", what),
        cores=_whole(given["cores"], "cores", what),
        memory=str(given["memory"]),
        cpus=_share(given["cpus"], what),
        pin=_truth(given["pin"], what),
        backend=_backend(given["backend"], what),
    )
    data = data_of(row, what)
    if data is None and takes_model(job):
        raise UsageError(
            f'{what}: the job {job} needs a data set; add name = "source/variant" to the table [data]'
        )
    params, model = of(row, "job"), of(row, "model")
    if takes_model(job):
        _model(job, params, model)
    return Trial(
        job=job,
        label=_label(row, varying, job, shape),
        params=params,
        shape=shape,
        data=data,
        spark={key: _text(value) for key, value in row.items() if key.startswith("spark.")},
        model=model,
    )


def blocks(trial: Trial) -> int | None:
    """Into how many blocks a trial's model cuts users and items; None if it cuts nothing."""
    if not takes_model(trial.job):
        return None
    return getattr(_model(trial.job, trial.params, trial.model), "blocks", None)


def _model(job: str, params: Mapping[str, Any], model: Mapping[str, Any]) -> Model:
    """Return a job's model; the parameters of `train` are checked, those of other jobs when they run."""
    return train_params.read(params, model)[1] if job == "train" else train_params.model_of(model)


def data_of(row: Mapping[str, Any], what: str) -> Data | None:
    """Return the data set that a combination names, how it is read and how it is cleaned; None if it names none.

    Raises:
        UsageError: an unknown data set, an unknown option, or options without a data set.
    """
    if DATA not in row:
        stray = [key for key in row if key.startswith(("data.", "clean."))]
        if stray:
            raise UsageError(
                f"{what}: {', '.join(stray)} must come with a data set, got none: "
                f'add {DATA} = "source/variant", or leave them out'
            )
        return None
    name, store = str(row[DATA]), str(row.get(STORE, ""))
    options = {key: value for key, value in of(row, "data").items() if key not in RESERVED["data"]}
    _check_options(name, options, what)
    find(name, options)  # refuses what nobody knows before anything starts
    cleaning = dataclasses.asdict(parse(PreprocessParams, of(row, "clean"), f"preprocessing of {what}"))
    usual = dataclasses.asdict(PreprocessParams())
    if store and store not in STORES:
        raise UsageError(f"{what}: unknown store {store!r}: {nearest(store, STORES)}")
    unusual = {key: value for key, value in cleaning.items() if value != usual[key]}
    return Data(name, options, unusual, store)


def _check_options(name: str, options: Mapping[str, Any], what: str) -> None:
    """Refuse options that the data set's source has not; an unknown source is for `find` to refuse."""
    source = name.partition("/")[0]
    names = (
        list(under("data", dict.fromkeys((*RESERVED["data"], *option_names(source)))))
        if source in SOURCES
        else []
    )
    for key in under("data", options):
        if names and key not in names:
            raise UsageError(f"{what}: unknown key {key!r} of {name}: {nearest(key, names)}")


def _label(row: Mapping[str, Any], varying: list[str], job: str, shape: Shape) -> str:
    words = [str(row.get(MODEL, job))]
    for key in varying:
        if key == DATA:
            words.append(str(row.get(key)).rpartition("/")[2])
        elif key in row and key not in (*SHAPE, MODEL):
            name = key.rpartition(".")[2] if key.startswith("spark.") else short(key, [*varying, *row])
            words.append(f"{name}={row[key]}")
    memory = [shape.memory] if "shape.memory" in varying else []
    return " ".join([*words, str(shape), *memory])


def _whole(value: Any, key: str, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, str)) or not str(value).isdigit():
        raise UsageError(f"{what}: {key} must be a whole number of 1 or more, got {value!r}")
    return int(value)


def _share(value: Any, what: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UsageError(f"{what}: cpus must be {LEAST_CPUS} or more, for example 0.5, got {value!r}")
    return float(value)


def _truth(value: Any, what: str) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"{what}: pin must be true or false, got {value!r}")
    return value


def _backend(value: Any, what: str) -> str:
    if value and value not in BACKENDS:
        raise UsageError(f"{what}: unknown backend {value!r}: {nearest(str(value), BACKENDS)}")
    return str(value)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
