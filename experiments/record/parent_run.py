"""The parent run of an experiment: what its trials were made of, which trials they are, and its spec."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.record.run_tags import (
    EXPERIMENT,
    NOTE,
    PREFIX,
    changes,
    key_tags,
    read_keys,
    short_key,
    tag_of,
)

if TYPE_CHECKING:
    from experiments.record.tracking import Run, Tracking  # it takes seconds to import

_SPEC = "spec.toml"


@dataclass(frozen=True)
class Parent:
    """The run of an experiment, under which its trials lie; `why` says why a new one was opened."""

    run_id: str
    opened: bool
    why: list[str]


def parent_tags(basis: Mapping[str, Any], keys: Sequence[str], about: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of a new parent; the arguments are those of `experiments.record.recorder.Recorder.open`."""
    own = {
        "kind": EXPERIMENT,
        "basis": json.dumps(basis, sort_keys=True),
        "used_at": str(time.time()),
        "question": about.get("question", ""),
    }
    named = {PREFIX + key: value for key, value in own.items()}
    return {**named, **key_tags(keys), NOTE: about.get("question", "")}


def differences(run: "Run", basis: Mapping[str, Any]) -> list[str]:
    """Say why a parent run cannot take up trials that are made of `basis`; nothing if it can."""
    return changes(_basis(run), basis)


def _basis(run: "Run") -> dict[str, Any]:
    return dict(json.loads(tag_of(run, "basis")))


def take_up(
    tracking: "Tracking", run: "Run", basis: Mapping[str, Any], keys: Sequence[str], about: Mapping[str, str]
) -> None:
    """Go on with a parent run: with the data sets and trials that came since."""
    old = _basis(run)
    merged = {
        **old,
        **{part: {**old.get(part, {}), **basis.get(part, {})} for part in ("data", "settings")},
    }
    tracking.tag(run.run_id, {PREFIX + "basis": json.dumps(merged, sort_keys=True)})
    if not keys:
        return
    before = read_keys(run.tags) if about.get("adds") else []
    every = list(dict.fromkeys([*before, *map(short_key, keys)]))
    fresh = {"used_at": str(time.time()), "question": about.get("question", "")}
    tracking.tag(run.run_id, {**{PREFIX + name: text for name, text in fresh.items()}, **key_tags(every)})
    tracking.go_on(run.run_id)
    write_spec(tracking, run.run_id, about)


def write_spec(tracking: "Tracking", run_id: str, about: Mapping[str, str]) -> None:
    """Keep the experiment's TOML with its parent."""
    if about.get("spec"):
        tracking.attach_text(run_id, about["spec"], _SPEC)


def read_spec(tracking: "Tracking", run_id: str) -> str:
    """Return the TOML that lies with a parent, "" where there is none."""
    return tracking.text(run_id, _SPEC)
