"""Memory of executors: sampled from processes that run, told by phase, drawn into a report."""

import json
import os
import subprocess
import sys
from textwrap import dedent

from invented import application, outcome

from core.errors import ServiceError
from experiments.report.sections import FINDINGS
from experiments.results.metrics import numbers
from experiments.spec.loading import read
from experiments.telemetry.bottleneck.phase import Window
from experiments.telemetry.memory import FILE, MemoryWatch, Sample, peaks, samples

EXPERIMENT = read("invented", {"question": "How much?"})
HOG = dedent("""
    import mmap, subprocess, sys
    own = bytearray(64 << 20)
    with open(sys.argv[1], "rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        sum(mapped[place] for place in range(0, len(mapped), 4096))
        print("ready", flush=True)
        sys.stdin.read()
""")


def test_what_processes_keep_for_themselves_is_counted_and_mapped_files_only_in_pss(tmp_path):
    mapped = tmp_path / "mapped"
    mapped.write_bytes(os.urandom(48 << 20))
    # As a worker's, the process is its child.
    shell = ["sh", "-c", '"$0" -c "$1" "$2"; :', sys.executable, HOG, str(mapped)]
    with subprocess.Popen(shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as hog:
        assert hog.stdout.readline() == b"ready\n"
        pids = []
        watch = MemoryWatch(lambda: pids, tmp_path / FILE)
        pids += [hog.pid, 2**22 + 1]
        watch.look()
        watch.look()  # not due yet
        others = MemoryWatch(
            lambda: [hog.pid], tmp_path / "others"
        )  # what runs already is another application's
        others.look()
        (one,) = samples(tmp_path)
        hog.stdin.close()
    assert json.loads((tmp_path / "others").read_text())[1] == 0
    assert 64 << 20 < one.own < 100 << 20
    assert one.pss > one.own + (40 << 20)
    later = MemoryWatch(list, tmp_path / FILE)
    later.look()
    with (tmp_path / FILE).open("a") as file:
        file.write("[1.0, 2")
    assert [sample.own for sample in samples(tmp_path)] == [one.own, 0]
    assert samples(tmp_path / "nowhere") == []


def test_an_application_goes_on_when_its_memory_cannot_be_sampled(tmp_path, caplog):
    def failing():
        if asked:
            raise ServiceError("no answer")
        return asked

    asked = []
    watch = MemoryWatch(failing, tmp_path / FILE)
    asked.append(1)
    watch.look()
    watch.look()
    assert caplog.text.count("no longer sampled: no answer") == 1
    MemoryWatch(list, tmp_path / "nowhere" / FILE).look()
    assert "No such file" in caplog.text


def test_peaks_are_told_by_phase_and_pass():
    found = [Sample(1.0, 10, 20), Sample(2.0, 30, None), Sample(3.0, 50, 60), Sample(9.0, 99, 99)]
    phases = [
        Window("fit", 0, "cold", 0.5, 2.5),
        Window("fit", 1, "repeat", 2.6, 3.5),
        Window("score", 1, "repeat", 5, 6),
    ]
    assert peaks(found, phases) == {"fit#0": {"own": 30, "pss": 20}, "fit#1": {"own": 50, "pss": 60}}


def test_a_report_and_the_record_have_the_median_of_the_measured_passes():
    resident = {
        "fit#0": {"own": 9e9, "pss": 9e9},
        "fit#1": {"own": 2e9, "pss": 3e9},
        "fit#2": {"own": 4e9, "pss": 5e9},
    }
    telemetry = {"groups": {}, "executors_lost": [], "resident": resident}
    trials = [
        outcome([application(0, [9.0, 2.0, 2.0], telemetry=telemetry)]),
        outcome([application(0, [9.0, 2.0])]),
    ]
    found = FINDINGS["memory"](EXPERIMENT, trials)
    assert found.tables[0].rows == [[trials[0].label, "3,000 (4,000)"]]
    recorded = {number.name: number.value for number in numbers(trials[0])}
    assert (recorded["memory/fit_mb"], recorded["memory/fit_pss_mb"]) == (3000, 4000)
    assert FINDINGS["memory"](EXPERIMENT, trials[1:]) is None
