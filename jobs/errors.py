"""The error that a person sees when a job refuses its input."""


class JobError(Exception):
    """Failure of a job, with the reason and the next step; the command exits with 1."""
