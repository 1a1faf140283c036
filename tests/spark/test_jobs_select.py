"""Hyper-parameters are chosen on a part of training; test rows are never seen."""

import json
from dataclasses import dataclass, field
from typing import ClassVar

import planted

from jobs.judge.select import choose
from jobs.models.bias import Bias, BiasScorer
from jobs.params import TrainParams
from jobs.runtime.phases import Events


def pairs(frame):
    return {(row["user"], row["item"]) for row in frame.collect()}


@dataclass(frozen=True)
class Watched(Bias):
    """The bias baseline, which notes what it is shown."""

    shown: ClassVar[list] = []
    note: str = field(default="")

    def fit(self, tables):
        self.shown.append(("fit", pairs(tables.ratings)))
        scorer = super().fit(tables)
        return WatchedScorer(scorer.fit, scorer.clip)


@dataclass(frozen=True)
class WatchedScorer(BiasScorer):
    def score(self, frame):
        Watched.shown.append(("score", pairs(frame)))
        return super().score(frame)


def test_only_training_rows_are_seen_and_the_best_wins(spark, tmp_path):
    Watched.shown.clear()
    tables, parts = planted.tables(spark), planted.parts(spark)
    params = TrainParams(
        model="bias", select={"reg_user": [5.0, 100000.0], "reg_item": [2.0, 100000.0]}, validation=0.25
    )
    events = Events(tmp_path / "events.jsonl")
    model, chosen = choose(
        Watched(clip=False),
        params,
        tables._replace(ratings=parts.train),
        (0.5, 5.0, 0.5),
        events,
        relevant=4.0,
    )
    assert chosen == {"reg_item": 2.0, "reg_user": 5.0}
    assert (model.reg_user, model.reg_item, model.clip) == (5.0, 2.0, False)
    train = pairs(parts.train)
    fits = [seen for what, seen in Watched.shown if what == "fit"]
    scores = [seen for what, seen in Watched.shown if what == "score"]
    assert len(fits) == len(scores) == 4
    for fitted, scored in zip(fits, scores, strict=True):
        assert fitted | scored == train
        assert not fitted & scored
        assert 0.2 < len(scored) / len(train) < 0.3
    lines = [json.loads(line) for line in events.path.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["candidate"] * 4 + ["selected"]
    assert lines[-1]["values"] == chosen


def test_data_without_a_rating_scale_are_judged_by_their_rankings(spark, tmp_path):
    tables, parts = planted.tables(spark), planted.parts(spark)
    params = TrainParams(model="bias", select={"reg_item": [2.0]}, validation=0.25)
    events = Events(tmp_path / "events.jsonl")
    choose(Bias(), params, tables._replace(ratings=parts.train), None, events, relevant=None)
    lines = [json.loads(line) for line in events.path.read_text().splitlines()]
    assert [line["metric"] for line in lines] == ["ndcg_at_10"] * 2
    assert lines[0]["score"] > 0
