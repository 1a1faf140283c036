"""Exploring a data set: the job is run, its aggregates are drawn, and a page says what is there."""
