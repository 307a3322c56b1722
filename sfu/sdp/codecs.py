"""Which codecs go into our answers and offers, in which order, with which feedback and parameters.

The server forwards and never decodes, so the table holds what clients can exchange with each other: common
profiles only, because what one publishes all others should be able to take. Payload types are the offerer's.
"""

from collections.abc import Sequence
from dataclasses import replace

from sfu.sdp.description import Codec, Section

VIDEO_FEEDBACK = ("transport-cc", "ccm fir", "nack", "nack pli")
"""What we do with rtcp-fb of video. Not goog-remb: given both, clients would run two estimators."""
AUDIO_FEEDBACK = ("transport-cc",)

STEREO_BITRATE_BPS = 510_000
"""``maxaveragebitrate`` for stereo audio, the most that Opus takes (RFC 7587 section 6.1)."""

_OPUS = "audio/opus"
_RED = "audio/red"
_RTX = "video/rtx"

_OPUS_OWN = ("stereo", "sprop-stereo", "maxaveragebitrate", "usedtx")
"""Opus parameters that we decide on and don't repeat from an offer."""

_H264_RANK = {"42": 0, "4d": 1, "64": 2}
"""Baseline, Main, High by profile_idc: a decoder of a higher one takes streams of a lower one."""

_COMMON_FMTP = {"video/h264": "packetization-mode=1;profile-level-id=42e01f"}
"""What to assume of a track that is sent without fmtp."""

_SHAPES = {
    _OPUS: (48000, 2),
    "audio/g722": (8000, 1),
    "audio/pcmu": (8000, 1),
    "audio/pcma": (8000, 1),
    "video/vp8": (90000, 1),
    "video/vp9": (90000, 1),
    "video/h264": (90000, 1),
    "video/h265": (90000, 1),
    "video/av1": (90000, 1),
}
"""Clock rate and channels of what we forward; RED and RTX come along with these."""


def accept_publish(
    section: Section, preferred: str = "", red: bool = True, dtx: bool = True, stereo: bool = False
) -> tuple[Codec, ...]:
    """Codecs to answer where the client sends, the one that it shall use first; empty when none is known.

    ``preferred`` is a name (``vp8``) or MIME type; empty keeps the client's order, except that of H264's
    profiles constrained baseline, which every decoder takes, comes first. ``red`` puts redundant audio before
    Opus, else after it. ``dtx`` and ``stereo`` set the Opus parameters that make a client use them.
    """
    wanted = preferred.lower().rpartition("/")[2]
    codecs = _supported(section.codecs)
    names = list(dict.fromkeys(codec.name.lower() for codec in codecs))

    def rank(codec: Codec) -> tuple[bool, int, bool]:
        name = codec.name.lower()
        return name != wanted, names.index(name), not _is_common_h264(codec)

    codecs.sort(key=rank)
    parameters = ["usedtx=1"] if dtx else []
    if stereo:
        parameters += ["stereo=1", f"maxaveragebitrate={STEREO_BITRATE_BPS}"]
    return _finish(section.codecs, codecs, parameters, red_first=red)


def accept_subscribe(
    section: Section, mimes: Sequence[str], fmtp: str = "", stereo: bool = False
) -> tuple[Codec, ...]:
    """Codecs to answer where we send a track; the first is what to send, and none means that the client can't
    take the track.

    ``mimes`` are the track's MIME types in order of preference, in any case; ``audio/red`` brings its Opus
    along. ``fmtp`` is what the publisher negotiated for the first: it decides which H264, VP9, AV1 or H265
    profiles will do.
    """
    return _choose(section.codecs, mimes, fmtp, stereo)


def accept_idle(section: Section) -> tuple[Codec, ...]:
    """Codecs to answer where nothing flows for now: everything that may flow later."""
    return accept_publish(section, dtx=False)


def offer_codecs(mimes: Sequence[str], fmtp: str = "", stereo: bool = False) -> tuple[Codec, ...]:
    """Codecs to offer for a track, with our own payload types; arguments as for ``accept_subscribe``."""
    return _choose(OFFERED, mimes, fmtp, stereo)


def _choose(offered: Sequence[Codec], mimes: Sequence[str], fmtp: str, stereo: bool) -> tuple[Codec, ...]:
    known = _supported(offered)
    wanted = [mime.lower() for mime in mimes]
    red_first = _RED in wanted and (_OPUS not in wanted or wanted.index(_RED) < wanted.index(_OPUS))
    names = dict.fromkeys(_OPUS if mime == _RED else mime for mime in wanted)
    chosen: list[Codec] = []
    for number, mime in enumerate(names):
        sent = Codec(0, mime, "", 0, fmtp=fmtp if fmtp and number == 0 else _COMMON_FMTP.get(mime, ""))
        fitting = [codec for codec in known if codec.mime == mime and _decodes(codec, sent)]
        chosen += sorted(fitting, key=lambda codec: _profile(codec) != _profile(sent))
    with_red = offered if _RED in wanted else [codec for codec in offered if codec.mime != _RED]
    return _finish(with_red, chosen, ["sprop-stereo=1"] if stereo else [], red_first)


def _supported(offered: Sequence[Codec]) -> list[Codec]:
    """The media codecs that we forward, RED and RTX not among them."""
    return [
        codec
        for codec in offered
        if _SHAPES.get(codec.mime) == (codec.clock_rate, codec.channels)
        and not _is_rtcp(codec)
        and _profile(codec) is not None
    ]


def _is_rtcp(codec: Codec) -> bool:
    """Whether the payload type can't be told from RTCP on one port (RFC 5761 section 4)."""
    return 64 <= codec.payload_type <= 95


def _profile(codec: Codec) -> tuple[int, ...] | None:
    """What must fit between sender and receiver; None for what we don't forward.

    VP9 (RFC 9628): profile 0 or 2. AV1: profile 0. H265 (RFC 7798): Main or Main 10. H264 (RFC 6184), in
    packetization mode 1 only: rank of profile_idc, and whether its constrained form.
    """
    parameters = codec.parameters
    match codec.mime:
        case "video/vp9":
            return {"0": (0,), "2": (2,)}.get(parameters.get("profile-id", "0"))
        case "video/av1":
            return {"0": (0,)}.get(parameters.get("profile", "0"))
        case "video/h265":
            return {"1": (1,), "2": (2,)}.get(parameters.get("profile-id", "1"))
        case "video/h264":
            level_id = parameters.get("profile-level-id", "420010").lower()
            rank = _H264_RANK.get(level_id[:2])
            if rank is None or len(level_id) != 6 or parameters.get("packetization-mode") != "1":
                return None
            return rank, int(level_id[2] in "4567cdef")
    return ()


def _decodes(offered: Codec, sent: Codec) -> bool:
    """Whether who offers the one, which is forwardable, can take the other."""
    theirs, ours = _profile(offered), _profile(sent)
    if theirs and ours and offered.mime == "video/h264":
        return theirs[0] >= ours[0]
    return theirs == ours


def _is_common_h264(codec: Codec) -> bool:
    return codec.mime != "video/h264" or _profile(codec) == (0, True)


def _finish(
    offered: Sequence[Codec], chosen: Sequence[Codec], opus_parameters: Sequence[str], red_first: bool
) -> tuple[Codec, ...]:
    """Chosen codecs as we write them: RED beside its Opus, RTX behind what it repairs, feedback filtered."""
    beside = [codec for codec in offered if codec.mime in (_RED, _RTX) and not _is_rtcp(codec)]
    finished: list[Codec] = []
    for codec in chosen:
        ours = _ours(codec, opus_parameters)
        red = [_ours(other, ()) for other in beside if _is_red_of(other, codec)][:1]
        rtx = [_ours(other, ()) for other in beside if _is_rtx_of(other, codec)][:1]
        finished += [*red, ours, *rtx] if red_first else [ours, *red, *rtx]
    return tuple(finished)


def _ours(codec: Codec, opus_parameters: Sequence[str]) -> Codec:
    supported = VIDEO_FEEDBACK if codec.mime.startswith("video/") else AUDIO_FEEDBACK
    feedback = tuple(value for value in codec.feedback if value in supported)
    fmtp = codec.fmtp
    if codec.mime == _OPUS:
        parts = [part for part in fmtp.split(";") if part and part.partition("=")[0].lower() not in _OPUS_OWN]
        fmtp = ";".join([*parts, *opus_parameters])
    return replace(codec, feedback=feedback, fmtp=fmtp)


def _is_red_of(codec: Codec, primary: Codec) -> bool:
    """Whether the codec is RED (RFC 2198) over the primary Opus, as its fmtp ``111/111`` says."""
    if codec.mime != _RED or primary.mime != _OPUS or codec.clock_rate != primary.clock_rate:
        return False
    return set(codec.fmtp.split("/")) == {str(primary.payload_type)}


def _is_rtx_of(codec: Codec, primary: Codec) -> bool:
    return codec.mime == _RTX and codec.apt == primary.payload_type


def _video(payload_type: int, name: str, rtx_payload_type: int, fmtp: str = "") -> tuple[Codec, Codec]:
    return (
        Codec(payload_type, f"video/{name.lower()}", name, 90000, 1, fmtp, VIDEO_FEEDBACK),
        Codec(rtx_payload_type, _RTX, "rtx", 90000, 1, f"apt={payload_type}"),
    )


def _h264(payload_type: int, profile_level_id: str) -> tuple[Codec, Codec]:
    fmtp = f"level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={profile_level_id}"
    return _video(payload_type, "H264", payload_type + 1, fmtp)


OFFERED: tuple[Codec, ...] = (
    Codec(111, _OPUS, "opus", 48000, 2, "minptime=10;useinbandfec=1", AUDIO_FEEDBACK),
    Codec(63, _RED, "red", 48000, 2, "111/111"),
    Codec(9, "audio/g722", "G722", 8000),
    Codec(0, "audio/pcmu", "PCMU", 8000),
    Codec(8, "audio/pcma", "PCMA", 8000),
    *_video(96, "VP8", 97),
    *_video(98, "VP9", 99, "profile-id=0"),
    *_video(100, "VP9", 101, "profile-id=2"),
    *_h264(108, "42e01f"),
    *_h264(102, "42001f"),
    *_h264(112, "4d001f"),
    *_h264(122, "640032"),
    *_video(35, "AV1", 36),
    *_video(116, "H265", 117),
)
"""Every codec of server offers, with the payload types of LiveKit's or Chromium's where they have one."""
