"""False alarms and power, on invented noise and on the pairs that were recorded for docs/calibration.md."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from datasets.errors import UsageError
from experiments import __main__ as main
from experiments.pairs.calibration import calibrate, recorded

DOCS = Path(__file__).resolve().parents[2] / "docs"
RECORDED = DOCS / "calibration.json"


def noise(count, spread, seed=3):
    random = np.random.default_rng(seed)
    return [(10.0, float(10.0 * np.exp(value))) for value in random.normal(0.0, spread, count)]


def test_recorded_pairs_meet_the_bar():
    found = calibrate(recorded(str(RECORDED), Path(), "total"))
    assert len(found.pairs) >= 20
    assert 0.03 <= found.alarms <= 0.07
    assert found.power_of[found.recommended] >= 0.8
    assert found.holds


def test_the_document_tells_the_rates_that_the_pairs_give(capsys):
    text = (DOCS / "calibration.md").read_text()
    assert main.main(["calibrate", str(RECORDED)]) == 0
    said = capsys.readouterr().out.strip()
    assert said in text
    rows = re.findall(r"^\| *(\d+) *\| *([\d.]+) *\| *([\d.]+) *\|", text, flags=re.MULTILINE)
    shown = [[float(first), float(second)] for _, first, second in rows]
    exact = json.loads(RECORDED.read_text())["pairs"]
    assert shown == [[pytest.approx(value, abs=0.0006) for value in pair] for pair in exact]


def test_noise_that_hides_the_slowdown_is_no_recommendation():
    loud = calibrate(noise(20, 0.9))
    assert loud.recommended is None
    assert not loud.holds
    assert loud.power_of[5] < loud.power_of[20] < 0.8


def test_quiet_noise_needs_five_pairs():
    quiet = calibrate(noise(24, 0.05))
    assert quiet.recommended == 5
    assert quiet.alarms_of.keys() == {5, 6, 8, 10, 15, 20}


def test_few_pairs_calibrate_nothing(tmp_path):
    with pytest.raises(UsageError, match=r"19 pairs .* too few"):
        calibrate(noise(19, 0.1))
    with pytest.raises(UsageError, match="holds no pairs"):
        recorded(str(tmp_path / "none.json"), tmp_path, "total")
