"""The SDP of the keyed peers: offers as data, written the way browsers write them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sfu.sdp import extensions
from tests.harness.rtp_source import ExtensionIds

OPUS, RED = 111, 63
VIDEO_CODECS = {
    "vp8": (96, "VP8/90000", ""),
    "vp9": (98, "VP9/90000", "profile-id=0"),
    "h264": (
        108,
        "H264/90000",
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
    ),
    "av1": (35, "AV1/90000", ""),
}
"""Payload type, rtpmap and fmtp; retransmissions take the payload type that follows."""
FEEDBACK = ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli")
FINGERPRINT = "sha-256 " + ":".join(["00"] * 32)
"""No DTLS is ever spoken, but an offer must name a certificate."""


@dataclass(frozen=True, slots=True)
class Line:
    """One m-line as a client offers it."""

    kind: str
    """``audio`` or ``video``."""
    mid: str
    direction: str = "recvonly"
    cid: str = ""
    """Track half of the msid of what the client sends."""
    codecs: tuple[str, ...] = ()
    """Video codecs by name, in order; empty for VP8 alone."""
    rids: tuple[str, ...] = ()
    ssrcs: tuple[int, ...] = ()
    """Media SSRCs; several are a simulcast group."""
    rtx_ssrcs: tuple[int, ...] = ()
    red: bool = False
    rtx: bool = True
    nack: bool = True
    ids: ExtensionIds = field(default_factory=ExtensionIds)


def write_offer(lines: Sequence[Line], ufrag: str, pwd: str, version: int = 1) -> str:
    """The offer's text; m-lines keep their order from offer to offer, as JSEP wants."""
    text = [
        "v=0",
        f"o=- 1 {version} IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE " + " ".join(line.mid for line in lines),
        "a=extmap-allow-mixed",
        f"a=ice-ufrag:{ufrag}",
        f"a=ice-pwd:{pwd}",
        f"a=fingerprint:{FINGERPRINT}",
        "a=setup:actpass",
    ]
    for line in lines:
        text += _section(line)
    return "\r\n".join(text) + "\r\n"


def _section(line: Line) -> list[str]:
    formats, descriptions = _audio(line) if line.kind == "audio" else _video(line)
    text = [
        f"m={line.kind} 9 UDP/TLS/RTP/SAVPF " + " ".join(map(str, formats)),
        "c=IN IP4 0.0.0.0",
        f"a=mid:{line.mid}",
        f"a={line.direction}",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        *descriptions,
        *_extensions(line),
    ]
    if line.cid:
        text.append(f"a=msid:- {line.cid}")
    return text + _streams(line)


def _audio(line: Line) -> tuple[list[int], list[str]]:
    opus = [
        f"a=rtpmap:{OPUS} opus/48000/2",
        f"a=rtcp-fb:{OPUS} transport-cc",
        f"a=fmtp:{OPUS} useinbandfec=1",
    ]
    if line.nack:
        opus.append(f"a=rtcp-fb:{OPUS} nack")
    if not line.red:
        return [OPUS], opus
    return [OPUS, RED], [*opus, f"a=rtpmap:{RED} red/48000/2", f"a=fmtp:{RED} {OPUS}/{OPUS}"]


def _video(line: Line) -> tuple[list[int], list[str]]:
    formats: list[int] = []
    text: list[str] = []
    for name in line.codecs or ("vp8",):
        payload_type, rtpmap, fmtp = VIDEO_CODECS[name]
        formats.append(payload_type)
        text.append(f"a=rtpmap:{payload_type} {rtpmap}")
        text += [f"a=rtcp-fb:{payload_type} {f}" for f in FEEDBACK if line.nack or f != "nack"]
        if fmtp:
            text.append(f"a=fmtp:{payload_type} {fmtp}")
        if line.rtx:
            formats.append(payload_type + 1)
            text += [
                f"a=rtpmap:{payload_type + 1} rtx/90000",
                f"a=fmtp:{payload_type + 1} apt={payload_type}",
            ]
    return formats, text


def _extensions(line: Line) -> list[str]:
    ids = line.ids
    named = [
        (ids.mid, extensions.MID),
        (ids.abs_send_time, extensions.ABS_SEND_TIME),
        (ids.twcc, extensions.TRANSPORT_CC),
    ]
    if line.kind == "audio":
        named.append((ids.audio_level, extensions.AUDIO_LEVEL))
    else:
        named += [(ids.rid, extensions.RID), (ids.repaired_rid, extensions.REPAIRED_RID)]
        named.append((ids.dependency, extensions.DEPENDENCY_DESCRIPTOR))
    return [f"a=extmap:{number} {uri}" for number, uri in named if number]


def _streams(line: Line) -> list[str]:
    if line.rids:
        return [*(f"a=rid:{rid} send" for rid in line.rids), "a=simulcast:send " + ";".join(line.rids)]
    text = []
    if len(line.ssrcs) > 1:
        text.append("a=ssrc-group:SIM " + " ".join(map(str, line.ssrcs)))
    if line.rtx_ssrcs:
        pairs = zip(line.ssrcs, line.rtx_ssrcs, strict=True)
        text += [f"a=ssrc-group:FID {media} {rtx}" for media, rtx in pairs]
    return text + [f"a=ssrc:{ssrc} cname:keyed" for ssrc in (*line.ssrcs, *line.rtx_ssrcs)]
