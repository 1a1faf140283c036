"""Beginning of a fit: at random, at an exported model, or where a fit that was broken off had come to."""

import hashlib
import logging
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.sql import DataFrame

from core.errors import JobError
from core.files import write_whole
from jobs.engine.arrays import Floats
from jobs.modelling.export import FILE

logger = logging.getLogger(__name__)

_PROGRESS = "fit.npz"


def warm(first: Floats, users: DataFrame, model: str, *, biased: bool = False) -> Floats:
    """Replace first factors of users by those of an exported model that knows them.

    Args:
        first: float32 [users, rank], of users whom it does not know.
        users: (user int, key string).
        model: the file factors.npz, or its folder.
        biased: the last factor is a bias, behind which an exported model has a 1 (`jobs.modelling.factors.with_biases`).

    Raises:
        JobError: there is no such file, or its factors are not of this rank.
    """
    given = _loaded(Path(model))
    known = ~np.isnan(given["user_factors"]).any(axis=1)
    factors = given["user_factors"][known]
    width = first.shape[1] + biased
    if factors.shape[1] != width or biased != np.all(factors[:, -1] == 1):
        raise JobError(
            f"the model in {model} has {factors.shape[1]} factors a user and this fit {width}{', of which the last is 1' * biased}: a fit starts "
            "from a model with its own rank and biases (not from bpmf, whose samples stand side by side); set rank and biases to that, or "
            "leave start out"
        )
    factors = factors[:, : first.shape[1]]
    places = {key: place for place, key in enumerate(given["user_keys"][known].tolist())}
    rows = users.select("user", "key").toPandas()
    found = rows["key"].map(places)
    out = first.copy()
    there = found.notna().to_numpy()
    out[rows["user"].to_numpy()[there]] = factors[found[there].to_numpy(dtype=np.int64)]
    return out


def _loaded(path: Path) -> Any:
    file = path / FILE if path.is_dir() else path
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in ("user_keys", "user_factors")}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise JobError(
            f"no exported model in {file} ({error}): name the folder of a model that was exported (job.export=true), or leave start out"
        ) from error


def fingerprint(*known: Any) -> str:
    """Return a hash of what a fit depends on, arrays and plain values: equal fits have equal ones."""
    found = hashlib.sha256()
    for value in known:
        found.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
    return found.hexdigest()[:32]


@dataclass(frozen=True)
class Progress:
    """Factors after the last whole iteration of a fit, in a folder that outlives the application.

    Attributes:
        folder: of the file; None: nothing is kept.
        fit: fingerprint of the fit.
    """

    folder: Path | None
    fit: str

    @property
    def _file(self) -> Path:
        assert self.folder is not None
        return self.folder / _PROGRESS

    def keep(self, iteration: int, users: Floats, items: Floats) -> None:
        """Write what an iteration came to, in place of the one before."""
        if self.folder is None:
            return

        def write(path: Path) -> None:
            with path.open("wb") as file:
                np.savez(file, iteration=iteration, users=users, items=items, fit=self.fit)

        write_whole(self._file, write)

    def found(self) -> tuple[int, Floats, Floats] | None:
        """Return the number of the last iteration and its factors of users and items; None if there is none.

        Raises:
            JobError: the folder cannot be made, or holds another fit or a damaged file.
        """
        if self.folder is None:
            return None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise JobError(
                f"no progress of the fit can be kept in {self.folder} ({error}): name another folder (resume)"
            ) from error
        if not self._file.exists():
            return None
        try:
            with np.load(self._file, allow_pickle=False) as arrays:
                kept = {name: arrays[name] for name in ("iteration", "users", "items", "fit")}
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise JobError(
                f"{self._file} cannot be read ({error}): remove it, and the fit begins anew"
            ) from error
        if str(kept["fit"]) != self.fit:
            raise JobError(
                f"{self._file} is of a fit with other settings or other ratings: name another folder (resume), or remove it to begin anew"
            )
        logger.warning(
            "the fit goes on after iteration %d, from %s: its time is that of the rest",
            kept["iteration"],
            self._file,
        )
        return int(kept["iteration"]), kept["users"], kept["items"]

    def done(self) -> None:
        """Remove what was kept: a fit that is run again later does its work again."""
        if self.folder is not None:
            self._file.unlink(missing_ok=True)
