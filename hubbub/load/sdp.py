"""The offers that our clients make, and what answers say beyond ``sfu.sdp``: candidates and forwarded streams."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import NamedTuple

from sfu.rtp.extensions import ExtensionUri
from sfu.sdp.description import Description

OPUS = 111
VP8 = 96
VP8_RTX = 97
"""Payload types, as Chromium numbers them."""

MAX_CANDIDATES = 32
"""Candidates of a server that are tried."""

_CODECS = {
    "audio": (
        f"{OPUS}",
        (
            f"rtpmap:{OPUS} opus/48000/2",
            f"rtcp-fb:{OPUS} transport-cc",
            f"fmtp:{OPUS} minptime=10;useinbandfec=1",
        ),
    ),
    "video": (
        f"{VP8} {VP8_RTX}",
        (
            f"rtpmap:{VP8} VP8/90000",
            *(
                f"rtcp-fb:{VP8} {value}"
                for value in ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli")
            ),
            f"rtpmap:{VP8_RTX} rtx/90000",
            f"fmtp:{VP8_RTX} apt={VP8}",
        ),
    ),
}
_EXTENSIONS = {
    "audio": {1: ExtensionUri.AUDIO_LEVEL, 3: ExtensionUri.TRANSPORT_CC, 4: ExtensionUri.MID},
    "video": {
        3: ExtensionUri.TRANSPORT_CC,
        4: ExtensionUri.MID,
        10: ExtensionUri.RID,
        11: ExtensionUri.REPAIRED_RID,
    },
}
"""Chromium's ids."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client tells of its transport."""

    ice_ufrag: str
    ice_pwd: str
    fingerprint: str
    """SHA-256 as SDP writes it."""


@dataclass(frozen=True, slots=True)
class Line:
    """One m-line of an offer; its mid is its place."""

    kind: str
    """``audio``, ``video`` or ``application``."""
    track: str = ""
    """The client's id of a track it sends; empty for a line to receive on."""
    rids: tuple[str, ...] = ()
    ssrc: int = 0
    """Declared when there is a track without rids."""


class Candidate(NamedTuple):
    """Where a server may be reached over UDP."""

    host: str
    port: int
    priority: int


@dataclass(frozen=True, slots=True)
class Forwarded:
    """A stream that the server sends, as its answer announces it."""

    ssrc: int
    kind: str
    track_sid: str
    """Empty when the answer doesn't say."""
    repairs: bool
    """Whether the SSRC carries retransmissions only."""
    transport_cc: bool


def offer(lines: Sequence[Line], credentials: Credentials, session_id: int, version: int) -> str:
    """Write an offer."""
    mids = " ".join(str(mid) for mid in range(len(lines)))
    text = [
        "v=0",
        f"o=- {session_id} {version} IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        f"a=group:BUNDLE {mids}",
        "a=extmap-allow-mixed",
        "a=msid-semantic: WMS",
    ]
    for mid, line in enumerate(lines):
        text += _section(mid, line, credentials)
    return "\r\n".join(text) + "\r\n"


def forwarded(description: Description) -> list[Forwarded]:
    """The streams that an answer announces."""
    streams: list[Forwarded] = []
    for section in description.sections:
        if section.rejected or section.direction not in ("sendonly", "sendrecv"):
            continue
        track_sid = section.msid[1] if section.msid else ""
        feedback = any("transport-cc" in codec.feedback for codec in section.codecs)
        numbers = [(ssrc, False) for ssrc in section.ssrcs]
        numbers += [(ssrc, True) for ssrc in section.rtx_ssrcs.values()]
        streams += [Forwarded(ssrc, section.kind, track_sid, repairs, feedback) for ssrc, repairs in numbers]
    return streams


def candidates(sdp: str) -> list[Candidate]:
    """UDP candidates in a description, those that can't be used left out."""
    lines = (line.removeprefix("a=") for line in sdp.splitlines() if line.startswith("a=candidate:"))
    return _read_candidates(lines)


def trickled(candidate_init: str) -> list[Candidate]:
    """The candidate of a trickle message (RTCIceCandidateInit in JSON), if it is one over UDP."""
    try:
        text = json.loads(candidate_init)["candidate"]
    except (ValueError, KeyError, TypeError):
        return []
    return _read_candidates([text] if isinstance(text, str) else [])


def local_candidate(host: str, port: int, ufrag: str) -> str:
    """A trickle message's content for a host candidate."""
    text = f"candidate:1 1 udp 2122260223 {host} {port} typ host ufrag {ufrag}"
    return json.dumps({"candidate": text, "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": ufrag})


def _section(mid: int, line: Line, credentials: Credentials) -> list[str]:
    common = [
        "c=IN IP4 0.0.0.0",
        f"a=ice-ufrag:{credentials.ice_ufrag}",
        f"a=ice-pwd:{credentials.ice_pwd}",
        "a=ice-options:trickle",
        f"a=fingerprint:sha-256 {credentials.fingerprint}",
        "a=setup:actpass",
        f"a=mid:{mid}",
    ]
    if line.kind == "application":
        tail = ["a=sctp-port:5000", "a=max-message-size:262144"]
        return ["m=application 9 UDP/DTLS/SCTP webrtc-datachannel", *common, *tail]
    formats, codecs = _CODECS[line.kind]
    return [
        f"m={line.kind} 9 UDP/TLS/RTP/SAVPF {formats}",
        *common,
        *(f"a=extmap:{number} {uri}" for number, uri in _EXTENSIONS[line.kind].items()),
        "a=sendonly" if line.track else "a=recvonly",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        *(f"a={attribute}" for attribute in codecs),
        *_streams(line),
    ]


def _streams(line: Line) -> list[str]:
    if not line.track:
        return []
    lines = [f"a=msid:{line.track} {line.track}"]
    if line.rids:
        lines += [f"a=rid:{rid} send" for rid in line.rids]
        lines.append(f"a=simulcast:send {';'.join(line.rids)}")
    else:
        lines += [
            f"a=ssrc:{line.ssrc} cname:{line.track}",
            f"a=ssrc:{line.ssrc} msid:{line.track} {line.track}",
        ]
    return lines


def _read_candidates(lines: Iterable[str]) -> list[Candidate]:
    found: list[Candidate] = []
    for line in lines:
        fields = line.removeprefix("candidate:").split()
        if len(fields) < 8 or fields[1] != "1" or fields[2].lower() != "udp" or fields[6] != "typ":
            continue
        _, _, _, priority, host, port, *_ = fields
        if not (priority.isdecimal() and port.isdecimal()) or not 0 < int(port) < 65536:
            continue
        try:
            ip_address(host)
        except ValueError:
            continue  # a name, such as mDNS makes; servers have addresses
        found.append(Candidate(host, int(port), int(priority)))
    return found[:MAX_CANDIDATES]
