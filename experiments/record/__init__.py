"""Record in MLflow: runs of trials, parents of experiments, tags, and registered models."""
