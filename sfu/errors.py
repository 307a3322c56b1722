"""Errors of the data plane that reach its users."""


class MediaError(Exception):
    """Base of this package's errors."""


class MediaStartError(MediaError):
    """The engine can't start: a port is taken, or no address can be offered. The text says which."""
