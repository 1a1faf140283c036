"""What every job, section of a report, drill and command keeps to, whatever the folders hold."""

import dataclasses
import inspect
import json
from typing import get_args

import pytest
from invented import application, outcome
from invented_drills import DRILL, SETTINGS
from invented_drills import trial as disturbed

from experiments import __main__ as main
from experiments.cli.commands import COMMANDS
from experiments.page.finding import Finding
from experiments.report.sections import FINDINGS
from experiments.spec.loading import read
from experiments.spec.tables import RESERVED, TABLES
from experiments.studies.drills.kinds import DRILLS
from jobs.apps import JOBS
from jobs.runtime.context import JobKind
from jobs.runtime.request import Window

ASKED = read("invented", {"question": "How much?"})


def trial(**changes):
    return outcome([application(number, [9.0, 2.0, 2.5], [1.0, 0.5, 0.5]) for number in range(5)], **changes)


def windows():
    found = [Window(number, "repeat", 1.0, {"rows": 10.0}, {"p99": 0.1}) for number in range(3)]
    return outcome([application(0, [], windows=found, metrics={})], job="stream", values={"model.name": None})


TRIALS = {
    "one": [trial()],
    "shapes": [trial(), trial(workers=2)],
    "failed": [
        outcome([application(0, [], status="failed", error="it died")], status="failed", error="it died")
    ],
    "nothing ran": [outcome([], status="killed")],
    "windows": [windows()],
}


@pytest.mark.parametrize("name", sorted(JOBS))
def test_a_job_says_how_it_is_measured_and_what_it_takes(name):
    job = JOBS[name]
    assert job.kind in get_args(JobKind)
    names = job.parameters()
    assert isinstance(names, frozenset)
    assert names.isdisjoint(RESERVED["job"])
    assert list(inspect.signature(job.run).parameters) == ["context"]


@pytest.mark.parametrize("trials", TRIALS)
@pytest.mark.parametrize("name", sorted(FINDINGS))
def test_a_section_takes_whatever_was_measured(name, trials):
    found = FINDINGS[name](ASKED, TRIALS[trials])
    if found is None:
        return
    assert isinstance(found, Finding)
    assert found.title
    assert len({plot.name for plot in found.plots}) == len(found.plots)
    for table in found.tables:
        assert {len(row) for row in table.rows} <= {len(table.header)}
    json.dumps(found.data)
    assert all("<svg" in plot.svg for plot in found.plots)


@pytest.mark.parametrize("name", sorted(DRILLS))
def test_a_drill_says_what_it_kills_until_when_and_whether_it_can(name):
    drill = DRILLS[name]
    assert drill.what
    assert drill.recovered
    assert {key.partition(".")[0] for key in drill.fixed} <= {*TABLES}
    changed = dataclasses.replace(DRILL, fixed={**DRILL.fixed, **drill.fixed})
    why = drill.refusal(SETTINGS, disturbed(changed))
    assert why is None or why.strip()


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as ended:
        main.main([name.replace("_", "-"), "--help"])
    assert ended.value.code == 0
    assert " ".join(COMMANDS[name].what.split())[:40] in " ".join(capsys.readouterr().out.split())
