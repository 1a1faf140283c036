"""The daemon that forks the shared session's Python workers: Spark's, which has imported what tasks need.

A worker collects garbage after each task, which takes longer than most tasks of the tests if it has to look at all that
was imported. What lived before the fork is left out of it.
"""

import gc

from pyspark.daemon import manager

import datasets
import jobs.models

assert datasets  # also for tasks that only make a frame of rows
assert jobs.models

if __name__ == "__main__":
    gc.freeze()
    manager()
