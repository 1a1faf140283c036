"""What a person is told of how far things are, by a clock that the tests set."""

import pytest

from experiments.run import progress as module
from experiments.run.progress import Progress


class Clock:
    """Stands in for the module's clock."""

    now = 100.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


def test_a_trials_warning_is_shown_once_and_stays(clock, caplog):
    progress = Progress()
    for label in ("als", "als", "popularity"):
        progress.start(f"{label}, application", label)
        for _ in range(2):
            progress.follow({"event": "warning", "text": "ratings look like counts"})
        progress.end("ok")
    shown = [line.strip() for line in caplog.messages if "warning" in line]
    assert shown == [
        f"{label}, application: warning: ratings look like counts" for label in ("als", "popularity")
    ]


def run(progress, clock, label, seconds):
    progress.start(label, label)
    clock.now += seconds
    progress.end("ok")


def test_estimate_goes_by_what_the_same_trial_took(clock):
    progress = Progress()
    progress.expect("als", 3)
    progress.expect("popularity", 3)
    assert progress.left_s() is None
    run(progress, clock, "als", 100.0)
    assert progress.left_s() == 500.0
    run(progress, clock, "popularity", 10.0)
    assert progress.left_s() == 2 * 100 + 2 * 10
    run(progress, clock, "als", 120.0)
    assert progress.left_s() == 110 + 2 * 10


def test_trial_that_has_not_run_is_likened_to_the_most_similar(clock):
    progress = Progress()
    for label in ("als w1", "bias w1", "als w2", "bias w2"):
        progress.expect(label, 1)
    run(progress, clock, "als w1", 100.0)
    run(progress, clock, "bias w1", 10.0)
    assert progress.left_s() == 100 + 10


def test_time_that_has_passed_is_not_left(clock):
    progress = Progress()
    progress.expect("als", 3)
    run(progress, clock, "als", 100.0)
    progress.start("als", "als")
    clock.now += 30.0
    assert progress.left_s() == 170.0
    clock.now += 300.0  # longer than expected: what is left of it is not less than nothing
    assert progress.left_s() == 100.0


def test_resumed_trial_goes_by_its_earlier_applications(clock):
    progress = Progress()
    progress.expect("als", 2, known=[50.0, 70.0, 60.0])
    assert progress.left_s() == 120.0
    assert progress.total == 2


def test_failed_trial_is_not_waited_for_and_tells_nothing_of_others(clock):
    progress = Progress()
    progress.expect("als", 3)
    progress.expect("bias", 1, known=[40.0])
    run(progress, clock, "als", 1.0)
    progress.skip(2)
    assert progress.left_s() == 40.0
    assert (progress.done, progress.total) == (1, 2)
