"""Files of what lists are made from: NumPy arrays and a text, read without Spark."""

import hashlib
import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from core.errors import JobError
from core.files import write_whole
from jobs.engine.blends import Blend
from jobs.engine.lists import Known
from jobs.engine.meanings import Meanings
from jobs.engine.neighbours import Csr
from jobs.engine.rules import Rule, Unobserved, Weighted
from jobs.engine.vectors import Vectors

FILE = "lists.npz"
_FORMAT = 1
_RULES: dict[str, type[Any]] = {"unobserved": Unobserved, "weighted": Weighted}
_SIDES = ("by_item", "by_term")


class Filed(NamedTuple):
    """Content of a file.

    Attributes:
        known: what lists are made from.
        items: key of each place.
        users: keys of those with a history in the training data, a row of `histories` each.
        histories: their preferences, over places. Empty where all that people did is in the tables of events.
        model: name of the model; version: a hash of all that is in the file.
        dataset: on which it was fitted.
    """

    known: Known
    items: Sequence[str]
    users: Sequence[str]
    histories: Csr
    model: str
    version: str
    dataset: str


def write(path: Path, filed: Filed) -> str:
    """Write a file whole or not at all; returns its version, whatever `filed` has for it."""
    known = filed.known
    (rule,) = (name for name, kind in _RULES.items() if isinstance(known.rule, kind))
    about = {
        "format": _FORMAT,
        "model": filed.model,
        "dataset": filed.dataset,
        "rule": [rule, asdict(known.rule)],  # type: ignore[call-overload]
        "blend": str(known.blend),
        "meanings": asdict(known.meanings),
    }
    arrays = {
        "items": np.array(filed.items, dtype=np.str_),
        "users": np.array(filed.users, dtype=np.str_),
        "factors": known.factors,
        "fitted": known.fitted,
        "popularity": known.popularity,
        **_parts("histories", filed.histories),
        **{
            name: part
            for side in _SIDES
            for name, part in _parts(side, getattr(known.contents, side)).items()
        },
    }
    found = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name in sorted(arrays):
        found.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    about["version"] = found.hexdigest()[:16]

    def save(part: Path) -> None:
        with part.open("wb") as file:
            np.savez(file, about=json.dumps(about), **arrays)

    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, save)
    return str(about["version"])


def read(path: Path) -> Filed:
    """Read a file, or the one in a folder.

    Raises:
        JobError: there is none, or it is damaged or of a newer format.
    """
    file = path / FILE if path.is_dir() else path
    try:
        with np.load(file, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
        about = json.loads(str(arrays["about"]))
        if about["format"] != _FORMAT:
            raise JobError(
                f"{file} has format {about['format']}, and this version reads {_FORMAT}: export the model again"
            )
        rule, settings = about["rule"]
        return Filed(
            Known(
                arrays["factors"],
                arrays["fitted"],
                _rule(rule, settings),
                Vectors(*(_csr(arrays, side) for side in _SIDES)),
                arrays["popularity"],
                Blend.parse(about["blend"]),
                Meanings(**about["meanings"]),
            ),
            arrays["items"].tolist(),
            arrays["users"].tolist(),
            _csr(arrays, "histories"),
            about["model"],
            about["version"],
            about["dataset"],
        )
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise JobError(
            f"no model to make lists from in {file} ({error}): name the folder of a model that lists are "
            "made from and that was exported (job.export=true)"
        ) from error


def _rule(name: str, settings: dict[str, Any]) -> Rule:
    found: Rule = _RULES[name](**settings)
    return found


def _parts(name: str, matrix: Csr) -> dict[str, Any]:
    return {f"{name}_{part}": array for part, array in zip(Csr._fields, matrix, strict=True)}


def _csr(arrays: dict[str, Any], name: str) -> Csr:
    return Csr(*(arrays[f"{name}_{part}"] for part in Csr._fields))
