"""RTP header extensions (RFC 8285) that we answer and offer."""

from collections.abc import Mapping

from sfu.rtp.extensions import ExtensionUri
from sfu.sdp.description import Section

MID = ExtensionUri.MID
RID = ExtensionUri.RID
REPAIRED_RID = ExtensionUri.REPAIRED_RID
AUDIO_LEVEL = ExtensionUri.AUDIO_LEVEL
ABS_SEND_TIME = ExtensionUri.ABS_SEND_TIME
TRANSPORT_CC = ExtensionUri.TRANSPORT_CC
ABS_CAPTURE_TIME = ExtensionUri.ABS_CAPTURE_TIME
PLAYOUT_DELAY = ExtensionUri.PLAYOUT_DELAY
VIDEO_ORIENTATION = ExtensionUri.VIDEO_ORIENTATION
VIDEO_CONTENT_TYPE = ExtensionUri.VIDEO_CONTENT_TYPE
VIDEO_TIMING = ExtensionUri.VIDEO_TIMING
COLOR_SPACE = ExtensionUri.COLOR_SPACE
DEPENDENCY_DESCRIPTOR = ExtensionUri.DEPENDENCY_DESCRIPTOR

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
