"""The order in which applications run, what is kept when one ends badly, and what ends a comparison."""

import json
import re
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cluster import configuration
from cluster.backends.local.driver import LocalDriverHost
from cluster.shape import Shape
from core.errors import JobError, UsageError
from experiments.results.parts import Launched
from experiments.run.harness import Met
from experiments.run.prepare import Prepared
from experiments.run.progress import Progress
from experiments.spec import loading as spec
from experiments.studies.compare import runner, runtimes
from experiments.studies.compare.ledger import PER_USER, STATE, Ledger
from experiments.studies.compare.runner import Pairing
from experiments.studies.compare.sides import NAMES
from experiments.studies.compare.verdict import notes, verdict_of
from jobs.runtime.request import PhaseTime, Result

SPEC = {
    "question": "Which?",
    "data": {"name": "synthetic/ml-latest-small", "store": "parquet"},
    "model": {"name": "bias"},
    "repeats": 1,
}


class Invented:
    """Stands where the harness stands and answers at once; `ends` says how the next applications end."""

    def __init__(self, settings):
        self.settings = settings
        self.cluster = SimpleNamespace(
            spark_master="spark://nowhere:1", driver_host=LocalDriverHost(self.settings)
        )
        self.default_shape, self.default_store = Shape(1, 1, "1g"), "parquet"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def driver_host(self, _backend):
        return self.cluster.driver_host

    def met(self, _stores):
        return Met(self.settings)

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
        return Prepared(data, str(tmp_path), tmp_path, digest, "1 files", "", {}, [], [], fresh=False)

    monkeypatch.setattr(runner, "prepare", prepared)
    settings = configuration.load([f"run_dir={tmp_path / 'run'}"], {})

    def make(pairs=3, baseline=None, contender=None, series=1):
        given = {"baseline": baseline or {}, "contender": contender or {}}
        made = Pairing(spec.read("made", SPEC), settings, Progress(), given, {}, pairs, series)
        made.digests = digests
        return made

    return make


def letters():
    return "".join(word[0] for word in RAN)


def planned(ledger, *pairs):
    """The letters of pairs, counted from 0, in the order that the comparison keeps for them."""
    return "".join(name[0] for pair in pairs for name in ledger.order(pair))


def test_pilots_first_then_sides_in_turns(pairing):
    ledger = pairing(4).run()
    assert RAN[:2] == ["baseline pilot", "contender pilot"]
    assert letters()[2:] == planned(ledger, 0, 1, 2, 3)
    assert sorted(ledger.first) == ["baseline"] * 2 + ["contender"] * 2
    assert ledger.pairs == 4
    assert ledger.about["same"]
    assert (ledger.place("contender", None) / PER_USER).exists()
    assert ledger.seconds("total") == [(2.0, 2.0)] * 4


def test_pairs_that_were_measured_are_kept_and_more_may_be_asked_for(pairing, caplog):
    before = pairing(2).run().first
    RAN.clear()
    again = pairing(2)
    again.run()
    assert RAN == []
    assert re.search(r"\b2 pairs, 2\b.*kept", caplog.text)
    more = pairing(3).run()
    assert more.pairs == 3
    assert more.first[:2] == before
    assert letters() == planned(more, 2)  # without new pilots
    RAN.clear()
    other = pairing(2, contender={"model.reg_user": 3.0}).run()
    assert letters() == "bc" + planned(other, 0, 1)  # another question starts anew


def test_series_are_independent_comparisons_of_the_same_sides(pairing):
    first, second = (pairing(6, series=number).run() for number in (1, 2))
    assert len(RAN) == 2 * (2 + 12)
    assert first.folder != second.folder
    assert (first.about.get("series"), second.about["series"]) == (None, 2)
    assert pairing(6, series=2).run().folder == second.folder
    assert len(RAN) == 2 * (2 + 12)
    with pytest.raises(UsageError, match=r"--series\b.*\b1\b.*\b0$"):
        pairing(series=0).run()


def test_a_comparison_of_an_older_version_goes_on_and_says_in_which_order_it_was_measured(pairing, caplog):
    folder = pairing(3).run().folder
    state = json.loads((folder / STATE).read_text())
    (folder / STATE).write_text(json.dumps({"looks": state["looks"], "about": state["about"]}))
    RAN.clear()
    again = pairing(7)
    ledger = again.run()
    assert ledger.first[:3] == ["baseline", "contender", "baseline"]
    assert letters() == planned(ledger, 3, 4, 5, 6)
    assert ledger.alternated == 3
    said = notes(ledger, verdict_of(ledger, "total_s"))
    for line in (caplog.text, next(note for note in said if "A B, B A" in note)):
        assert re.search(r"\b3\b.*pairs\b.*older version", line)
    assert pairing(7).run().alternated == 3


def test_an_interruption_keeps_whole_pairs_only(pairing, tmp_path):
    ENDS.extend(["ok"] * 5 + ["killed"])
    with pytest.raises(KeyboardInterrupt):
        pairing(3).run()
    kept = Ledger.load(next((tmp_path / "run" / "comparisons" / "made").iterdir()))
    assert letters() == "bc" + planned(kept, 0, 1)
    RAN.clear()
    ledger = pairing(3).run()
    assert ledger.first == kept.first
    assert RAN[0].endswith("pair 2")  # the half that had been measured has lost its neighbour
    assert letters() == planned(ledger, 1, 2)


def test_a_failed_application_says_whose_and_what_to_do(pairing):
    ENDS.extend(["ok", "failed"])
    with pytest.raises(
        JobError,
        match=r"contender \(model\.reg_user=3\.0\).*: it was failed\n[\s\S]*driver\.log.*same command",
    ):
        pairing(3, contender={"model.reg_user": 3.0}).run()
    ledger = pairing(3, contender={"model.reg_user": 3.0}).run()
    assert ledger.pairs == 3
    assert letters() == "bc" + "c" + planned(ledger, 0, 1, 2)


def test_other_test_rows_are_refused_before_anything_is_timed(pairing):
    ENDS.extend(["other rows"] * 2)
    with pytest.raises(UsageError, match="judge different test rows"):
        pairing().run()
    assert letters() == "bc"


def test_other_data_is_refused_before_anything_runs(pairing):
    made = pairing(contender={"clean.k_core": 5})
    made.digests["synthetic/ml-latest-small k_core=5"] = "d2"
    with pytest.raises(UsageError, match="read different rows"):
        made.run()
    assert RAN == []


def test_sources_that_change_meanwhile_end_it(pairing, monkeypatch):
    codes = iter(["one", "one", "one", "two"])
    monkeypatch.setattr(runtimes, "code_of", lambda _: next(codes))
    monkeypatch.setattr(runner, "code_of", lambda _: next(codes))
    with pytest.raises(JobError, match=r"sources of the contender\b.*changed"):
        pairing().run()


def test_a_pair_that_loses_executors_is_measured_again_three_times_at_most(pairing, caplog):
    ENDS.extend(["ok"] * 4 + ["lost", "ok"])  # pilots, the first pair, half of the second
    made = pairing(pairs=2)
    assert made.run().pairs == 2
    assert letters() == "bc" + planned(made.ledger, 0, 1, 1)
    assert re.search(r"pair 2\b.*lost executors.*again", caplog.text)
    ENDS.extend(["lost", "ok"] * 3)
    with pytest.raises(JobError, match=r"executors\b.*\b3 pairs\b.*spark-worker-1"):
        pairing(pairs=5).run()


def empty(folder, pairs, key="k"):
    made = Ledger(folder, {}, {}, about={"key": key})
    made.save = lambda: None
    made.plan(pairs)
    return made


def test_a_comparison_plans_as_many_pairs_of_either_order_and_keeps_them_when_more_are_asked_for(tmp_path):
    made = empty(tmp_path, 10)
    assert Counter(made.first) == {"baseline": 5, "contender": 5}
    assert made.order(0) in (NAMES, NAMES[::-1])
    assert made.order(0)[0] == made.first[0]
    before = list(made.first)
    made.plan(6)
    assert made.first == before
    made.plan(20)
    assert made.first[:10] == before
    assert Counter(made.first) == {"baseline": 10, "contender": 10}
    assert made.first == empty(tmp_path, 10).first[:10] + made.first[10:]
    assert len({str(empty(tmp_path, 10, str(key)).first) for key in range(10)}) > 5
