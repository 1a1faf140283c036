"""Top-N from factors in Spark against a sort of the whole product."""

import numpy as np
import pytest
from pyspark.sql import functions as F

from core.errors import JobError
from jobs.engine.topn_frames import ItemFactors, recommend_factors

SCHEMA = "id int, features array<float>"


def factors(spark, rng, ids, rank, partitions=3):
    """Whole numbers, so that scores are exact and ties are many; ids with gaps, in no order."""
    matrix = rng.integers(-3, 4, size=(len(ids), rank)).astype(np.float32)
    rows = [(int(name), line.tolist()) for name, line in zip(ids, matrix, strict=True)]
    return spark.createDataFrame(rows, SCHEMA).repartition(partitions), dict(zip(ids, matrix, strict=True))


def expected(users, items, k, seen=frozenset()):
    answer = {}
    for user, vector in users.items():
        ranked = sorted(
            (-float(vector @ other), int(item)) for item, other in items.items() if (user, item) not in seen
        )
        answer[int(user)] = ([item for _, item in ranked[:k]], [-score for score, _ in ranked[:k]])
    return answer


def collected(frame):
    rows = frame.collect()
    answer = {row.user: (row["items"], row.scores) for row in rows}
    assert len(answer) == len(rows)
    return answer


@pytest.fixture
def model(spark):
    rng = np.random.default_rng(3)
    user_ids, item_ids = rng.permutation(400)[:70], rng.permutation(3000)[:650]
    users, user_vectors = factors(spark, rng, user_ids, 5)
    items, item_vectors = factors(spark, rng, item_ids, 5)
    pairs = {
        (int(rng.choice(user_ids)), int(rng.choice(item_ids))) for _ in range(4000)
    }  # most users have some, an unlucky few none
    return users, items, user_vectors, item_vectors, pairs


def test_ranks_every_user_as_a_sort_does(model):
    users, items, user_vectors, item_vectors, _ = model
    frame = recommend_factors(users, items, 7)
    assert frame.schema.simpleString() == "struct<user:int,items:array<int>,scores:array<float>>"
    assert collected(frame) == expected(user_vectors, item_vectors, 7)


def test_leaves_out_what_was_seen_and_ignores_pairs_it_does_not_know(spark, model):
    users, items, user_vectors, item_vectors, pairs = model
    strangers = [(9999, next(iter(pairs))[1]), (next(iter(user_vectors)).item(), 99999), (9999, -4)]
    seen = spark.createDataFrame([*pairs, *strangers], "user int, item int")
    assert collected(recommend_factors(users, items, 10, seen)) == expected(
        user_vectors, item_vectors, 10, pairs
    )


def test_ranks_only_the_users_asked_for_once_each(spark, model):
    users, items, user_vectors, item_vectors, pairs = model
    some = [int(user) for user in list(user_vectors)[:9]]
    asked = spark.createDataFrame([(user,) for user in [*some, *some[:3], 5000]], "user int")
    seen = spark.createDataFrame(list(pairs), "user int, item int")
    answer = expected({user: user_vectors[user] for user in some}, item_vectors, 4, pairs)
    assert collected(recommend_factors(users, items, 4, seen, asked)) == answer


def test_lists_end_where_the_candidates_do(spark, model):
    users, _, user_vectors, _, _ = model
    items, _ = factors(spark, np.random.default_rng(4), [7, 3, 5], 5)
    first = next(iter(user_vectors)).item()
    seen = spark.createDataFrame([(first, item) for item in (3, 5, 7)], "user int, item int")
    answer = collected(recommend_factors(users, items, 10, seen))
    assert answer[first] == ([], [])
    assert all(len(found) == 3 for user, (found, _) in answer.items() if user != first)


def test_more_users_than_an_arrow_batch_holds(spark, model):
    users, items, user_vectors, item_vectors, _ = model
    size = spark.conf.get("spark.sql.execution.arrow.maxRecordsPerBatch")
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "4")
    try:
        assert collected(recommend_factors(users, items, 3)) == expected(user_vectors, item_vectors, 3)
    finally:
        spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", size)


def test_held_factors_serve_twice_and_are_gone_once_released(spark, model):
    users, items, user_vectors, item_vectors, _ = model
    held = ItemFactors(items)
    assert (held.rows, held.rank) == (650, 5)
    for k in (1, 2):
        assert collected(recommend_factors(users, held, k)) == expected(user_vectors, item_vectors, k)
    held.release()
    with pytest.raises(Exception, match="destroyed"):
        recommend_factors(users, held, 1).collect()


def test_no_users_is_an_empty_answer_and_no_items_an_error(spark, model):
    users, items, *_ = model
    nobody = users.where(F.col("id") < 0)
    assert recommend_factors(nobody, items, 3).collect() == []
    with pytest.raises(JobError, match=r"\b0 items.*1 or more"):
        recommend_factors(users, nobody, 3)


def test_diverged_factors_are_an_error(spark, model):
    users, items, *_ = model
    broken = items.withColumn(
        "features", F.transform("features", lambda _: F.lit(float("nan")).cast("float"))
    )
    with pytest.raises(Exception, match="diverged"):
        recommend_factors(users, broken, 3).collect()
