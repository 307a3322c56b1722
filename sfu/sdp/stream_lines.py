"""Read what an m-line says of its streams: msid, ssrc, rid and simulcast (RFC 8830, 5576, 8851, 8853)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sfu.sdp.attributes import Attributes
from sfu.sdp.errors import SdpError

MAX_RIDS = 16
MAX_SSRCS = 64
MAX_MSID = 256
"""Characters of a stream or track id."""

_RID = re.compile(r"([A-Za-z0-9_-]{1,16}) +send(?: .*)?")
_SSRC = re.compile(r"\d{1,10}")


@dataclass(frozen=True, slots=True)
class Streams:
    """SSRCs of an m-line; see ``Section`` for the fields."""

    ssrcs: tuple[int, ...]
    rtx_ssrcs: Mapping[int, int]
    sim_group: tuple[int, ...]


_NO_STREAMS = Streams((), {}, ())


def read_ssrcs(attributes: Attributes) -> Streams:
    """SSRCs and groups. A bare ``ssrc:1`` counts, an unreadable one is skipped; SdpError over the limit."""
    if "ssrc" not in attributes and "ssrc-group" not in attributes:
        return _NO_STREAMS
    declared = dict.fromkeys(_ssrc_numbers(line.partition(" ")[0] for line in attributes.get("ssrc", ())))
    rtx: dict[int, int] = {}
    secondary: set[int] = set()
    sim_group: tuple[int, ...] = ()
    groups = attributes.get("ssrc-group", ())
    if len(declared) > MAX_SSRCS or len(groups) > MAX_SSRCS:
        raise SdpError("too many SSRCs")
    for group in groups:
        semantics, *words = group.split() or [""]
        numbers = _ssrc_numbers(words)
        if semantics == "SIM" and not sim_group:
            sim_group = tuple(numbers[:MAX_RIDS])
        elif semantics in ("FID", "FEC-FR") and len(numbers) == 2:
            secondary.add(numbers[1])
            if semantics == "FID":
                rtx.setdefault(numbers[0], numbers[1])
    return Streams(tuple(ssrc for ssrc in declared if ssrc not in secondary), rtx, sim_group)


def _ssrc_numbers(words: Iterable[str]) -> list[int]:
    numbers = (int(word) for word in words if _SSRC.fullmatch(word))
    return [number for number in numbers if 0 < number < 2**32]


def read_rids(attributes: Attributes) -> tuple[tuple[str, ...], bool]:
    """The rids that the client sends, and whether as simulcast.

    Of alternatives (``a,b``) the first that is declared counts; a paused one (``~``) is taken like others;
    ids without a declaration are left out (RFC 8853 section 5.2). Raises SdpError over the limit.
    """
    lines = attributes.get("rid", ())
    if not lines:
        return (), False
    matches = [_RID.fullmatch(line.strip()) for line in lines]
    declared = tuple(dict.fromkeys(match[1] for match in matches if match))
    if len(declared) > MAX_RIDS:
        raise SdpError("too many rids")
    ordered = []
    for alternatives in _simulcast_send(attributes).split(";"):
        names = (name.strip().removeprefix("~") for name in alternatives.split(","))
        ordered += [name for name in names if name in declared][:1]
    rids = tuple(dict.fromkeys(ordered))
    return (rids, True) if rids else (declared, False)


def _simulcast_send(attributes: Attributes) -> str:
    """The list after ``send`` of the simulcast line."""
    words = (attributes.get("simulcast") or [""])[0].split()
    return words[words.index("send") + 1] if "send" in words[:-1] else ""


def read_msid(attributes: Attributes) -> tuple[str, str] | None:
    """Stream and track id from the msid line, else from an SSRC's; None when neither is there."""
    for line in attributes.get("msid", ()):
        return _ids(line)
    for line in attributes.get("ssrc", ()):
        _, _, attribute = line.partition(" ")
        if attribute.startswith("msid:"):
            return _ids(attribute.removeprefix("msid:"))
    return None


def _ids(text: str) -> tuple[str, str] | None:
    stream_id, _, track_id = text.strip().partition(" ")
    track_id = track_id.strip()
    if not stream_id or max(len(stream_id), len(track_id)) > MAX_MSID:
        return None
    return stream_id, track_id
