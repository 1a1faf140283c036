"""What MLflow is told: runs of trials, parents of experiments, tags, and registered models."""
