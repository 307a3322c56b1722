"""Write the answer to a client's offer (JSEP, RFC 8829 section 5.3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sfu.sdp import write
from sfu.sdp.description import Codec, Description, Direction, Section
from sfu.sdp.write import LocalTransport, SendingTrack

__all__ = ["LocalTransport", "SectionAnswer", "SendingTrack", "answer_setup", "write_answer"]

_LEGAL: Mapping[Direction, tuple[Direction, ...]] = {
    "sendrecv": ("sendrecv", "sendonly", "recvonly", "inactive"),
    "sendonly": ("recvonly", "inactive"),
    "recvonly": ("sendonly", "inactive"),
    "inactive": ("inactive",),
}
"""Directions that may answer an offered one (RFC 3264 section 6.1)."""


@dataclass(frozen=True, slots=True)
class SectionAnswer:
    """What we say to one offered section. Of data sections only ``rejected`` counts."""

    direction: Direction = "inactive"
    codecs: tuple[Codec, ...] = ()
    extensions: Mapping[int, str] = field(default_factory=dict)
    rids: tuple[str, ...] = ()
    """Taken of the offered ones; repeat them even when inactive, or Chromium can't offer them again."""
    sending: SendingTrack | None = None
    rejected: bool = False


def answer_setup(offered: str, preferred: Literal["passive", "active"]) -> Literal["passive", "active"]:
    """Our DTLS role given the offer's ``setup``: ours to choose unless the client took one (RFC 5763)."""
    if offered == "active":
        return "passive"
    return "active" if offered == "passive" else preferred


def write_answer(
    offer: Description,
    sections: Sequence[SectionAnswer],
    local: LocalTransport,
    session_id: int,
    version: int,
) -> str:
    """The answer as SDP text, one section for each of the offer's.

    Sections that the offer rejects, that can't be carried or that have no codec in common are answered with
    port 0 and left out of the bundle. Raises ValueError when the answers don't fit the offer, a caller's bug.
    """
    if len(sections) != len(offer.sections):
        raise ValueError(f"{len(sections)} answers to {len(offer.sections)} sections")
    pairs = list(zip(offer.sections, sections, strict=True))
    rejected = {offered.mid for offered, answer in pairs if _is_rejected(offered, answer)}
    bundle = [mid for mid in offer.bundle if mid not in rejected]
    lines = write.session_lines(local, session_id, version, bundle, offer.extmap_allow_mixed)
    transport = write.transport_lines(local, local.setup)
    for offered, answer in pairs:
        if offered.mid in rejected:
            lines += _rejection_lines(offered)
        elif offered.is_media:
            lines += _media_lines(offered, answer, transport)
            if offered.extmap_allow_mixed and not offer.extmap_allow_mixed:
                lines.append("a=extmap-allow-mixed")
        else:
            lines += _data_lines(offered, transport)
    return write.joined(lines)


def _is_rejected(offered: Section, answer: SectionAnswer) -> bool:
    return offered.rejected or answer.rejected or (offered.is_media and not answer.codecs)


def _rejection_lines(offered: Section) -> list[str]:
    return [
        f"m={offered.kind} 0 {offered.protocol} {offered.formats[0]}",
        "c=IN IP4 0.0.0.0",
        "a=inactive",
        f"a=mid:{offered.mid}",
    ]


def _media_lines(offered: Section, answer: SectionAnswer, transport: Sequence[str]) -> list[str]:
    if answer.direction not in _LEGAL[offered.direction]:
        raise ValueError(f"{answer.direction} can't answer {offered.direction} (mid {offered.mid})")
    if answer.sending and answer.direction in ("recvonly", "inactive"):
        raise ValueError(f"a track on a section that doesn't send (mid {offered.mid})")
    payload_types = " ".join(str(codec.payload_type) for codec in answer.codecs)
    return [
        f"m={offered.kind} 9 {offered.protocol} {payload_types}",
        "c=IN IP4 0.0.0.0",
        f"a=mid:{offered.mid}",
        *transport,
        "a=rtcp-mux",
        *(["a=rtcp-rsize"] if offered.rtcp_rsize else []),
        *write.codec_lines(answer.codecs),
        *write.extension_lines(answer.extensions),
        *write.rid_lines(answer.rids, simulcast=offered.simulcast_send),
        *(write.sending_lines(answer.sending) if answer.sending else []),
        write.direction_line(answer.direction),
    ]


def _data_lines(offered: Section, transport: Sequence[str]) -> list[str]:
    return [
        f"m=application 9 {offered.protocol} {offered.formats[0]}",
        "c=IN IP4 0.0.0.0",
        f"a=mid:{offered.mid}",
        *transport,
        "a=sendrecv",
        *write.data_lines(),
    ]
