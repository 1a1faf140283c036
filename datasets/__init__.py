"""Fetches publishers' data sets and reads them into Spark frames of one shape."""
