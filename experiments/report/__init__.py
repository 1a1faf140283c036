"""The report of an experiment: its answer, its method, and its sections, one file each."""
