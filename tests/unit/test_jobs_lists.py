"""A person's list against one made plainly in double precision; the same alone and among others; and why each item is in it."""

import datetime as dt

import numpy as np
import pytest

from core.errors import UsageError
from jobs.engine.blends import Blend
from jobs.engine.events import Event
from jobs.engine.lists import Away, Known, Lists, likings
from jobs.engine.meanings import Meanings
from jobs.engine.neighbours import Csr, csr, some_rows
from jobs.engine.personal import Personal
from jobs.engine.reasons import LIKED, NEAR, POPULAR, WATCHED, reasons
from jobs.engine.rules import Unobserved, Weighted
from jobs.engine.scoring import TILE, products, standardise, tiled
from jobs.engine.vectors import vectors

ITEMS, USERS, RANK, TERMS = 2 * TILE + 37, 23, 12, 19
NOW = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)


def contents(random):
    item, term = np.nonzero(random.random((ITEMS, TERMS)) < 0.2)
    return vectors(
        item.astype(np.int32),
        term.astype(np.int32),
        np.ones(len(item)),
        groups=np.zeros(TERMS, dtype=np.int64),
        weights=np.ones(1),
        m=ITEMS,
    )


@pytest.fixture(scope="module")
def known():
    random = np.random.default_rng(5)
    factors = random.normal(size=(ITEMS, RANK)).astype(np.float32) / 3
    fitted = random.random(ITEMS) < 0.9
    factors[~fitted] = 0
    return Known(
        factors,
        fitted,
        Unobserved(0.05, 1.0, 0.2, int(fitted.sum())),
        contents(random),
        random.integers(0, 90, ITEMS).astype(np.float32),
        Blend.parse("0:0/0/1 1:0.4/0.5/0.1 9:0.8/0.15/0.05"),
        Meanings(near=3),
    )


@pytest.fixture(scope="module")
def histories():
    random = np.random.default_rng(6)
    user, item = np.nonzero(random.random((USERS, ITEMS)) < 0.03)
    kept = user != 4  # somebody who has done nothing
    values = random.choice([1.0, 0.5, -1.0], len(user), p=[0.6, 0.2, 0.2])
    return csr(user[kept], item[kept], values[kept], USERS)


def dense(matrix, rows, columns):
    out = np.zeros((rows, columns))
    for row in range(rows):
        part = slice(matrix.indptr[row], matrix.indptr[row + 1])
        out[row, matrix.indices[part]] = matrix.values[part]
    return out


def standard(values):
    deviation = values.std()
    return (values - values.mean()) / deviation if deviation > 1e-9 else 0 * values


def plain_scores(known, history):
    """Scores of one person, history [items], in double precision."""
    factors, said = known.factors.astype(np.float64), history * known.fitted
    own = factors[said != 0]
    ridge = (
        known.rule.reg * ((said != 0).sum() + known.rule.weight * known.rule.columns) ** known.rule.exponent
    )
    left = known.rule.weight * factors.T @ factors + (own * np.abs(said[said != 0])[:, None]).T @ own
    user = np.linalg.solve(left + ridge * np.eye(RANK), factors.T @ np.maximum(said, 0))
    matrix = dense(known.contents.by_item, ITEMS, TERMS)
    content = matrix @ (matrix.T @ history)
    weights = known.blend.of(np.array([(history > 0).sum()]))[0].astype(np.float64)
    parts = standard(factors @ user), standard(content), standard(np.log1p(known.popularity))
    return sum(weight * part for weight, part in zip(weights, parts, strict=True))


def away_of(histories):
    return Away(histories.indptr, histories.indices)


def test_lists_are_those_made_plainly(known, histories):
    lists = Lists(known)
    ids, scores = lists.made(histories, 10, away_of(histories))
    plain = dense(histories, USERS, ITEMS)
    matrix = dense(known.contents.by_item, ITEMS, TERMS)
    for row in range(USERS):
        expected = plain_scores(known, plain[row])
        expected[plain[row] != 0] = -np.inf
        for item in np.flatnonzero(plain[row] < 0):
            cosines = matrix @ matrix[item]
            cosines[item] = 0
            expected[np.argsort(-cosines, kind="stable")[:3]] = -np.inf
        order = np.argsort(-expected, kind="stable")[:10]
        np.testing.assert_array_equal(ids[row], order)
        np.testing.assert_allclose(scores[row], expected[order], atol=2e-4)


def test_a_list_is_the_same_to_the_last_bit_alone_and_among_others(known, histories):
    ids, scores = Lists(known).made(histories, 10, away_of(histories))
    lists = Lists(known)
    for row in range(USERS):
        alone = some_rows(histories, row, row + 1)
        found, values = lists.made(alone, 10, away_of(alone))
        np.testing.assert_array_equal(found[0], ids[row])
        np.testing.assert_array_equal(values[0], scores[row])


def test_equal_scores_go_to_the_smaller_item(known):
    alike = known._replace(
        factors=np.tile(known.factors[:1], (ITEMS, 1)),
        fitted=np.ones(ITEMS, bool),
        popularity=np.ones(ITEMS, np.float32),
    )
    ids, _ = Lists(alike).made(Csr(np.zeros(2, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32)), 4)
    assert ids.tolist() == [[0, 1, 2, 3]]


def test_who_has_done_nothing_gets_the_most_popular(known, histories):
    ids, _ = Lists(known).made(histories, 5)
    assert ids[4].tolist() == np.argsort(-known.popularity, kind="stable")[:5].tolist()


def test_a_list_is_shorter_where_items_end(known):
    history = Csr(np.array([0, 1]), np.array([3], np.int32), np.ones(1, np.float32))
    everything = np.arange(ITEMS - 2, dtype=np.int32)
    ids, scores = Lists(known).made(history, 5, Away(np.array([0, len(everything)]), everything))
    assert sorted(ids[0].tolist()) == [-1, -1, -1, ITEMS - 2, ITEMS - 1]
    assert np.isneginf(scores[0, 2:]).all()


def test_products_do_not_depend_on_who_else_is_asked_for():
    random = np.random.default_rng(1)
    for rank in (1, 8, 13, 64):
        items, users = (random.normal(size=(n, rank)).astype(np.float32) for n in (TILE + 3, 7))
        together = products(tiled(items), users, len(items))
        np.testing.assert_allclose(together, users.astype(np.float64) @ items.T, atol=1e-4)
        alone = [products(tiled(items), users[n : n + 1], len(items))[0] for n in range(7)]
        np.testing.assert_array_equal(together, np.array(alone))


def test_a_row_that_does_not_vary_becomes_zeros():
    rows = np.array([[2, 2, 2], [1, 2, 3]], dtype=np.float32)
    assert standardise(rows).tolist() == pytest.approx([0, np.sqrt(2 / 3)])
    np.testing.assert_allclose(rows, [[0, 0, 0], [-np.sqrt(1.5), 0, np.sqrt(1.5)]], rtol=1e-6)


def test_factors_with_biases_are_refused(known):
    with pytest.raises(ValueError, match="fit the model with biases=false"):
        Lists(known._replace(rule=Weighted(0.1, biased=True)))


def test_likings_are_preferences_above_zero(histories):
    plain = dense(histories, USERS, ITEMS)
    np.testing.assert_array_equal(likings(histories), (plain > 0).sum(axis=1))


def test_reasons_sum_up_to_the_score(known, histories):
    """All that the entries of a history add, and popularity, is the score, but for what every item's is shifted by."""
    everything = known._replace(meanings=Meanings(near=0))
    lists = Lists(everything)
    row = some_rows(histories, 0, 1)
    parts = lists.parts(row)
    from jobs.engine.reasons import _likenesses, _over, _shares  # noqa: PLC0415 - what the reasons are cut from

    items = np.arange(ITEMS, dtype=np.int32)
    weights = known.blend.of(likings(row))[0]
    told = _shares(lists, row, items).sum(axis=0) * _over(weights[0], parts.factors_unit[0])
    told += _likenesses(lists, row, items).sum(axis=0) * _over(weights[1], parts.content_unit[0])
    told += weights[2] * lists.popularity
    scores = np.empty((1, ITEMS), np.float32)
    lists.mixed(parts, weights[None, :], scores)
    shift = told - scores[0]
    np.testing.assert_allclose(shift, shift.mean(), atol=1e-4)


def test_reasons_name_what_was_liked_watched_and_is_near(known):
    lists = Lists(known)
    history = Csr(np.array([0, 3]), np.array([2, 50, 90], np.int32), np.array([1, 0.5, -1], np.float32))
    ids, _, parts = lists.explained(history, 8, away_of(history))
    why = reasons(lists, history, parts, ids[0])
    for given in why:
        assert 1 <= len(given) <= 3
        assert [one.weight for one in given] == sorted((one.weight for one in given), reverse=True)
        assert sum(one.weight for one in given) <= 1.0005
    named = {(one.code, one.item) for given in why for one in given}
    assert named <= {(LIKED, 2), (WATCHED, 50), (NEAR, 2), (NEAR, 50), (POPULAR, -1)}
    assert {code for code, _ in named} >= {NEAR, LIKED}


def test_a_blend_has_bands_by_what_is_known():
    blend = Blend.parse("0:0/0/1 5:0.5/0.25/0.25")
    np.testing.assert_array_equal(
        blend.of(np.array([0, 4, 5, 99])), np.array([[0, 0, 1]] * 2 + [[0.5, 0.25, 0.25]] * 2)
    )
    assert str(blend) == "0:0/0/1 5:0.5/0.25/0.25"


@pytest.mark.parametrize(
    "text", ["", "1:0/0/1", "0:0/0/0", "0:1/0", "0:1/0/-1", "0:1/0/0 0:1/0/0", "0:nan/0/1", "0:a/b/c"]
)
def test_a_blend_that_is_none_is_refused(text):
    with pytest.raises(UsageError):
        Blend.parse(text)


class TestPersonal:
    @pytest.fixture
    def personal(self, known):
        return Personal(Lists(known), [f"i{n}" for n in range(ITEMS)])

    @staticmethod
    def said(kind, item, minute, value=None, retracts=None):
        return Event(NOW + dt.timedelta(minutes=minute), f"e{minute}", kind, item, value, retracts)

    def test_events_and_batch_have_one_list(self, personal, known, histories):
        ids, scores = Lists(known).made(histories, 10, away_of(histories))
        kinds = {1.0: ("like", None), 0.5: ("watched", 1.0), -1.0: ("dislike", None)}
        for row in range(USERS):
            part = slice(histories.indptr[row], histories.indptr[row + 1])
            events = [
                self.said(*(kinds[float(value)][0], f"i{item}", n, kinds[float(value)][1]))
                for n, (item, value) in enumerate(
                    zip(histories.indices[part], histories.values[part], strict=True)
                )
            ]
            found = personal.recommend("u", events[::-1], NOW, 10)
            assert [entry.item for entry in found.entries] == [f"i{item}" for item in ids[row]]
            assert [entry.score for entry in found.entries] == scores[row].tolist()

    def test_a_like_changes_the_list_and_its_retraction_restores_it(self, personal):
        before = personal.recommend("u", [self.said("like", "i3", 0)], NOW, 10)
        like = self.said("like", "i77", 1)
        after = personal.recommend("u", [self.said("like", "i3", 0), like], NOW, 10)
        assert after != before
        assert "i77" not in [entry.item for entry in after.entries]
        assert any(item == "i77" for entry in after.entries for _, item, _ in entry.reasons)
        taken_back = self.said("retract", "i77", 2, retracts=like.id)
        assert personal.recommend("u", [self.said("like", "i3", 0), like, taken_back], NOW, 10) == before

    def test_a_dislike_keeps_the_item_and_its_near_neighbours_away(self, personal):
        first = personal.recommend("u", [self.said("like", "i3", 0)], NOW, ITEMS)
        disliked = first.entries[0].item
        near = {f"i{item}" for item in personal.lists.near(int(disliked[1:]))}
        after = personal.recommend(
            "u", [self.said("like", "i3", 0), self.said("dislike", disliked, 1)], NOW, ITEMS
        )
        shown = {entry.item for entry in after.entries}
        assert len(near) == 3
        assert not shown & (near | {disliked})

    def test_an_unknown_item_is_counted_and_changes_nothing_else(self, personal):
        found = personal.recommend(
            "u", [self.said("like", "i3", 0), self.said("like", "nowhere", 1)], NOW, 10
        )
        assert found.unknown == 1
        assert found.entries == personal.recommend("u", [self.said("like", "i3", 0)], NOW, 10).entries

    def test_something_said_without_a_preference_does_not_come_back(self, personal):
        first = personal.recommend("u", [], NOW, 3).entries[0].item
        found = personal.recommend("u", [self.said("played", first, 1, 0.0)], NOW, ITEMS)
        assert first not in {entry.item for entry in found.entries}
        assert all(entry.reasons for entry in found.entries[:3])
