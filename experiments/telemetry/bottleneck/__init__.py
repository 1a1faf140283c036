"""Bottlenecks of a phase: use of its cores, the cost of each cause, and the time without it."""
