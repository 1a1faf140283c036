"""Rates that a cluster keeps up with: trials at given rates, their verdicts, and the search among rates."""
