"""Sorts the keys of a spec: shape, data set, Spark setting or parameter of the job; and multiplies the grid out."""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cluster.settings import BACKENDS
from cluster.shape import LEAST_CPUS, Shape
from core.errors import UsageError
from core.options import nearest, parse
from datasets.dataset import find
from experiments.spec.trial import Data, Trial
from jobs import params as train_params
from jobs.apps import JOBS
from jobs.apps.preprocess import PreprocessParams
from jobs.models import MODELS
from jobs.stores import STORES

SHAPE = tuple(field.name for field in dataclasses.fields(Shape))
CLEANING = tuple(field.name for field in dataclasses.fields(PreprocessParams))
DATA = ("dataset", "store", *CLEANING)


def flatten(values: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Write the tables `spark`, `dataset` and those named after a model as dotted keys (`model:key` for the last).

    Only these are taken apart: a table that is a parameter's value (`select`) stays whole.
    """
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if not isinstance(value, Mapping):
            flat[key] = value
        elif key in ("spark", "dataset"):
            flat |= dict(_dotted(key, value))
        elif key in MODELS:
            flat |= {f"{key}:{inner}": item for inner, item in value.items()}
        elif key == "select":
            flat[key] = dict(value)
        else:
            raise UsageError(
                f"{what}: unknown table {key!r}: {nearest(key, ('spark', 'dataset', 'select', *MODELS))}"
            )
    return flat


def check_key(key: str, job: str, what: str) -> None:
    """Refuse a key that is neither shape, data set, Spark setting nor a parameter of the job.

    Raises:
        UsageError: with the nearest known key.
    """
    name = key.rpartition(":")[2]
    known = JOBS[job].parameters()
    if name in (*SHAPE, *DATA, *known) or name.startswith(("spark.", "dataset.")):
        return
    raise UsageError(f"{what}: unknown key {name!r}: {nearest(name, {*SHAPE, *DATA, *known})}")


def product(
    fixed: Mapping[str, Any], grid: Mapping[str, Any], points: Sequence[Mapping[str, Any]] = ()
) -> Iterator[dict[str, Any]]:
    """Yield every combination, the last written key turning fastest; keys of another model are left out.

    Points are values that go together: each combination of the grid comes with each of them.
    """
    for *values, point in itertools.product(*grid.values(), points or ({},)):
        row = {**fixed, **dict(zip(grid, values, strict=True)), **point}
        model = row.get("model")
        scoped = {key: value for key, value in row.items() if ":" in key}
        plain = {key: value for key, value in row.items() if ":" not in key}
        own = {
            key.partition(":")[2]: value for key, value in scoped.items() if key.partition(":")[0] == model
        }
        yield {**plain, **own}


def matches(values: Mapping[str, Any], selection: Mapping[str, Any]) -> bool:
    """Whether the values hold all that a selection asks for."""
    return all(key in values and values[key] == wanted for key, wanted in selection.items())


def trial_of(row: Mapping[str, Any], varying: list[str], job: str, default: Shape, what: str) -> Trial:
    """Make the trial of one combination, its repetitions still to be set.

    Args:
        row: values by their names in the spec.
        varying: keys whose values differ within the experiment: they make the label.
        job: key in `jobs.apps.JOBS`.
        default: fills in what no key says of the shape.
        what: names the experiment in errors.

    Raises:
        UsageError: an unknown data set or option, or a shape that no cluster can have.
    """
    shape = Shape(
        workers=_whole(row.get("workers", default.workers), "workers", what),
        cores=_whole(row.get("cores", default.cores), "cores", what),
        memory=str(row.get("memory", default.memory)),
        cpus=_share(row.get("cpus", default.cpus), what),
        pin=_truth(row.get("pin", default.pin), what),
        backend=_backend(row.get("backend", default.backend), what),
    )
    data = data_of(row, what)
    if data is None and takes_model(job):
        raise UsageError(f'{what}: the job {job} needs a data set; add dataset = "source/variant" to fixed')
    params = {key: value for key, value in row.items() if _is_parameter(key)}
    if takes_model(job):
        train_params.read(params)
    return Trial(
        job=job,
        label=_label(row, varying, job, shape),
        params=params,
        shape=shape,
        data=data,
        spark={key: _text(value) for key, value in row.items() if key.startswith("spark.")},
    )


def takes_model(job: str) -> bool:
    """Whether a job fits a model on a data set; others make their own data."""
    return "model" in JOBS[job].parameters()


def blocks(trial: Trial) -> int | None:
    """Into how many blocks a trial's model cuts users and items; None if it cuts nothing."""
    if not takes_model(trial.job):
        return None
    return getattr(train_params.read(trial.params)[1], "blocks", None)


def data_of(row: Mapping[str, Any], what: str) -> Data | None:
    """Return the data set that a combination names, how it is read and how it is cleaned; None if it names none.

    Raises:
        UsageError: an unknown data set, an unknown option, or options without a data set.
    """
    options = {
        key.removeprefix("dataset."): value for key, value in row.items() if key.startswith("dataset.")
    }
    if "dataset" not in row:
        stray = [key for key in row if key in ("store", *CLEANING) or key.startswith("dataset.")]
        if stray:
            raise UsageError(
                f"{what}: {', '.join(stray)} must come with a data set, got none: "
                'add dataset = "source/variant", or leave them out'
            )
        return None
    find(str(row["dataset"]), options)  # refuses what nobody knows before anything starts
    given = {key: row[key] for key in CLEANING if key in row}
    cleaning = dataclasses.asdict(parse(PreprocessParams, given, f"preprocessing of {what}"))
    usual = dataclasses.asdict(PreprocessParams())
    store = str(row.get("store", ""))
    if store and store not in STORES:
        raise UsageError(f"{what}: unknown store {store!r}: {nearest(store, STORES)}")
    unusual = {key: value for key, value in cleaning.items() if value != usual[key]}
    return Data(str(row["dataset"]), options, unusual, store)


def _dotted(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        yield prefix, value
        return
    for key, inner in value.items():
        yield from _dotted(f"{prefix}.{key}", inner)


def _is_parameter(key: str) -> bool:
    return key not in (*SHAPE, *DATA) and not key.startswith(("spark.", "dataset."))


def _label(row: Mapping[str, Any], varying: list[str], job: str, shape: Shape) -> str:
    words = [str(row.get("model", job))]
    for key in varying:
        if key == "dataset":
            words.append(str(row.get(key)).rpartition("/")[2])
        elif key in row and key not in (*SHAPE, "model"):
            words.append(f"{key.rpartition('.')[2]}={row[key]}")
    memory = [shape.memory] if "memory" in varying else []
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
