"""Spark jobs, models and stores, independent of how the cluster is started and where results are recorded."""
