"""Exploration of a data set: run the job, draw its aggregates, write a page."""
