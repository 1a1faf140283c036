"""The error that a person sees when data cannot be found, fetched or read."""


class DataError(Exception):
    """What is wrong with the data or its place, and what to do next; the command exits with 1."""


class Unreachable(DataError):  # noqa: N818 - it says what the publisher is
    """The publisher cannot be reached from here; a caller may go on with something else."""


class UsageError(Exception):
    """A name, key or value that nobody knows, with the nearest known one; the command exits with 2."""
