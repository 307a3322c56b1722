"""The offers are recordings of real clients (tests/data/sdp); what is asserted is what those clients depend on."""

from pathlib import Path

import pytest
from livekit.protocol.models import TrackSource, TrackType
from livekit.protocol.rtc import JoinRequest, SessionDescription

from tests.harness.raw_signal import V1, join_parameters, signalling
from tests.harness.server import Server

OFFERS = Path(__file__).parents[2] / "data" / "sdp"
RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
REPAIRED_RID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
TWCC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"


def _offer(name: str, number: int) -> SessionDescription:
    sdp = (OFFERS / f"{name}.sdp").read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n").decode()
    return SessionDescription(type="offer", sdp=sdp, id=number)


def _sections(sdp: str) -> list[list[str]]:
    """The lines of every m-line's section."""
    return [section.splitlines() for section in ("\r\n" + sdp).split("\r\nm=")[1:]]


def _values(section: list[str], name: str) -> list[str]:
    return [line.removeprefix(f"a={name}:") for line in section if line.startswith(f"a={name}:")]


@pytest.mark.parametrize(("name", "number"), [("v1_offer_js", 1), ("v1_offer_python", 0)])
async def test_the_offer_of_a_join_request(server: Server, room: str, name: str, number: int) -> None:
    offer = _offer(name, number)
    query = join_parameters(JoinRequest(publisher_offer=offer))
    async with signalling(server, server.token(room, "alice"), V1, query) as alice:
        answer = await alice.hears("answer")  # before any candidate: clients send none until then
        assert (answer.type, answer.id) == ("answer", number)
        offered, answered = _sections(offer.sdp), _sections(answer.sdp)
        assert [section[0].split()[0] for section in answered] == [
            section[0].split()[0] for section in offered
        ]
        for ours, theirs in zip(answered, offered, strict=True):
            assert set(_values(ours, "extmap")) <= set(_values(theirs, "extmap"))
            assert set(_values(ours, "rtpmap")) <= set(_values(theirs, "rtpmap"))
            assert ours[0].split()[1] != "0"
        for video in (section for section in answered if section[0].startswith("video")):
            accepted = {line.split()[1] for line in _values(video, "extmap")}
            assert {RID, REPAIRED_RID} <= accepted
            assert {TWCC, ABS_SEND_TIME} & accepted
            assert not _values(video, "msid")


async def test_a_track_in_an_offer_may_come_before_its_request(server: Server, room: str) -> None:
    offer = _offer("offer_simulcast_VP8", 7)
    cid = _values(_sections(offer.sdp)[0], "msid")[0].split()[-1]
    async with signalling(server, server.token(room, "alice")) as alice:
        await alice.send(offer={"type": "offer", "sdp": offer.sdp, "id": 7})
        answer = await alice.hears("answer")
        assert answer.id == 7
        assert "a=recvonly" in _sections(answer.sdp)[0]
        await alice.send(add_track={"cid": cid, "type": TrackType.VIDEO, "source": TrackSource.CAMERA})
        assert (await alice.hears("track_published")).cid == cid


async def test_simulcast_is_accepted_as_offered(server: Server, room: str) -> None:
    offer = _offer("offer_simulcast_VP8", 3)
    offered = _sections(offer.sdp)[0]
    cid = _values(offered, "msid")[0].split()[-1]
    async with signalling(server, server.token(room, "alice")) as alice:
        await alice.send(add_track={"cid": cid, "type": TrackType.VIDEO, "source": TrackSource.CAMERA})
        await alice.hears("track_published")
        await alice.send(offer={"type": "offer", "sdp": offer.sdp, "id": 3})
        answered = _sections((await alice.hears("answer")).sdp)[0]
        rids = {line.split()[0] for line in _values(offered, "rid")}
        assert {line.split()[0] for line in _values(answered, "rid")} == rids
        assert {line.split()[1] for line in _values(answered, "rid")} == {"recv"}
        (simulcast,) = _values(answered, "simulcast")
        assert set(simulcast.removeprefix("recv ").split(";")) == rids
