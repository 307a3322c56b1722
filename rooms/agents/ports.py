"""What agents need from outside: ways back to workers."""

from typing import Protocol

from livekit.protocol import agent


class WorkerSink(Protocol):
    """One worker's connection."""

    def send(self, message: agent.ServerMessage) -> None:
        """Queue a message. Never blocks or raises, as ``rooms.ports.SignalSink``."""

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection after what was queued has been sent."""
