"""False alarms and power on invented noise."""

import numpy as np
import pytest

from datasets.errors import UsageError
from experiments.pairs.calibration import calibrate, recorded


def noise(count, spread, seed=3):
    random = np.random.default_rng(seed)
    return [(10.0, float(10.0 * np.exp(value))) for value in random.normal(0.0, spread, count)]


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
