"""Costs of what streams guarantee: the same messages taken in by ways of which each guarantees less than the one before."""
