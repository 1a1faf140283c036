"""Read an experiment's spec, one TOML file, and refuse what it must not hold."""

import dataclasses
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.errors import UsageError
from core.options import nearest, parse
from core.plugins import further
from experiments.metric_table import seconds_name
from experiments.spec.dotted_names import check_key, check_names, flatten, in_table, meanings, misplaced
from experiments.spec.experiment import Comparison, Experiment, Mean
from experiments.spec.search_space import read as read_search
from experiments.spec.tables import CLEAN, DATA, JOB, MODEL, OF_MODELS, SHAPE, TABLES, plain
from experiments.spec.trial import SHARED
from jobs.apps import JOBS
from jobs.models import MODELS
from jobs.runtime.context import kind_of

SPECS = Path(__file__).parent.parent / "specs"
_SEARCHS_OWN = ("job.part", "job.export")


def names() -> list[str]:
    """Names of the specs that ship."""
    return sorted(path.stem for path in SPECS.glob("*.toml"))


def load(name: str | Path) -> Experiment:
    """Read a shipped spec by name, or any TOML file by its path.

    Raises:
        UsageError: no such spec, TOML that does not read, or a key that is not known.
    """
    path = Path(name)
    if path.suffix != ".toml":
        path = SPECS / f"{name}.toml"
        if not path.is_file():
            raise UsageError(f"unknown experiment {str(name)!r}: {nearest(str(name), names())}")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read the spec {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise UsageError(f"{path} is not TOML in UTF-8: {error}") from error
    return read(path.stem, values)


def read(name: str, values: Mapping[str, Any]) -> Experiment:
    """Check the content of a spec and make an experiment of it.

    Raises:
        UsageError: names the wrong key or value, and the nearest known one.
    """
    what = f"experiment {name}"
    values = dict(values)
    if "name" in values:
        raise UsageError(f"{what}: its name is that of its file; remove the key 'name'")
    fixed, values = _shared(values, what)
    job = str(fixed.pop(JOB, "train"))
    if job not in JOBS:
        raise UsageError(f"{what}: unknown job {job!r}: {nearest(job, JOBS)}")
    kind_of(JOBS[job], job)
    if (
        further()
    ):  # a test holds the project's own plug-ins to it, and to import them all takes a third of a second
        check_names()
    means = tuple(parse(Mean, item, f"means of {what}") for item in values.pop("means", ()))
    comparisons = tuple(_comparison(item, what, job) for item in values.pop("comparisons", ()))
    search = read_search(values.pop("search"), what) if "search" in values else None
    if not isinstance(values.get("grid", {}), Mapping):
        raise UsageError(
            f"{what}: grid must be a table, got {values['grid']!r}; write [grid] and its keys below"
        )
    if "applications" in values:
        values |= _applications(values["applications"], what)
    experiment = parse(Experiment, {**values, "name": name}, what)

    def dotted(key: str) -> tuple[Mapping[str, Any], ...]:
        return tuple(flatten(item, f"{key} of {what}", job=job) for item in getattr(experiment, key))

    return _sound(
        dataclasses.replace(
            experiment,
            job=job,
            fixed=fixed,
            grid=flatten(experiment.grid, what, job=job),
            points=dotted("points"),
            exclude=dotted("exclude"),
            held_out=dotted("held_out"),
            comparisons=comparisons,
            means=means,
            search=search,
        )
    )


def need_phases(experiment: Experiment) -> None:
    """Refuse an experiment whose trials are to be compared by seconds, and whose job has none of phases.

    Raises:
        UsageError: the job runs on in windows.
    """
    if JOBS[experiment.job].kind == "windows":
        raise UsageError(
            f"experiment {experiment.name}: comparisons are of the seconds of phases, and the job {experiment.job} runs on in "
            "windows, without phases; run it without a comparison: the report sets the rates and lags of all trials side by side"
        )


def with_effort(experiment: Experiment, applications: int | str | None, repeats: int | None) -> Experiment:
    """Return it with another number of applications (or SHARED) or repeats where one is given."""
    what = f"experiment {experiment.name}"
    changed: dict[str, Any] = {} if applications is None else _applications(applications, what)
    changed |= {} if repeats is None else {"repeats": repeats}
    return _sound(dataclasses.replace(experiment, **changed)) if changed else experiment


def _shared(values: Mapping[str, Any], what: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the values that all trials share, by their dotted names, and the rest of a spec.

    Raises:
        UsageError: a name that is in no table, as in specs of before there were tables.
    """
    own = {field.name for field in dataclasses.fields(Experiment)} - {"name", "job", "fixed", "shared"}
    tables = {key: value for key, value in values.items() if key.partition(".")[0] in TABLES}
    rest = {key: value for key, value in values.items() if key not in tables}
    if "shared" in rest:
        raise UsageError(f'{what}: unknown key "shared"; write applications = "{SHARED}"')
    if "fixed" in rest:
        raise UsageError(f"{what}: {_unfixed(rest['fixed'], values.get('job', 'train'))}")
    for key, value in rest.items():
        if key not in own:
            raise misplaced(key, value, what, in_table, others={*own, *TABLES})
    return flatten(tables, what, in_table), rest


def _unfixed(fixed: Any, job: Any) -> str:
    """Say where the values of a table [fixed] are now, and the job beside it."""
    told = (
        []
        if isinstance(job, Mapping) or job == "train"
        else [f'job = "{job}" is now name = "{job}" in [job]']
    )
    whose = job if isinstance(job, str) and job in JOBS else "train"
    for key, value in fixed.items() if isinstance(fixed, Mapping) else ():
        if found := meanings(key, whose) or meanings(key):
            told.append(f"{key} is now {' or '.join(found)}")
        elif key in MODELS and isinstance(value, Mapping):
            inner = {name.partition(".")[0] for field in value for name in meanings(field, "train")} & {
                *OF_MODELS
            }
            told.append(f"[fixed.{key}] is now {' and '.join(f'[{table}.{key}]' for table in sorted(inner))}")
    tables = ", ".join(f"[{table}]" for table in TABLES)
    return (
        f"there is no table [fixed] any more; {tables} hold what all trials share"
        + f": {'; '.join(told)}" * bool(told)
    )


def _comparison(values: Mapping[str, Any], what: str, job: str) -> Comparison:
    where = f"comparisons of {what}"
    given = parse(Comparison, values, where)
    return Comparison(
        flatten(given.baseline, where, beside=("phase",), job=job),
        flatten(given.contender, where, beside=("phase",), job=job),
        seconds_name(given.metric),
    )


def _applications(given: int | str, what: str) -> dict[str, Any]:
    """Return the fields that a number of applications, or SHARED, stands for."""
    if isinstance(given, str) and given != SHARED and not given.isdigit():
        raise UsageError(f'{what}: applications must be a whole number or "{SHARED}", got {given!r}')
    shared = given == SHARED
    return {"applications": 1 if shared else given, "shared": shared}


def _sound(experiment: Experiment) -> Experiment:
    what = f"experiment {experiment.name}"
    for key, least in (("applications", 1), ("repeats", 1), ("warmups", 0), ("timeout_s", 1)):
        if (value := getattr(experiment, key)) < least:
            raise UsageError(f"{what}: {key} must be {least} or more, got {value}")
    for key in (*experiment.fixed, *experiment.grid, *_together(experiment)):
        check_key(key, experiment.job, what)
    for key, choices in experiment.grid.items():
        if not isinstance(choices, list) or not choices:
            raise UsageError(
                f"{what}: grid.{key} must be a list of one or more values, got {choices!r}; a value that all trials share goes into the table "
                f"[{key.rpartition('.')[0]}]"
            )
        if key in experiment.fixed:
            raise UsageError(
                f"{what}: {key} is both in the grid and in the table [{key.rpartition('.')[0]}]; leave it out of one of them"
            )
    _sound_points(experiment, what)
    _sound_selections(experiment, what)
    _sound_search(experiment, what)
    return experiment


def _sound_points(experiment: Experiment, what: str) -> None:
    together = _together(experiment)
    for number, point in enumerate(experiment.points, start=1):
        missing = [key for key in together if key not in point]
        if missing:
            raise UsageError(
                f"{what}: point {number} has no {', '.join(missing)}, which other points have; give every point the same keys"
            )
    for key in together:
        if key in (*experiment.fixed, *experiment.grid):
            raise UsageError(
                f"{what}: {key} is in points and in grid or the table [{key.rpartition('.')[0]}]; leave it out of one of them"
            )


def _together(experiment: Experiment) -> list[str]:
    """The keys of the points, in their order."""
    return list(dict.fromkeys(key for point in experiment.points for key in point))


def _sound_search(experiment: Experiment, what: str) -> None:
    if experiment.search is None:
        return
    stray = [key for key in ("grid", "points", "comparisons") if getattr(experiment, key)]
    if stray:
        raise UsageError(
            f"{what}: a search cannot have {' or '.join(stray)}; remove {'it' if len(stray) == 1 else 'them'}, or remove search"
        )
    if experiment.job != "train":
        raise UsageError(f'{what}: job must be "train" for a search, got "{experiment.job}"')
    if experiment.shared:
        raise UsageError(
            f"{what}: a search chooses each trial by those before it, so they cannot share an application: give "
            "a number of applications"
        )
    for key in experiment.search.space:
        check_key(key, experiment.job, what)
        if key in (MODEL, DATA, *_SEARCHS_OWN):
            raise UsageError(
                f"{what}: search.space may hold only hyper-parameters of the model, got {key}; remove it"
            )
        if key in experiment.fixed:
            raise UsageError(
                f"{what}: {key} is both in search.space and in the table [{key.rpartition('.')[0]}]; leave it out of one of them"
            )
    for key in (*_SEARCHS_OWN, "job.select"):
        if key in experiment.fixed:
            raise UsageError(
                f"{what}: a spec with a search must not hold {key}, which the search sets itself; remove it"
            )


def _sound_selections(experiment: Experiment, what: str) -> None:
    known = {plain(key) for key in (*experiment.fixed, *experiment.grid, *_together(experiment))}
    known |= {*SHAPE, *CLEAN}
    if experiment.comparisons:
        need_phases(experiment)
    for item in experiment.comparisons:
        if ("phase" in item.baseline) != ("phase" in item.contender) or not (
            item.baseline and item.contender
        ):
            raise UsageError(
                f"{what}: baseline and contender of a comparison must each select trials, and both or neither must name a "
                f"phase; got baseline = {dict(item.baseline)} and contender = {dict(item.contender)}"
            )
    sides = [side for item in experiment.comparisons for side in (item.baseline, item.contender)]
    over = [dict.fromkeys(mean.over) for mean in experiment.means]
    for key in (
        key for selection in (*sides, *experiment.exclude, *experiment.held_out, *over) for key in selection
    ):
        if key not in known | {"phase"}:
            named = [name for name in meanings(key, experiment.job) if name in known]
            close = f"did you mean {' or '.join(map(repr, named))}?" if named else nearest(key, known)
            raise UsageError(
                f"{what}: comparisons, means, exclude or held_out name the key {key!r}, which is neither in the tables of the "
                f"spec nor in its grid: {close}"
            )
    for key in experiment.labelled:
        check_key(key, experiment.job, f"labelled of {what}")
