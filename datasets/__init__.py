"""Fetch publishers' data sets, and read them into Spark frames with the same columns."""

import core as core  # it takes the waiting out of the Python worker that a task runs in
