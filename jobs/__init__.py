"""Spark jobs, models and stores, independent of how the cluster is started and where results are recorded."""

import core as core  # it takes the waiting out of the Python worker that a task runs in
