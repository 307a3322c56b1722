"""A client's signal connection: requests to its session, pings answered on the spot."""

import time

from livekit.protocol import rtc

from signaling.config import SignalingConfig
from signaling.framing import Framing
from signaling.ports import Session
from signaling.websocket import Connection


class ClientConnection(Connection[rtc.SignalRequest]):
    """A connected client, and its SignalSink."""

    def __init__(self, config: SignalingConfig, remote: str) -> None:
        super().__init__(config, Framing(), remote)
        self._session: Session | None = None

    def serve(self, session: Session | None) -> None:
        """Hand requests to this session; without one, the sink closes once it is empty."""
        self._session = session
        if session is None:
            self.close()

    def _handle(self, message: rtc.SignalRequest) -> None:
        kind = message.WhichOneof("message")
        if kind == "ping":
            self.send(rtc.SignalResponse(pong=_now_ms()))
        elif kind == "ping_req":
            pong = rtc.Pong(last_ping_timestamp=message.ping_req.timestamp, timestamp=_now_ms())
            self.send(rtc.SignalResponse(pong_resp=pong))
        elif kind is not None and self._session is not None:
            self._session.handle(message)

    def _lost(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.signal_lost(self)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
