"""What the history can't answer."""

from hubbub.errors import HubbubError


class NoSuchRoom(HubbubError):
    """No room of this sid is remembered."""
