"""The way back to one client, across the connections that come and go while it is in the room."""

from collections.abc import Iterable

from livekit.protocol import models, rtc

from .ports import SignalSink

_MAX_MISSED = 1000
"""Departures remembered for a client without a connection; the full list after a resume tells the rest."""


class Signal:
    """Sends to the current connection, or to nobody."""

    def __init__(self, sink: SignalSink) -> None:
        self._sink: SignalSink | None = sink
        self._missed: dict[str, models.ParticipantInfo] = {}

    @property
    def connected(self) -> bool:
        """Whether somebody would read what is sent."""
        return self._sink is not None

    def uses(self, sink: SignalSink) -> bool:
        """Whether this is the current connection."""
        return self._sink is sink

    def send(self, response: rtc.SignalResponse) -> None:
        """Send, or drop when there is no connection."""
        if self._sink is not None:
            self._sink.send(response)

    def send_departure(self, response: rtc.SignalResponse, info: models.ParticipantInfo) -> None:
        """Send an update about somebody who left; without a connection it is kept for the next one."""
        if self._sink is not None:
            self._sink.send(response)
        else:
            self.miss((info,))

    def miss(self, infos: Iterable[models.ParticipantInfo]) -> None:
        """Remember who left while there was no connection."""
        for info in infos:
            if len(self._missed) < _MAX_MISSED:
                self._missed[info.sid] = info

    def take_missed(self) -> list[models.ParticipantInfo]:
        """Who left while there was no connection."""
        missed, self._missed = list(self._missed.values()), {}
        return missed

    def leave(
        self,
        reason: models.DisconnectReason,
        action: rtc.LeaveRequest.Action = rtc.LeaveRequest.DISCONNECT,
    ) -> None:
        """Tell the client to go, and how; then close."""
        # Clients up to protocol 12 know can_reconnect instead of the action.
        can_reconnect = action != rtc.LeaveRequest.DISCONNECT
        leave = rtc.LeaveRequest(reason=reason, action=action, can_reconnect=can_reconnect)
        self.send(rtc.SignalResponse(leave=leave))
        self.close()

    def attach(self, sink: SignalSink) -> None:
        """Go on with another connection; the old one is closed."""
        self.close()
        self._sink = sink

    def lose(self) -> None:
        """The connection is gone."""
        self._sink = None

    def close(self, code: int = 1000) -> None:
        """Close the connection once everything is sent."""
        if self._sink is not None:
            sink, self._sink = self._sink, None
            sink.close(code)
