"""What ends a load test before it has measured anything, and what keeps one participant from joining."""

from hubbub.errors import HubbubError


class LoadError(HubbubError):
    """The test can't go on: nobody could join, or the command asks for what can't be done."""


class JoinError(Exception):
    """One participant isn't in the room; the text says why."""


class ServerRefused(JoinError):
    """The server is not there, or refused in a way that it will refuse everybody."""
