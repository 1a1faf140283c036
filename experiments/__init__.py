"""Asks questions of a cluster: grids of trials, their records in MLflow, and reports."""
