"""Which track of an offer an announcement without a client id is for; the rest is tested through the door."""

from typing import Any

from livekit.protocol import models, rtc

from auth.grants import Claims, VideoGrant
from rooms.gate import Decide, OpenGate
from rooms.join import JoinRequest
from rooms.session import Session
from signaling.jsonws.link import Link
from signaling.jsonws.messages import Offer, PublishTrack
from tests.harness.media_plane import publishing
from tests.harness.rooms import House


class SlowGate(OpenGate):
    """Decides on tracks when it is told to."""

    def __init__(self) -> None:
        self.undecided: list[Decide] = []

    def publish(self, session: Session, request: rtc.AddTrackRequest, decide: Decide) -> None:
        self.undecided.append(decide)


class Client:
    """Somebody in a room by way of a link."""

    def __init__(self, gate: OpenGate | None = None) -> None:
        self.house = House(gate=gate)
        self.told: list[dict[str, Any]] = []
        self.link = Link("room", self.told.append, lambda _: None)
        claims = Claims(issuer="devkey", identity="ann", video=VideoGrant(room_join=True, room="room"))
        request = JoinRequest(claims, client=models.ClientInfo(protocol=16))
        self.link.enter(self.house.service.join(request, self.link))
        self.house.pump()

    def announce(self) -> None:
        self.link.handle(PublishTrack(type="publish_track", kind="audio"))
        self.house.pump()

    def offer(self, *cids: str) -> None:
        sections = (f"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=msid:- {cid}\r\na=sendonly\r\n" for cid in cids)
        self.link.handle(Offer(type="offer", sdp=publishing(*cids) + "".join(sections)))
        self.house.pump()

    def published(self) -> list[str]:
        return [message["cid"] for message in self.told if message["type"] == "track_published"]


def test_a_track_that_ended_may_be_published_again() -> None:
    client = Client()
    for _ in range(2):
        client.announce()
        client.offer("one")
        client.offer()
    assert client.published() == ["one", "one"]


def test_announcements_take_the_tracks_of_an_offer_in_turn() -> None:
    client = Client()
    client.offer("one", "two")
    for _ in range(3):
        client.announce()
    assert client.published() == ["one", "two"]


def test_a_track_that_is_not_decided_on_is_taken() -> None:
    gate = SlowGate()
    client = Client(gate)
    client.offer("one", "two")
    client.announce()
    client.announce()
    while gate.undecided:
        gate.undecided.pop()(None)
    assert client.published() == ["one", "two"]
