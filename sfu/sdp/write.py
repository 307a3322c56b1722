"""The lines that answers and offers have in common."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sfu.sdp.description import Codec, Direction, Fingerprint

MEDIA_PROTOCOL = "UDP/TLS/RTP/SAVPF"
DATA_PROTOCOL = "UDP/DTLS/SCTP"
SCTP_PORT = 5000
MAX_MESSAGE_SIZE = 65535
"""Bytes that we take in one data message; what LiveKit writes."""

_NOT_A_TOKEN = re.compile(r"[^!-~]")


@dataclass(frozen=True, slots=True)
class LocalTransport:
    """Our end of the one transport that all sections share."""

    ice_ufrag: str
    ice_pwd: str
    fingerprint: Fingerprint
    candidates: tuple[str, ...]
    """Each as ``candidate:…``, without ``a=``."""
    setup: Literal["passive", "active"]
    """DTLS role in answers; offers leave the choice to the client."""
    ice_lite: bool = True


@dataclass(frozen=True, slots=True)
class SendingTrack:
    """A track that we send on a section."""

    stream_id: str
    track_id: str
    ssrc: int
    rtx_ssrc: int | None
    cname: str


def session_lines(
    local: LocalTransport, session_id: int, version: int, bundle: Sequence[str], extmap_allow_mixed: bool
) -> list[str]:
    """Everything above the first m-line."""
    lines = ["v=0", f"o=- {session_id} {version} IN IP4 0.0.0.0", "s=-", "t=0 0"]
    if bundle:
        lines.append(f"a=group:BUNDLE {' '.join(bundle)}")
    lines += ["a=msid-semantic:WMS *", f"a=fingerprint:{local.fingerprint[0]} {local.fingerprint[1]}"]
    if local.ice_lite:
        lines.append("a=ice-lite")
    if extmap_allow_mixed:
        lines.append("a=extmap-allow-mixed")
    return lines


def transport_lines(local: LocalTransport, setup: str) -> list[str]:
    """ICE and DTLS lines of a section. Candidates go into every one: browsers read those of the section that
    owns the bundle, aiortc those of the last."""
    return [
        f"a=setup:{setup}",
        f"a=ice-ufrag:{local.ice_ufrag}",
        f"a=ice-pwd:{local.ice_pwd}",
        *(f"a={candidate}" for candidate in local.candidates),
        *(["a=end-of-candidates"] if local.candidates else []),
    ]


def codec_lines(codecs: Iterable[Codec]) -> list[str]:
    """rtpmap, fmtp and rtcp-fb of each codec."""
    lines = []
    for codec in codecs:
        channels = f"/{codec.channels}" if codec.channels > 1 else ""
        lines.append(f"a=rtpmap:{codec.payload_type} {codec.name}/{codec.clock_rate}{channels}")
        if codec.fmtp:
            lines.append(f"a=fmtp:{codec.payload_type} {codec.fmtp}")
        lines += [f"a=rtcp-fb:{codec.payload_type} {value}" for value in codec.feedback]
    return lines


def extension_lines(extensions: Mapping[int, str]) -> list[str]:
    """One extmap line each."""
    return [f"a=extmap:{number} {uri}" for number, uri in extensions.items()]


def direction_line(direction: Direction) -> str:
    return f"a={direction}"


def rid_lines(rids: Sequence[str], *, simulcast: bool) -> list[str]:
    """The streams that we take."""
    lines = [f"a=rid:{rid} recv" for rid in rids]
    if rids and simulcast:
        lines.append(f"a=simulcast:recv {';'.join(rids)}")
    return lines


def sending_lines(track: SendingTrack) -> list[str]:
    """msid, SSRCs and their pairing (RFC 8830, RFC 5576)."""
    msid = f"{_token(track.stream_id)} {_token(track.track_id)}"
    ssrcs = [track.ssrc] if track.rtx_ssrc is None else [track.ssrc, track.rtx_ssrc]
    lines = [f"a=msid:{msid}"]
    if len(ssrcs) == 2:
        lines.append(f"a=ssrc-group:FID {ssrcs[0]} {ssrcs[1]}")
    for ssrc in ssrcs:
        lines += [f"a=ssrc:{ssrc} cname:{_token(track.cname)}", f"a=ssrc:{ssrc} msid:{msid}"]
    return lines


def data_lines() -> list[str]:
    """SCTP parameters of a data section (RFC 8841)."""
    return [f"a=sctp-port:{SCTP_PORT}", f"a=max-message-size:{MAX_MESSAGE_SIZE}"]


def joined(lines: Iterable[str]) -> str:
    """The description as text."""
    return "\r\n".join(lines) + "\r\n"


def _token(text: str) -> str:
    """An id fit for a line: users choose stream names, and a space or line end would break the rest."""
    return _NOT_A_TOKEN.sub("_", text) or "-"
