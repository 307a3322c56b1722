"""Read the codec block of an m-line: rtpmap, fmtp and rtcp-fb (RFC 8866, RFC 4585)."""

from collections.abc import Sequence

from sfu.sdp.description import Codec
from sfu.sdp.errors import SdpError

MAX_FORMATS = 128
MAX_FEEDBACK = 32
"""``rtcp-fb`` values of one codec; Chromium writes 5."""

_STATIC = {
    "0": ("PCMU", 8000, 1),
    "8": ("PCMA", 8000, 1),
    "9": ("G722", 8000, 1),
    "13": ("CN", 8000, 1),
}
"""Payload types that need no rtpmap (RFC 3551 section 6)."""


def read_codecs(
    kind: str, formats: Sequence[str], maps: Sequence[str], fmtps: Sequence[str], feedback: Sequence[str]
) -> tuple[Codec, ...]:
    """The codecs of an m-line's formats, in their order. Lines about other payload types are ignored, as are
    formats that nothing describes; of two lines about one the first counts. Raises SdpError."""
    names = _by_format(maps)
    parameters = _by_format(fmtps)
    found = []
    everywhere, by_format = _feedback(feedback)
    for text in dict.fromkeys(formats):
        if not (text.isascii() and text.isdigit()) or len(text) > 3 or int(text) > 127:
            raise SdpError("bad payload type")
        described = _rtpmap(names[text]) if text in names else _STATIC.get(text)
        if described is None:
            continue
        name, clock_rate, channels = described
        own = by_format.get(text, ())
        found.append(
            Codec(
                payload_type=int(text),
                mime=f"{kind}/{name.lower()}",
                name=name,
                clock_rate=clock_rate,
                channels=channels,
                fmtp=_tidy(parameters.get(text, "")),
                feedback=tuple(dict.fromkeys((*own, *everywhere))) if everywhere else tuple(own),
            )
        )
    return tuple(found)


def _by_format(lines: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        payload_type, _, value = line.strip().partition(" ")
        found.setdefault(payload_type, value)
    return found


def _rtpmap(value: str) -> tuple[str, int, int] | None:
    """Name, clock rate and channels of ``opus/48000/2``; None when unreadable."""
    name, *numbers = value.strip().split("/")
    if not (name.isascii() and name.replace("-", "").replace(".", "").replace("_", "").isalnum()):
        return None
    if not 1 <= len(numbers) <= 2 or len(name) > 64:
        return None
    if not all(number.isascii() and number.isdigit() and len(number) <= 9 for number in numbers):
        return None
    return name, int(numbers[0]), int(numbers[1]) if len(numbers) == 2 else 1


def _feedback(lines: Sequence[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Values for every payload type (``*``), and for each."""
    everywhere: list[str] = []
    by_format: dict[str, list[str]] = {}
    for line in lines:
        payload_type, _, value = line.partition(" ")
        values = everywhere if payload_type == "*" else by_format.setdefault(payload_type, [])
        if len(values) >= MAX_FEEDBACK:
            raise SdpError("too much rtcp-fb")
        values.append(value.lower().strip() if "  " not in value else " ".join(value.lower().split()))
    return everywhere, by_format


def _tidy(fmtp: str) -> str:
    """Without spaces around the parts (``; key=v`` is legal); dropped when not ASCII: answers repeat it."""
    if not fmtp.isascii():
        return ""
    return ";".join(part.strip() for part in fmtp.split(";")) if " " in fmtp else fmtp
