"""Fuzz targets of the SDP package: bytes give a description that can be answered, or an SdpError."""

from collections.abc import Callable

from sfu.sdp import codecs, extensions
from sfu.sdp.answer import LocalTransport, SectionAnswer, SendingTrack, write_answer
from sfu.sdp.description import Description, Direction, Section
from sfu.sdp.errors import SdpError
from sfu.sdp.parse import Parser, parse

_LOCAL = LocalTransport("ufrag", "p" * 24, ("sha-256", ":".join(["00"] * 32)), (), "passive")
_TRACK = SendingTrack("PA_a|TR_b", "TR_b", 1, 2, "PA_a")
_REPLIES: dict[Direction, Direction] = {
    "sendrecv": "recvonly",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}


def _reply(section: Section) -> SectionAnswer:
    direction = _REPLIES[section.direction]
    accepted = extensions.accept_publish(section)
    if direction != "sendonly":
        published = codecs.accept_publish(section, "h264", stereo=True)
        return SectionAnswer(direction, published, accepted, section.rids)
    mimes = ["video/h264", "video/vp9", "audio/red"]
    return SectionAnswer("sendonly", codecs.accept_subscribe(section, mimes), accepted, section.rids, _TRACK)


def answer_to(offer: Description) -> str:
    """Some legal answer of ours."""
    return write_answer(offer, [_reply(section) for section in offer.sections], _LOCAL, 1, 1)


def fuzz_parse(payload: bytes) -> None:
    """Parse the bytes as text; what parses is answered, and the answer parses and keeps the m-lines."""
    text = payload.decode("utf-8", "replace")
    try:
        offer = parse(text)
    except SdpError:
        return
    answer = answer_to(offer)
    answer.encode()
    if offer.transport is not None:
        back = parse(answer)
        assert [section.mid for section in back.sections] == [section.mid for section in offer.sections]
        pairs = zip(offer.sections, back.sections, strict=True)
        assert all(new.rejected for old, new in pairs if old.rejected)


def fuzz_renegotiation(payload: bytes) -> None:
    """Two descriptions, split at a NUL, through one parser: the second reads as if it were alone."""
    parser = Parser()
    read: list[Description | None] = []
    first, _, second = payload.decode("utf-8", "replace").partition("\0")
    for parse_one in (lambda: parser.parse(first), lambda: parser.parse(second), lambda: parse(second)):
        try:
            read.append(parse_one())
        except SdpError:
            read.append(None)
    assert read[1] == read[2]


TARGETS: dict[str, Callable[[bytes], None]] = {
    "sdp_parse": fuzz_parse,
    "sdp_renegotiation": fuzz_renegotiation,
}
