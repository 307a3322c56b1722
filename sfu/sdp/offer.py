"""Write the offers of a subscriber transport, where the server offers (LiveKit's ``/rtc``)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sfu.sdp import write
from sfu.sdp.description import Codec, Direction
from sfu.sdp.write import LocalTransport, SendingTrack


@dataclass(frozen=True, slots=True)
class OfferSection:
    """One media section, in the order in which it was first offered; those no longer used stay, inactive."""

    kind: str
    mid: str
    direction: Direction
    codecs: tuple[Codec, ...]
    extensions: Mapping[int, str] = field(default_factory=dict)
    sending: SendingTrack | None = None


def write_offer(
    sections: Sequence[OfferSection],
    local: LocalTransport,
    session_id: int,
    version: int,
    data_mid: str | None = None,
) -> str:
    """The offer as SDP text: the data section first when ``data_mid`` names one, then the media sections.

    ``local.setup`` is not used: an offer leaves the DTLS role to the client.
    """
    mids = ([data_mid] if data_mid is not None else []) + [section.mid for section in sections]
    lines = write.session_lines(local, session_id, version, mids, extmap_allow_mixed=True)
    transport = write.transport_lines(local, "actpass")
    if data_mid is not None:
        lines += [
            f"m=application 9 {write.DATA_PROTOCOL} webrtc-datachannel",
            "c=IN IP4 0.0.0.0",
            f"a=mid:{data_mid}",
            *transport,
            "a=sendrecv",
            *write.data_lines(),
        ]
    for section in sections:
        lines += _media_lines(section, transport)
    return write.joined(lines)


def _media_lines(section: OfferSection, transport: Sequence[str]) -> list[str]:
    payload_types = " ".join(str(codec.payload_type) for codec in section.codecs)
    return [
        f"m={section.kind} 9 {write.MEDIA_PROTOCOL} {payload_types}",
        "c=IN IP4 0.0.0.0",
        f"a=mid:{section.mid}",
        *transport,
        "a=rtcp-mux",
        "a=rtcp-rsize",
        *write.codec_lines(section.codecs),
        *write.extension_lines(section.extensions),
        *(write.sending_lines(section.sending) if section.sending else []),
        write.direction_line(section.direction),
    ]
