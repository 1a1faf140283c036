"""The error that a person sees when a job refuses its input."""


class JobError(Exception):
    """Why the job cannot go on and what to do next; the command exits with 1."""
