"""Intervals, ratios, families of trials and fitted laws; knows no cluster and no page."""
