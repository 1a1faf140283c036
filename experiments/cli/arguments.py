"""Arguments that several commands share, and how K=V pairs are read."""

import json
import re
import tomllib
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from core.errors import UsageError
from core.options import nearest, pairs
from experiments.spec.dotted_names import flatten, in_set
from experiments.spec.grid import data_of
from experiments.spec.tables import CLEAN, DATA, STORE
from experiments.spec.trial import SHARED, Data

_QUOTED = re.compile(r""" "(?:\\.|[^"\\])*" | '[^']*' """, re.VERBOSE)
_BEFORE_KEY = re.compile(r"\s+(?=[A-Za-z_][\w.-]*=)")


def cluster(parser: ArgumentParser) -> None:
    """Add --cluster-set."""
    what = "a setting of the cluster, for example spark.master_port=7177; may be repeated"
    parser.add_argument("--cluster-set", action="append", default=[], metavar="KEY=VALUE", help=what)


def effort(parser: ArgumentParser, *, may_share: bool = False) -> None:
    """Add --applications, which with `may_share` may be "shared", and --repeats."""
    what = "Spark applications of each trial (5 for a claim, 1 for a look)"
    more = '; "shared": trials of one shape run in one application (a look)' if may_share else ""
    parser.add_argument(
        "--applications", type=_count_or_shared if may_share else int, help=what + more, metavar="N"
    )
    parser.add_argument("--repeats", type=int, help="measured passes of each application")


def shape(parser: ArgumentParser) -> None:
    """Add --workers, --cores and --memory."""
    parser.add_argument("--workers", type=int, help="how many workers")
    parser.add_argument("--cores", type=int, help="cores of each worker")
    parser.add_argument("--memory", help="memory of each worker, for example 2g")


def sets(parser: ArgumentParser) -> None:
    """Add --set."""
    what = "a value by its name in a spec, as model.rank=32, job.top_n=0, clean.k_core=5 or spark.<setting>=...; may be repeated"
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help=what)
    what = "several of them in one text, with blanks between, as in make's SET"
    parser.add_argument("--sets", dest="set", action="extend", type=split_sets, metavar="TEXT", help=what)


def data_set(parser: ArgumentParser) -> None:
    """Add --dataset and how it is read and cleaned, and the cluster that does it."""
    cluster(parser)
    shape(parser)
    sets(parser)
    parser.add_argument("--dataset", required=True, help="source/variant, for example movielens/1m")


def read_data_set(arguments: Namespace, command: str) -> Data:
    """Return the data set that `data_set` was given.

    Raises:
        UsageError: an unknown data set, or a key that says nothing of how it is read and cleaned.
    """
    values = read_sets(arguments.set)
    known = (*CLEAN, STORE, "data.<option>")
    refuse_twice(values, {DATA: "--dataset"})
    for key in values:
        if key not in CLEAN and not key.startswith("data."):
            raise UsageError(f"unknown key {key!r} of {command}: {nearest(key, known)}")
    data = data_of({**values, DATA: arguments.dataset}, command)
    assert data is not None
    return data


def refuse_twice(values: Mapping[str, Any], options: Mapping[str, str]) -> None:
    """Refuse a value that --set gives although the command has an option for it.

    Args:
        values: of --set.
        options: dotted name -> the option.
    """
    for key, option in options.items():
        if key in values:
            make = f"{option.strip('-').upper()}={values[key]}"
            raise UsageError(
                f"--set {key}={values[key]}: write {option}={values[key]} instead (make: {make})"
            )


def allow_model_change(parser: ArgumentParser) -> None:
    """Add --allow-model-change."""
    what = "show speed-ups even where the fitted model changed along the sweep; the report says so"
    parser.add_argument("--allow-model-change", action="store_true", help=what)


def name(parser: ArgumentParser) -> None:
    """Add the name of an experiment."""
    parser.add_argument("name", help="name of an experiment that ships, or the path of a TOML file")


def shape_sets(arguments: Namespace) -> list[str]:
    """Return what `shape` was given as settings of the cluster."""
    given = {key: getattr(arguments, key) for key in ("workers", "cores", "memory")}
    return [f"spark.{key}={value}" for key, value in given.items() if value is not None]


def split_sets(text: str) -> list[str]:
    """Split a text into its K=V pairs, each as it stands there.

    A pair ends at a blank before the next "key=", so that a value may hold blanks and apostrophes. Lists, tables and
    texts in quotes stay whole: `title=it's a film reg=[0.1, 0.2]` is two pairs.
    """
    pairs: list[str] = []
    begin = at = depth = 0
    while at < len(text):
        starts = depth > 0 or text[at - 1 : at] == "="
        if starts and (quoted := _QUOTED.match(text, at)):
            at = quoted.end()
            continue
        if starts and text[at] in "[{":
            depth += 1
        elif depth and text[at] in "]}":
            depth -= 1
        elif not depth and (blank := _BEFORE_KEY.match(text, at)):
            pairs.append(text[begin:at])
            begin = at = blank.end()
            continue
        at += 1
    return [pair.strip() for pair in (*pairs, text[begin:]) if pair.strip()]


def read_sets(texts: Sequence[str], option: str = "--set", beside: Collection[str] = ()) -> dict[str, Any]:
    """Read K=V pairs as a spec would have them: numbers, booleans and lists as in TOML, anything else as text.

    Args:
        texts: each a dotted name and its value.
        option: that has them.
        beside: names that may be given beside dotted ones.

    Raises:
        UsageError: a pair without "=", or a name that is in no table.
    """
    example = in_set if option == "--set" else partial(_given, option)
    values = {key: _value(text.strip()) for key, text in pairs(texts, option, "model.rank=16").items()}
    return flatten(values, option, example, beside)


def _given(option: str, name: str, value: Any) -> str:
    """Write a value as an option of the command line has it."""
    return f"{option} {in_set(name, value).removeprefix('SET=')}"


def _count_or_shared(text: str) -> int | str:
    if text == SHARED:
        return text
    if text.isdigit():
        return int(text)
    raise ArgumentTypeError(f'must be a whole number or "{SHARED}", got {text!r}')


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        pass
    try:
        return json.loads(text)
    except ValueError:
        return text
