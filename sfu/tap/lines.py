"""The m-lines of a client in our own process, and the offers that are made of them.

A client of ``/rtc/v1`` makes all offers. One is under way at a time; what comes up meanwhile goes into the next.
"""

from dataclasses import dataclass

from sfu.control import MediaKind
from sfu.rtp.extensions import ExtensionUri

PAYLOAD_TYPES = {MediaKind.AUDIO: 111, MediaKind.VIDEO: 96}
CLOCK_RATES = {MediaKind.AUDIO: 48_000, MediaKind.VIDEO: 90_000}
LEVEL_ID = 1
"""Of the audio level among the header extensions."""
MAX_LINES = 1000
"""More are not offered; nobody reads more."""

_CODECS = {
    MediaKind.AUDIO: ("rtpmap:111 opus/48000/2", "fmtp:111 minptime=10;useinbandfec=1;stereo=1"),
    MediaKind.VIDEO: ("rtpmap:96 VP8/90000", "rtcp-fb:96 nack pli", "rtcp-fb:96 ccm fir"),
}
_FINGERPRINT = ":".join(["00"] * 32)


@dataclass(slots=True)
class _Line:
    """One m-line; its mid is its place."""

    kind: MediaKind | None
    """None for data."""
    sends: bool = False
    """Once a line to send on, always one."""
    cid: str = ""
    """The track on it, if it sends; the streams of all of them are named after it."""
    ssrc: int = 0


class Lines:
    """Which tracks are sent on which line, and how many lines there are to receive on."""

    def __init__(self) -> None:
        self._lines = [_Line(None)]
        self._version = 0
        self._waiting = False
        self._wanted = True

    def publish(self, cid: str, kind: MediaKind, ssrc: int) -> None:
        """Send a track from the next offer on."""
        line = next((one for one in self._lines if one.sends and not one.cid and one.kind is kind), None)
        if line is None:
            line = _Line(kind, sends=True)
            self._lines.append(line)
        line.cid, line.ssrc = cid, ssrc
        self._wanted = True

    def unpublish(self, cid: str) -> None:
        """Send a track no longer."""
        for line in self._lines:
            if line.cid == cid:
                line.cid, line.ssrc = "", 0
                self._wanted = True

    def require(self, audios: int, videos: int) -> None:
        """Add as many lines to receive on, and offer again even for none: the other side has news."""
        wanted = [_Line(MediaKind.AUDIO) for _ in range(audios)]
        wanted += [_Line(MediaKind.VIDEO) for _ in range(videos)]
        self._lines += wanted[: max(MAX_LINES - len(self._lines), 0)]
        self._wanted = True

    def next_offer(self) -> str | None:
        """The offer to make now, if there is one; it counts as made."""
        if self._waiting or not self._wanted:
            return None
        self._wanted, self._waiting = False, True
        self._version += 1
        mids = " ".join(str(mid) for mid in range(len(self._lines)))
        text = [
            "v=0",
            f"o=- 1 {self._version} IN IP4 127.0.0.1",
            "s=-",
            "t=0 0",
            f"a=group:BUNDLE {mids}",
            "a=msid-semantic: WMS",
        ]
        for mid, line in enumerate(self._lines):
            text += _section(mid, line)
        return "\r\n".join(text) + "\r\n"

    def answered(self) -> None:
        """The offer was answered: the next may be made."""
        self._waiting = False


def _section(mid: int, line: _Line) -> list[str]:
    common = [
        "c=IN IP4 0.0.0.0",
        "a=ice-ufrag:resident",
        "a=ice-pwd:resident-of-this-very-process",
        f"a=fingerprint:sha-256 {_FINGERPRINT}",
        "a=setup:actpass",
        f"a=mid:{mid}",
    ]
    if line.kind is None:
        return ["m=application 9 UDP/DTLS/SCTP webrtc-datachannel", *common, "a=sctp-port:5000"]
    direction = "recvonly" if not line.sends else "sendonly" if line.cid else "inactive"
    text = [
        f"m={line.kind.value} 9 UDP/TLS/RTP/SAVPF {PAYLOAD_TYPES[line.kind]}",
        *common,
        f"a={direction}",
        "a=rtcp-mux",
        *(f"a={attribute}" for attribute in _CODECS[line.kind]),
    ]
    if line.kind is MediaKind.AUDIO:
        text.append(f"a=extmap:{LEVEL_ID} {ExtensionUri.AUDIO_LEVEL}")
    if line.cid:
        text += [f"a=msid:{line.cid} {line.cid}", f"a=ssrc:{line.ssrc} cname:{line.cid}"]
    return text
