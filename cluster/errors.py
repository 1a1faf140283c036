"""Errors about settings and services."""


class SettingsError(Exception):
    """Unknown setting or invalid value; the command exits with 2."""


class ServiceError(Exception):
    """Service that cannot start, stop or answer, with the end of its log and the next step; exit status 3."""
