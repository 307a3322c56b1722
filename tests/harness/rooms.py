"""A server's rooms with guests in them: the real ``RoomService`` between recording sinks and a stand-in for media."""

import itertools
from collections.abc import Mapping
from typing import Any

from livekit.protocol import models, rtc

from auth.grants import Claims, VideoGrant
from rooms.config import RoomConfig
from rooms.context import ServerIdentity
from rooms.gate import Gate
from rooms.ids import Ids
from rooms.join import JoinRequest
from rooms.observers import Observers
from rooms.ports import RoomObserver
from rooms.service import RoomService
from rooms.session import Session
from tests.harness.media_plane import MediaPlaneStandIn, publishing

WALL_S = 1_700_000_000.0


class RecordingSink:
    """A signal connection that keeps what it is given."""

    def __init__(self) -> None:
        self.messages: list[rtc.SignalResponse] = []
        self.closed_with: int | None = None

    def send(self, response: rtc.SignalResponse) -> None:
        assert self.closed_with is None, "sent after close"
        copy = rtc.SignalResponse()
        copy.CopyFrom(response)
        self.messages.append(copy)

    def close(self, code: int = 1000) -> None:
        self.closed_with = code

    def kinds(self) -> list[str]:
        return [message.WhichOneof("message") for message in self.messages]

    def of(self, kind: str) -> list[Any]:
        return [getattr(message, kind) for message in self.messages if message.WhichOneof("message") == kind]


class TestClock:
    """Time that stands until it is moved."""

    __test__ = False

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> float:
        return self.seconds

    def wall(self) -> float:
        return WALL_S + self.seconds


class PlainMinter:
    """Keeps the claims that it was to sign; the token is their number."""

    def __init__(self) -> None:
        self.claims: list[Claims] = []

    def refresh(self, claims: Claims) -> str:
        self.claims.append(claims)
        return f"token-{len(self.claims)}"


class RecordingObserver:
    """Keeps the names of what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    def __getattr__(self, name: str):
        def hear(room: models.Room, *rest: Any) -> None:
            subject = rest[0].identity if rest else room.name
            self.heard.append((name, subject))

        return hear


class Guest:
    """One client, as the server sees it."""

    def __init__(self, house: "House", request: JoinRequest) -> None:
        self.house = house
        self.request_ = request
        self.sink = RecordingSink()
        self.session: Session = house.service.join(request, self.sink)
        house.pump()

    @property
    def sid(self) -> str:
        return self.session.participant.sid

    @property
    def identity(self) -> str:
        return self.session.participant.identity

    @property
    def primary(self) -> str:
        return self.session.legs.primary

    def kinds(self) -> list[str]:
        return self.sink.kinds()

    def of(self, kind: str) -> list[Any]:
        return self.sink.of(kind)

    def last(self, kind: str) -> Any:
        return self.of(kind)[-1]

    def clear(self) -> None:
        """Forget what came so far."""
        self.sink.messages.clear()

    def request(self, **message: Any) -> None:
        """Send one SignalRequest."""
        self.session.handle(rtc.SignalRequest(**message))
        self.house.pump()

    def connect(self) -> "Guest":
        """Media comes up on every transport."""
        for leg in self.session.legs.all():
            if leg == self.session.legs.subscribing and not self.session.legs.single:
                self.answer()
            self.house.media.connect(leg)
        self.house.pump()
        return self

    def offer(self, *cids: str, offer_id: int = 0) -> None:
        """Offer, publishing these client ids."""
        self.request(offer=rtc.SessionDescription(type="offer", sdp=publishing(*cids), id=offer_id))

    def answer(self, offer_id: int = 0) -> None:
        """Answer the server's offer."""
        self.request(answer=rtc.SessionDescription(type="answer", sdp="v=0\r\n", id=offer_id))

    def add_track(self, cid: str, **fields: Any) -> None:
        """Ask to publish."""
        self.request(add_track=rtc.AddTrackRequest(cid=cid, **fields))

    def publish(self, cid: str, source: int = models.MICROPHONE, **fields: Any) -> str:
        """Publish a track, SDP included; its sid."""
        video = source in (models.CAMERA, models.SCREEN_SHARE)
        self.add_track(cid, source=source, type=models.VIDEO if video else models.AUDIO, **fields)
        self.offer(*(publication.cid for publication in self.publications()), cid)
        return self.last("track_published").track.sid

    def publications(self):
        return self.session.publications.published.values()

    def unpublish(self, cid: str) -> None:
        """Stop sending a track."""
        self.offer(*(publication.cid for publication in self.publications() if publication.cid != cid))

    def send_data(self, payload: bytes, label: str = "_reliable") -> None:
        """Send on the channel of the publishing transport."""
        self.house.receive_data(self.session.legs.publishing, label, payload)

    def drop_signal(self) -> None:
        """Lose the signal connection."""
        self.session.signal_lost(self.sink)
        self.house.pump()

    def resume(self, **changes: Any) -> RecordingSink:
        """Come back over a new signal connection."""
        fields = {"participant_sid": self.sid, "reconnect": True, "publisher_offer": None, **changes}
        request = JoinRequest(**{**_fields(self.request_), **fields})
        self.sink = RecordingSink()
        self.house.service.resume(request, self.sink)
        self.house.pump()
        return self.sink


def _fields(request: JoinRequest) -> dict[str, Any]:
    return {name: getattr(request, name) for name in JoinRequest.__dataclass_fields__}


def _raise(_observer: object, error: Exception) -> None:
    raise error


class House:
    """One server."""

    def __init__(
        self,
        config: RoomConfig | None = None,
        gate: Gate | None = None,
        observer: RoomObserver | None = None,
    ) -> None:
        self.clock = TestClock()
        self.media = MediaPlaneStandIn()
        self.minter = PlainMinter()
        self.observer = RecordingObserver()
        self.observers = Observers([observer or self.observer], _raise)
        counter = itertools.count(1)
        # Spread out, so that ids differ in every character.
        self.ids = Ids(
            lambda size: (next(counter) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 8 * size)).to_bytes(size)
        )
        self.service = RoomService(
            config or RoomConfig(),
            self.media,
            self.minter,
            self.clock,
            self.ids,
            gate=gate,
            observer=self.observers,
            server=ServerIdentity(node_id="ND_test", region="eu"),
        )

    def pump(self) -> None:
        """Deliver what the data plane has to say."""
        self.media.deliver(self.service.on_media_event)

    def event(self, *events: Any) -> None:
        """The data plane says something of its own accord."""
        self.media.events.extend(events)
        self.pump()

    def receive_data(self, transport_id: str, label: str, payload: bytes) -> None:
        from sfu.control import DataReceived, TransportId

        self.event(DataReceived(TransportId(transport_id), label, payload))

    def advance(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        until = self.clock.seconds + seconds
        while (at := self.service.next_timeout()) is not None and at <= until:
            self.clock.seconds = max(at, self.clock.seconds)
            self.service.on_timeout(self.clock.seconds)
            self.pump()
        self.clock.seconds = until

    def join(
        self,
        identity: str,
        room: str = "room",
        *,
        v0: bool = False,
        protocol: int = 17,
        grant: Mapping[str, Any] | None = None,
        claims: Mapping[str, Any] | None = None,
        client: Mapping[str, Any] | None = None,
        offer: str | None = None,
        offer_id: int = 1,
        **options: Any,
    ) -> Guest:
        """Somebody joins; over one peer connection with an offer in the request, unless ``v0``."""
        video = VideoGrant(room_join=True, room=room, **{"can_update_own_metadata": True, **(grant or {})})
        description = rtc.SessionDescription(type="offer", sdp=offer or publishing(), id=offer_id)
        request = JoinRequest(
            claims=Claims(**{"issuer": "devkey", "identity": identity, "video": video, **(claims or {})}),
            client=models.ClientInfo(protocol=protocol, **(client or {})),
            single_pc=not v0,
            publisher_offer=None if v0 else description,
            **options,
        )
        return Guest(self, request)

    def pair(self, first: str = "alice", second: str = "bob", **options: Any) -> tuple[Guest, Guest]:
        """Two connected people who know of each other; what they were told of that is forgotten."""
        guests = self.join(first, **options).connect(), self.join(second, **options).connect()
        self.advance(1.0)
        for guest in guests:
            guest.clear()
        return guests
