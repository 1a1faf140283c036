"""Needs of every application of Spark: its session, request, phases, Python workers, and what is freed between trials."""
