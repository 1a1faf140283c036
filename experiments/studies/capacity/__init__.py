"""Prediction of the time, memory and cost of a job from a few small runs."""
