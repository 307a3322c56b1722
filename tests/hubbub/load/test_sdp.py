"""Offers as the server's parser reads them, and what is read of answers."""

import json

from hubbub.load import sdp
from hubbub.load.sdp import Candidate, Credentials, Line
from sfu.sdp.parse import parse

CREDENTIALS = Credentials("abcdefgh", "0123456789abcdef01234567", ":".join(["AB"] * 32))

ANSWER = "\r\n".join(
    [
        "v=0",
        "o=- 1 1 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        "a=fingerprint:sha-256 " + ":".join(["CD"] * 32),
        "a=group:BUNDLE 0 1",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "c=IN IP4 0.0.0.0",
        "a=setup:active",
        "a=mid:0",
        "a=ice-ufrag:DgfoYpXZwTCpwpAk",
        "a=ice-pwd:dhqUZYwGkYLHvjajBtWKLOUCqLFxrrgC",
        "a=rtcp-mux",
        "a=rtpmap:111 opus/48000/2",
        "a=sendonly",
        "a=candidate:1 1 udp 2130706431 127.0.0.1 7902 typ host ufrag DgfoYpXZwTCpwpAk",
        "a=candidate:1 2 udp 2130706431 127.0.0.1 7902 typ host",
        "a=candidate:2 1 tcp 1671430143 127.0.0.1 7901 typ host tcptype passive",
        "m=video 9 UDP/TLS/RTP/SAVPF 96 97",
        "c=IN IP4 0.0.0.0",
        "a=setup:active",
        "a=mid:1",
        "a=ice-ufrag:DgfoYpXZwTCpwpAk",
        "a=ice-pwd:dhqUZYwGkYLHvjajBtWKLOUCqLFxrrgC",
        "a=rtcp-mux",
        "a=rtpmap:96 VP8/90000",
        "a=rtcp-fb:96 transport-cc",
        "a=rtpmap:97 rtx/90000",
        "a=fmtp:97 apt=96",
        "a=ssrc-group:FID 287391 369690",
        "a=ssrc:287391 cname:PA_x|TR_V",
        "a=ssrc:369690 cname:PA_x|TR_V",
        "a=msid:PA_x|TR_V TR_V",
        "a=sendonly",
        "",
    ]
)


def test_an_offer_says_what_is_received_and_sent() -> None:
    lines = [
        Line("audio"),
        Line("application"),
        Line("video", "cam", ("q", "h", "f")),
        Line("audio", "mic", ssrc=77),
    ]
    description = parse(sdp.offer(lines, CREDENTIALS, 5, 2))
    assert [section.kind for section in description.sections] == ["audio", "application", "video", "audio"]
    assert (
        [section.mid for section in description.sections] == list(description.bundle) == ["0", "1", "2", "3"]
    )
    assert not any(section.rejected for section in description.sections)
    audio, data, camera, microphone = description.sections
    assert audio.direction == "recvonly"
    assert (data.sctp_port, data.max_message_size) == (5000, 262_144)
    assert (camera.direction, camera.rids, camera.simulcast_send) == ("sendonly", ("q", "h", "f"), True)
    assert camera.msid == ("cam", "cam")
    assert (microphone.ssrcs, microphone.msid) == ((77,), ("mic", "mic"))
    assert description.ice_ufrag == CREDENTIALS.ice_ufrag
    assert description.fingerprints == (("sha-256", CREDENTIALS.fingerprint),)
    assert (description.session_id, description.session_version) == (5, 2)


def test_an_answer_announces_media_and_retransmissions() -> None:
    streams = sdp.forwarded(parse(ANSWER))
    assert [(one.ssrc, one.kind, one.track_sid, one.repairs, one.transport_cc) for one in streams] == [
        (287391, "video", "TR_V", False, True),
        (369690, "video", "TR_V", True, True),
    ]


def test_lines_that_the_server_receives_on_announce_nothing() -> None:
    assert sdp.forwarded(parse(ANSWER.replace("a=sendonly", "a=recvonly"))) == []


def test_candidates_are_those_over_udp_once() -> None:
    assert sdp.candidates(ANSWER) == [Candidate("127.0.0.1", 7902, 2130706431)]


def test_trickled_candidates() -> None:
    def init(text: str) -> str:
        return json.dumps({"candidate": text, "sdpMid": "0"})

    good = "candidate:1 1 UDP 2130706431 fd00::2 7902 typ host"
    assert sdp.trickled(init(good)) == [Candidate("fd00::2", 7902, 2130706431)]
    for bad in (
        "",
        "candidate:1 1 udp 1 name.local 7902 typ host",
        "candidate:1 1 udp 1 127.0.0.1 0 typ host",
        "candidate:1 1 udp 1 127.0.0.1 70000 typ host",
        "candidate:1 1 udp x 127.0.0.1 7902 typ host",
        "candidate:1 1 udp 1",
    ):
        assert sdp.trickled(init(bad)) == []
    for bad in ("", "[]", "null", '{"candidate": 5}', "{"):
        assert sdp.trickled(bad) == []


def test_a_local_candidate_can_be_read_back() -> None:
    assert sdp.trickled(sdp.local_candidate("127.0.0.1", 5, "u")) == [Candidate("127.0.0.1", 5, 2122260223)]
