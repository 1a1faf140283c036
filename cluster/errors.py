"""The errors that a person sees when services do not come up."""


class SettingsError(Exception):
    """A setting that nobody knows or that does not read; the command exits with 2."""


class ServiceError(Exception):
    """A service that cannot start, stop or answer, with the tail of its log and what to try; exits with 3."""
