"""Causes that keep cores from useful work, and the threshold of each."""

DRIVER, SKEW, STARVED, OVERHEAD, GC, SPILL, SHUFFLE, LOST = (
    "driver-bound", "skewed", "starved", "overhead-bound", "GC-bound", "spilling", "shuffle-bound", "executor lost",
)  # fmt: skip
CAUSES = (DRIVER, SKEW, STARVED, OVERHEAD, GC, SPILL, SHUFFLE, LOST)

MATTERS = 0.20
"""Share of a phase's core-time that a cause must cost to be named: less than a quarter faster without it."""

MATTERS_TO_TRIAL = 0.10
"""Share of all phases' time that must be saved for a verdict on the trial; a short phase may be as bad as it likes."""

SPILL_BYTES_PER_S = 300e6
"""Bytes of memory that one core spills and reads back; the log has bytes and no seconds.

Measured: 449 MB of rows, sorted in two tasks without room for them, took 1.0 s more CPU time than in 24 tasks with room:
450 MB/s; on the low side because the first of the two had cold code, so that the bound stays one.
"""
