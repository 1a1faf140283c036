"""Fetch publishers' data sets, and read them into Spark frames with the same columns."""

from datasets.python_worker import quicken_python_worker

quicken_python_worker()  # every Python task of ours imports this package, in whichever worker it runs
