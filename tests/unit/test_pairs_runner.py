"""The order in which applications run, what is kept when one ends badly, and what ends a comparison."""

import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cluster import settings as cluster_settings
from cluster.local_driver import LocalDriverHost
from datasets.errors import UsageError
from experiments import spec
from experiments.launcher import Launched
from experiments.pairs import runner, runtimes
from experiments.pairs.ledger import PER_USER
from experiments.pairs.runner import Pairing
from experiments.prepare import Prepared
from experiments.progress import Progress
from experiments.trial import Shape
from jobs.errors import JobError
from jobs.request import PhaseTime, Result

SPEC = {
    "question": "Which?",
    "fixed": {"dataset": "synthetic/ml-latest-small", "model": "bias", "store": "parquet"},
    "repeats": 1,
}


class Invented:
    """Stands where the harness stands and answers at once; `ends` says how the next applications end."""

    def __init__(self, settings, _say):
        self.settings = settings
        self.cluster = SimpleNamespace(
            spark_master="spark://nowhere:1", driver_host=LocalDriverHost(self.settings)
        )
        self.default_shape, self.default_store = Shape(1, 1, "1g"), "parquet"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def use(self, shape):
        pass

    def reach(self, store):
        return {}

    def launch(self, request, folder, shape, timeout_s, follow, *, runtime):
        side = Path(folder).parent.name
        kind = "pilot" if request.per_user else f"pair {request.application + 1}"
        RAN.append(f"{side} {kind}")
        status = ENDS.pop(0) if ENDS else "ok"
        if request.per_user:
            rows = np.arange(1, 41)
            check = rows + (1 if status == "other rows" and side == "contender" else 0)
            np.savez(
                request.per_user,
                user=rows,
                rows=rows,
                scored=rows,
                check=check,
                squared=rows * 1.0,
                ndcg=rows * np.nan,
            )
        died = ["spark-worker-1"] if status == "lost" else []
        status = "ok" if status in ("other rows", "lost") else status
        error = None if status == "ok" else f"it was {status}"
        result = Result("train", "ok" if status == "ok" else "failed", [PhaseTime("fit", 0, "repeat", 2.0, 1)], error=error)  # fmt: skip
        return Launched(result, status, 1.0, 1.0, 1.0, 5.0, died)


RAN: list[str] = []
ENDS: list[str] = []


@pytest.fixture
def pairing(tmp_path, monkeypatch):
    RAN.clear()
    ENDS.clear()
    monkeypatch.setattr(runner, "Harness", Invented)
    digests = {}

    def prepared(data, *_):
        digest = digests.get(str(data), "d1")
        return Prepared(data, str(tmp_path), tmp_path, digest, "", {}, [], fresh=False)

    monkeypatch.setattr(runner, "prepare", prepared)
    settings = cluster_settings.load([f"run_dir={tmp_path / 'run'}"], {})
    out = io.StringIO()

    def make(pairs=3, baseline=None, contender=None):
        given = {"baseline": baseline or {}, "contender": contender or {}}
        made = Pairing(spec.read("made", SPEC), settings, Progress(out), given, {}, pairs)
        made.out, made.digests = out, digests
        return made

    return make


def letters():
    return "".join(word[0] for word in RAN)


def test_pilots_first_then_sides_in_turns(pairing):
    ledger = pairing(4).run()
    assert RAN[:2] == ["baseline pilot", "contender pilot"]
    assert letters()[2:] == "bccbbccb"
    assert ledger.pairs == 4
    assert ledger.about["same"]
    assert (ledger.place("contender", None) / PER_USER).exists()
    assert ledger.seconds("total") == [(2.0, 2.0)] * 4


def test_pairs_that_were_measured_are_kept_and_more_may_be_asked_for(pairing):
    pairing(2).run()
    RAN.clear()
    again = pairing(2)
    again.run()
    assert RAN == []
    assert "2 measured before and kept" in again.out.getvalue()
    assert pairing(3).run().pairs == 3
    assert letters() == "bc"  # the third pair's order, without new pilots
    pairing(2, contender={"reg_user": 3.0}).run()
    assert letters() == "bc" + "bc" + "bccb"  # another question starts anew


def test_an_interruption_keeps_whole_pairs_only(pairing):
    ENDS.extend(["ok"] * 5 + ["killed"])
    with pytest.raises(KeyboardInterrupt):
        pairing(3).run()
    assert letters() == "bc" + "bc" + "cb"
    RAN.clear()
    assert pairing(3).run().pairs == 3
    assert RAN[0] == "contender pair 2"  # the half that had been measured has lost its neighbour
    assert letters() == "cb" + "bc"


def test_a_failed_application_says_whose_and_what_to_do(pairing):
    ENDS.extend(["ok"] * 3 + ["failed"])
    with pytest.raises(
        JobError, match=r"the contender \(reg_user=3.0\) failed.*it was failed[\s\S]*goes on from there"
    ):
        pairing(3, contender={"reg_user": 3.0}).run()
    assert pairing(3, contender={"reg_user": 3.0}).run().pairs == 3
    assert letters() == "bcbc" + "bccbbc"


def test_other_test_rows_are_refused_before_anything_is_timed(pairing):
    ENDS.extend(["other rows"] * 2)
    with pytest.raises(UsageError, match="judge different test rows"):
        pairing().run()
    assert letters() == "bc"


def test_other_data_is_refused_before_anything_runs(pairing):
    made = pairing(contender={"k_core": 5})
    made.digests["synthetic/ml-latest-small k_core=5"] = "d2"
    with pytest.raises(UsageError, match="read different rows"):
        made.run()
    assert RAN == []


def test_sources_that_change_meanwhile_end_it(pairing, monkeypatch):
    codes = iter(["one", "one", "one", "two"])
    monkeypatch.setattr(runtimes, "code_of", lambda _: next(codes))
    monkeypatch.setattr(runner, "code_of", lambda _: next(codes))
    with pytest.raises(JobError, match="the sources of the contender changed while it was measured"):
        pairing().run()


def test_a_pair_that_loses_executors_is_measured_again_three_times_at_most(pairing):
    ENDS.extend(["ok"] * 4 + ["lost", "ok"])  # pilots, the first pair, half of the second
    made = pairing(pairs=2)
    assert made.run().pairs == 2
    assert letters() == "bc" + "bc" + "cb" + "cb"
    assert "pair 2 lost executors, its times mean nothing: it is measured again" in made.out.getvalue()
    ENDS.extend(["lost", "ok"] * 3)
    with pytest.raises(JobError, match="executors were lost in 3 pairs"):
        pairing(pairs=5).run()
