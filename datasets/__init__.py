"""Fetch publishers' data sets, and read them into Spark frames with the same columns."""
