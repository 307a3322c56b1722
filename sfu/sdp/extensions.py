"""RTP header extensions (RFC 8285) that we answer and offer."""

from collections.abc import Mapping

from sfu.sdp.description import Section

MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
REPAIRED_RID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
TRANSPORT_CC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
ABS_CAPTURE_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
VIDEO_ORIENTATION = "urn:3gpp:video-orientation"
VIDEO_CONTENT_TYPE = "http://www.webrtc.org/experiments/rtp-hdrext/video-content-type"
VIDEO_TIMING = "http://www.webrtc.org/experiments/rtp-hdrext/video-timing"
COLOR_SPACE = "http://www.webrtc.org/experiments/rtp-hdrext/color-space"
DEPENDENCY_DESCRIPTOR = (
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
)

_SENT_AUDIO = (AUDIO_LEVEL, ABS_SEND_TIME, TRANSPORT_CC, ABS_CAPTURE_TIME)
_SENT_VIDEO = (
    ABS_SEND_TIME,
    TRANSPORT_CC,
    ABS_CAPTURE_TIME,
    DEPENDENCY_DESCRIPTOR,
    PLAYOUT_DELAY,
    VIDEO_ORIENTATION,
    VIDEO_CONTENT_TYPE,
    VIDEO_TIMING,
    COLOR_SPACE,
)
"""What may be on packets to a subscriber. All but the congestion-control pair is handed through."""

_AUDIO = frozenset({MID, *_SENT_AUDIO})
_VIDEO = frozenset({MID, RID, REPAIRED_RID, *_SENT_VIDEO})

_LAYERED = frozenset({"video/vp9", "video/av1"})

_ONE_BYTE_MAX = 14


def accept_publish(section: Section, mime: str = "video/vp9") -> dict[int, str]:
    """Extensions to answer where the client sends ``mime``, URI by id; the ids are the client's.

    Ids over 14 need the two-byte form, which takes ``extmap-allow-mixed``. The dependency descriptor is for
    codecs with spatial layers in one stream: given one, Chromium leaves picture ids and temporal layers out of
    VP8 payloads, and those are what simulcast switches and temporal layers need.
    """
    wanted = _AUDIO if section.kind == "audio" else _VIDEO
    if mime not in _LAYERED:
        wanted = wanted - {DEPENDENCY_DESCRIPTOR}
    limit = 255 if section.extmap_allow_mixed else _ONE_BYTE_MAX
    return {number: uri for number, uri in section.extensions.items() if uri in wanted and number <= limit}


def accept_subscribe(section: Section) -> dict[int, str]:
    """Extensions to answer where we send, or where nothing flows.

    The same as for publishing: Chromium fails on a later simulcast offer of its own when rid and repaired-rid
    weren't accepted on the m-lines before it, those that it receives on included.
    """
    return accept_publish(section)


def offered(kind: str) -> Mapping[int, str]:
    """Extensions of a server offer, with our own ids, one space for both kinds."""
    return _OFFERED_AUDIO if kind == "audio" else _OFFERED_VIDEO


_IDS = {
    AUDIO_LEVEL: 1,
    ABS_SEND_TIME: 2,
    TRANSPORT_CC: 3,
    MID: 4,
    PLAYOUT_DELAY: 5,
    VIDEO_CONTENT_TYPE: 6,
    VIDEO_TIMING: 7,
    COLOR_SPACE: 8,
    ABS_CAPTURE_TIME: 9,
    DEPENDENCY_DESCRIPTOR: 12,
    VIDEO_ORIENTATION: 13,
}
"""Chromium's own ids, so that its answers and later offers need no second numbering."""

_OFFERED_AUDIO = {_IDS[uri]: uri for uri in _SENT_AUDIO}
_OFFERED_VIDEO = {_IDS[uri]: uri for uri in _SENT_VIDEO}
