"""PySpark work: jobs, models and stores. Knows nothing of how the cluster was started or who records results."""
