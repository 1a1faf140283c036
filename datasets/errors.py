"""Errors about data: what is wrong, and what to do next."""


class DataError(Exception):
    """Data that cannot be found, fetched or read; the command exits with 1."""


class Unreachable(DataError):  # noqa: N818 - it describes the publisher
    """A publisher that cannot be reached from here; a caller may use other data."""


class UsageError(Exception):
    """Unknown name, key or value; the message gives the nearest known one, and the command exits with 2."""
