"""Remote procedure calls from the server to participants, by the data packets that the SDKs call each other with.

The request goes to one participant under an identity of its own, the call's id, so that the answers come addressed to
nobody else. Codes, texts and limits are the SDKs' (livekit-client ``RpcError``).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

from livekit.protocol import models

from sfu.control import RELIABLE

from .data import Destinations
from .errors import InvalidRpc, NotNow, RpcError, RpcFailed, RpcTimedOut, RpcUnavailable, RpcUnsupported
from .timers import Timer

if TYPE_CHECKING:
    from .room import Room
    from .session import Session

MAX_PAYLOAD_BYTES = 15 * 1024
ACK_TIMEOUT_S = 2.0
DEFAULT_TIMEOUT_S = 10.0
_VERSION = 1
_MAX_CALLS = 1000
"""Calls that wait for an answer, in each room."""

_REQUEST_TOO_LARGE = 1402

Outcome = str | RpcError


class RpcCall:
    """One call, until its answer."""

    def __init__(
        self, calls: "RpcCalls", id_: str, callee: "Session", done: Callable[[Outcome], None]
    ) -> None:
        self.id = id_
        self.callee = callee
        self._calls = calls
        self._done = done
        self._ack: Timer | None = None
        self._response: Timer | None = None

    def wait(self, timeout_s: float) -> None:
        """Begin to wait for an acknowledgement and for the response."""
        later = self.callee.context.later
        self._ack = later(ACK_TIMEOUT_S, lambda: self.finish(RpcTimedOut(1501, "Connection timeout")))
        self._response = later(timeout_s, lambda: self.finish(RpcTimedOut(1502, "Response timeout")))

    def acknowledged(self) -> None:
        """The callee has the request."""
        if self._ack is not None:
            self._ack.cancel()

    def finish(self, outcome: Outcome) -> None:
        """Hand over the answer, whatever it is."""
        self.cancel()
        self._done(outcome)

    def cancel(self) -> None:
        """Nobody waits any more; harmless when it is over."""
        self._calls.pending.pop(self.id, None)
        for timer in (self._ack, self._response):
            if timer is not None:
                timer.cancel()


class RpcCalls:
    """The calls of one room."""

    def __init__(self, room: "Room") -> None:
        self._room = room
        self.pending: dict[str, RpcCall] = {}
        """By the call's id."""

    def start(
        self, callee: "Session", method: str, payload: str, timeout_s: float, done: Callable[[Outcome], None]
    ) -> RpcCall:
        """Call a method of a participant; ``done`` hears its answer, once. Raises InvalidRpc or NotNow."""
        if len(payload.encode()) > MAX_PAYLOAD_BYTES:
            raise InvalidRpc(_REQUEST_TOO_LARGE, "Request payload too large")
        if len(self.pending) >= _MAX_CALLS:
            raise NotNow("too many calls are waiting for an answer")
        id_ = str(UUID(bytes=self._room.context.ids.entropy(16), version=4))
        call = self.pending[id_] = RpcCall(self, id_, callee, done)
        request = models.RpcRequest(
            id=id_,
            method=method,
            payload=payload,
            response_timeout_ms=int(timeout_s * 1000),
            version=_VERSION,
        )
        packet = models.DataPacket(participant_identity=id_, rpc_request=request)
        call.wait(timeout_s)
        to_callee = Destinations(sids=frozenset((callee.participant.sid,)))
        self._room.data.send(packet, RELIABLE, None, to_callee)
        return call

    def receive(self, sender: "Session", packet: models.DataPacket) -> bool:
        """Take an acknowledgement or a response; whether it belonged to a call from here."""
        match packet.WhichOneof("value"):
            case "rpc_ack":
                call = self._call(sender, packet.rpc_ack.request_id)
                if call is not None:
                    call.acknowledged()
            case "rpc_response":
                call = self._call(sender, packet.rpc_response.request_id)
                if call is not None:
                    call.finish(_outcome(packet.rpc_response))
            case _:
                return False
        return call is not None

    def abandon(self, callee: "Session") -> None:
        """A participant is gone, and will answer nothing."""
        for call in [call for call in self.pending.values() if call.callee is callee]:
            call.finish(RpcUnavailable(1503, "Recipient disconnected"))

    def _call(self, sender: "Session", id_: str) -> RpcCall | None:
        call = self.pending.get(id_)
        return call if call is not None and call.callee is sender else None


def _outcome(response: models.RpcResponse) -> Outcome:
    if response.WhichOneof("value") != "error":
        return str(response.payload)
    error = response.error
    match error.code:
        case 1400 | 1402:
            kind: type[RpcError] = InvalidRpc
        case 1404:
            kind = RpcUnsupported
        case 1501 | 1502:
            kind = RpcTimedOut
        case 1503:
            kind = RpcUnavailable
        case _:
            kind = RpcFailed
    return kind(error.code, error.message, error.data)
