"""Actions beside one another: answers in order, errors raised, and jobs counted for the phase that started them."""

import pytest

from jobs.runtime.concurrent_actions import in_background, run_concurrently


def test_answers_come_in_the_order_of_the_calls_and_belong_to_the_phase(spark):
    context = spark.sparkContext
    three, five = context.parallelize(range(3)), context.parallelize(range(5))
    context.setJobGroup("a phase", "a phase")
    assert run_concurrently(three.count, five.count, lambda: "no job") == [3, 5, "no job"]
    context.setLocalProperty("spark.jobGroup.id", None)
    assert len(context.statusTracker().getJobIdsForGroup("a phase")) == 2


def test_the_first_error_in_order_is_raised_after_all_have_ended(spark):
    ended = []

    def fail(text):
        ended.append(text)
        raise ValueError(text)

    with pytest.raises(ValueError, match="first"):
        run_concurrently(spark.range(3).count, lambda: fail("first"), lambda: fail("second"))
    assert sorted(ended) == ["first", "second"]


def test_what_was_started_beside_is_waited_for_when_asked(spark):
    answer = in_background(lambda: spark.range(7).count())
    assert spark.range(2).count() == 2
    assert answer() == 7
