"""What ends a worker's connection."""

POLICY = 1008
"""WebSocket close code for a message that breaks a rule (RFC 6455 section 7.4.1)."""
GOING_AWAY = 1001
"""The server stops."""
TRY_LATER = 1013
"""There are too many workers just now."""


class WorkerRefused(Exception):
    """A worker did what it may not; its connection closes with this code and text, and its jobs are lost."""

    def __init__(self, reason: str, code: int = POLICY) -> None:
        super().__init__(reason)
        self.code = code
