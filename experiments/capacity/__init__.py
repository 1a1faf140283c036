"""Predicts the time, the memory and the cost of a job that is too large to try, from small runs that it chooses."""
