"""What can't be done with a key."""

from hubbub.errors import HubbubError


class KeyExists(HubbubError):
    """A key of this name is there already."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"there is an API key {key} already; `hubbub keys rotate {key}` gives it a new secret"
        )


class NoSuchKey(HubbubError):
    """The database has no such key."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the database has no API key {key}; `hubbub keys list` shows those that it has")
