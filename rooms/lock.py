"""A locked room: nobody new gets in, and whoever was in comes back."""

from collections.abc import Iterable

from .errors import RoomLocked


class RoomLock:
    """Open at first."""

    def __init__(self) -> None:
        self._inside: set[str] | None = None
        """Identities that were in when it was locked, or were taken in since; None while it is open."""

    @property
    def locked(self) -> bool:
        """Whether it is."""
        return self._inside is not None

    def close(self, inside: Iterable[str]) -> None:
        """Let nobody in any more but these identities."""
        self._inside = set(inside)

    def open(self) -> None:
        """Let everybody in again."""
        self._inside = None

    def let_in(self, identity: str) -> None:
        """Somebody was taken in all the same, and may come back like the others."""
        if self._inside is not None:
            self._inside.add(identity)

    def forget(self, identity: str) -> None:
        """Somebody was put out, and is as new as anybody else."""
        if self._inside is not None:
            self._inside.discard(identity)

    def check(self, identity: str) -> None:
        """Raise RoomLocked for whom it keeps out."""
        if self._inside is not None and identity not in self._inside:
            raise RoomLocked("the room is locked")
