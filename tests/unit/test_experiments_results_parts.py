"""Answers of jobs: what cannot be recorded makes a failed part that says why."""

import json

import pytest

from experiments.results.parts import Following, Part
from jobs.runtime.request import Request


def part(folder):
    events = folder / "events.jsonl"
    events.write_text(
        json.dumps(
            {
                "event": "phase_end",
                "at": 1.0,
                "phase": "fit",
                "pass_": 0,
                "kind": "cold",
                "seconds": 2.0,
                "spark_jobs": 1,
            }
        )
        + "\n"
    )
    (folder / "driver.log").write_text("")
    request = Request(
        job="toy", params={}, spark={}, store="parquet", store_root="", work="", events=str(events)
    )
    return Part(request, folder, 60.0)


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"info": {"n": 5}}, "info.n"),
        ({"counts": {"x": 1.5}}, "counts.x"),
        ({"metrics": {"rmse": None}}, "metrics.rmse"),
        ({"windows": [{"number": 0, "kind": "repeat", "seconds": 1.0, "rates": {}, "lags": {"p99": None}}]}, "windows.0.lags.p99"),
        ({"status": "well"}, "status"),
    ],
)  # fmt: skip
def test_an_answer_that_cannot_be_recorded_fails_its_part_and_names_the_value(tmp_path, wrong, where):
    given = part(tmp_path)
    (tmp_path / "result.json").write_text(json.dumps({"job": "toy", "status": "ok", **wrong}))
    (launched,) = Following([given], begin=0.0).ended(tmp_path / "driver.log", "ok", None, 0)
    assert (launched.status, launched.result.status) == ("failed", "failed")
    assert where in launched.result.error
    assert "pydantic" not in launched.result.error
    assert [time.phase for time in launched.result.phases] == ["fit"]


def test_an_answer_with_every_kind_of_value_is_kept(tmp_path):
    given = part(tmp_path)
    answer = {
        "job": "toy",
        "status": "ok",
        "metrics": {"a": 1},
        "counts": {"b": 2},
        "info": {"c": "d"},
        "fingerprint": [1, 2.5],
    }
    (tmp_path / "result.json").write_text(json.dumps(answer))
    (launched,) = Following([given], begin=0.0).ended(tmp_path / "driver.log", "ok", None, 0)
    assert launched.status == "ok"
    assert launched.result.metrics == {"a": 1.0}
