"""What the doors need of the model behind them (``rooms`` has it)."""

from typing import Protocol

from livekit.protocol import rtc

from rooms.join import JoinRequest
from rooms.ports import SignalSink


class Session(Protocol):
    """One participant's session."""

    def handle(self, request: rtc.SignalRequest) -> None:
        """Take one message of the client."""

    def signal_lost(self, sink: SignalSink) -> None:
        """The connection behind this sink is gone, whoever closed it.

        Late news of a replaced sink are ignored.
        """


class Rooms(Protocol):
    """Where sessions begin. All raise ``rooms.errors.JoinRefused``."""

    async def admit(self, request: JoinRequest) -> None:
        """Refuse what ``join`` would refuse, and what those object to whom the server was told to ask first."""

    def join(self, request: JoinRequest, sink: SignalSink) -> Session:
        """Begin a session; its first messages are already in the sink."""

    def resume(self, request: JoinRequest, sink: SignalSink) -> Session | None:
        """Carry a session on over a new connection.

        None: there is none such, and the sink says how to go on.
        """
