"""What waits for one reader: so much and not more, the oldest is dropped."""

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """A bounded queue with an end."""

    def __init__(self, limit: int) -> None:
        self._waiting: deque[T] = deque(maxlen=limit)
        self._bell = asyncio.Event()
        self._ended = False
        self._error: Exception | None = None
        self.dropped = 0

    def put(self, item: T) -> None:
        """Add an item; the oldest makes room if need be."""
        if self._ended:
            return
        self.dropped += len(self._waiting) == self._waiting.maxlen
        self._waiting.append(item)
        self._bell.set()

    def end(self, error: Exception | None = None) -> None:
        """Nothing more will come; the reader still gets what waits, then the error if there is one."""
        if not self._ended:
            self._ended, self._error = True, error
            self._bell.set()

    async def get(self) -> T | None:
        """The next item; None at the end. Raises what :meth:`end` was given."""
        while not self._waiting:
            if self._error is not None:
                raise self._error
            if self._ended:
                return None
            self._bell.clear()
            await self._bell.wait()
        return self._waiting.popleft()
