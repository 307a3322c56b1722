"""A stand-in for the data plane at the ``rooms.ports.MediaPlane`` port: no network, but an engine's answers.

It records every command and queues the events that an engine would send for them, until they are delivered with
:meth:`MediaPlaneStandIn.deliver`. SDP is opaque to the model of a call, so here it is a list of the client ids that
the client publishes: ``publishing("c1", "c2")``.
"""

from collections import deque
from dataclasses import dataclass, field

from sfu import control
from sfu.control import Event, TrackId, TransportId, TransportRole


def publishing(*cids: str) -> str:
    """An SDP of this stand-in: the client sends these tracks."""
    return "v=0\r\n" + "".join(f"a=cid:{cid}\r\n" for cid in cids)


def _cids(sdp: str) -> list[str]:
    return [line.removeprefix("a=cid:") for line in sdp.splitlines() if line.startswith("a=cid:")]


@dataclass
class _Transport:
    role: TransportRole
    next_offer_id: int
    expected: dict[TrackId, control.TrackSpec] = field(default_factory=dict)
    started: dict[TrackId, str] = field(default_factory=dict)
    """Client id by track."""
    subscribed: dict[TrackId, bool] = field(default_factory=dict)
    """Whether it was bound, by track."""
    offered: list[str] = field(default_factory=list)
    """Client ids in the latest offer."""
    negotiated: bool = False
    connected: bool = False


class MediaPlaneStandIn:
    """Deterministic; every command is in ``commands``, undelivered events are in ``events``."""

    def __init__(self) -> None:
        self.commands: list[control.Command] = []
        self.events: deque[Event] = deque()
        self.transports: dict[TransportId, _Transport] = {}
        self.layers: dict[str, tuple[control.LayerInfo, ...]] = {}
        """What SDP shows of a track, by client id; nothing special is one stream."""
        self.mimes: dict[str, str] = {}

    def of(self, *kinds: type) -> list:
        """The recorded commands of these kinds."""
        return [command for command in self.commands if isinstance(command, kinds)]

    def execute(self, command: control.Command) -> None:
        self.commands.append(command)
        handler = getattr(self, "_" + type(command).__name__, None)
        if handler is not None:
            handler(command)

    def deliver(self, on_event) -> None:
        """Hand over everything that is queued, and what comes of it."""
        while self.events:
            on_event(self.events.popleft())

    def connect(self, transport_id: str) -> None:
        """ICE and DTLS come up, then the three data channels."""
        transport_id = TransportId(transport_id)
        transport = self.transports[transport_id]
        transport.connected = True
        self.events.append(control.TransportConnected(transport_id))
        for label in (control.RELIABLE, control.LOSSY, control.DATA_TRACK):
            self.events.append(control.ChannelOpened(transport_id, label))
        self._bind(transport_id, transport)

    def _OpenTransport(self, command: control.OpenTransport) -> None:  # noqa: N802
        transport = _Transport(command.role, command.first_offer_id)
        self.transports[command.transport_id] = transport
        if command.role is TransportRole.SUBSCRIBER:
            self._offer(command.transport_id, transport)

    def _CloseTransport(self, command: control.CloseTransport) -> None:  # noqa: N802
        transport = self.transports.pop(command.transport_id, None)
        for track_id in transport.started if transport else ():
            self._end(command.transport_id, track_id)

    def _ExpectTrack(self, command: control.ExpectTrack) -> None:  # noqa: N802
        transport = self.transports.get(command.transport_id)
        if transport is not None:
            transport.expected[command.spec.track_id] = command.spec
            self._start(command.transport_id, transport)

    def _DropTrack(self, command: control.DropTrack) -> None:  # noqa: N802
        transport = self.transports.get(command.transport_id)
        if transport is not None:
            transport.expected.pop(command.track_id, None)
            if transport.started.pop(command.track_id, None) is not None:
                self._end(command.transport_id, command.track_id)

    def _Offer(self, command: control.Offer) -> None:  # noqa: N802
        transport = self.transports.get(command.transport_id)
        if transport is None:
            return
        cids = _cids(command.sdp)
        if not command.sdp.startswith("v=0"):
            self.events.append(control.NegotiationFailed(command.transport_id, "not SDP"))
            return
        for track_id in [track_id for track_id, cid in transport.started.items() if cid not in cids]:
            del transport.started[track_id]
            self._end(command.transport_id, track_id)
        transport.offered = cids
        self._start(command.transport_id, transport)
        transport.negotiated = True
        self.events.append(
            control.AnswerReady(command.transport_id, command.offer_id, "v=0\r\n", self._mids(transport))
        )
        self._bind(command.transport_id, transport)

    def _start(self, transport_id: TransportId, transport: _Transport) -> None:
        for track_id, spec in list(transport.expected.items()):
            free = [cid for cid in transport.offered if cid not in transport.started.values()]
            cid = next((cid for cid in free if cid in spec.cids), None)
            if cid is None:
                continue
            del transport.expected[track_id]
            transport.started[track_id] = cid
            audio = spec.kind is control.MediaKind.AUDIO
            self.events.append(
                control.TrackStarted(
                    transport_id=transport_id,
                    track_id=track_id,
                    mime=self.mimes.get(cid, "audio/red" if audio else "video/VP8"),
                    mid=str(7 + len(transport.started)),
                    cid=cid,
                    layers=self.layers.get(cid, (control.LayerInfo(0, "", 0),)),
                )
            )

    def _Subscribe(self, command: control.Subscribe) -> None:  # noqa: N802
        transport = self.transports.get(command.transport_id)
        if transport is None:
            return
        transport.subscribed[command.track_id] = False
        self._renegotiate(command.transport_id, transport)

    def _Unsubscribe(self, command: control.Unsubscribe) -> None:  # noqa: N802
        transport = self.transports.get(command.transport_id)
        if transport is not None and transport.subscribed.pop(command.track_id, None) is not None:
            self._renegotiate(command.transport_id, transport)

    def _renegotiate(self, transport_id: TransportId, transport: _Transport) -> None:
        if transport.role is TransportRole.SUBSCRIBER:
            self._offer(transport_id, transport)
        elif transport.negotiated:
            self.events.append(control.SectionsNeeded(transport_id, 0, 0))

    def _Answer(self, command: control.Answer) -> None:  # noqa: N802
        transport = self.transports.get(command.transport_id)
        if transport is not None:
            transport.negotiated = True
            self._bind(command.transport_id, transport)

    def _RestartIce(self, command: control.RestartIce) -> None:  # noqa: N802
        transport = self.transports.get(command.transport_id)
        if transport is not None:
            self._offer(command.transport_id, transport)

    def _offer(self, transport_id: TransportId, transport: _Transport) -> None:
        offer_id = transport.next_offer_id
        transport.next_offer_id += 1
        self.events.append(control.OfferReady(transport_id, offer_id, "v=0\r\n", self._mids(transport)))

    def _bind(self, transport_id: TransportId, transport: _Transport) -> None:
        if transport.connected and transport.negotiated:
            for track_id, bound in transport.subscribed.items():
                if not bound:
                    transport.subscribed[track_id] = True
                    self.events.append(control.TrackBound(transport_id, track_id))

    def _end(self, transport_id: TransportId, track_id: TrackId) -> None:
        self.events.append(control.TrackEnded(transport_id, track_id))

    def _mids(self, transport: _Transport) -> dict[str, TrackId]:
        return {str(mid): track_id for mid, track_id in enumerate(transport.subscribed)}
