"""Does a description fit the one before it? (JSEP, RFC 8829 sections 5.2.2 and 5.3.1)"""

from collections.abc import Sequence

from sfu.sdp.description import Description, Direction
from sfu.sdp.errors import SdpError
from sfu.sdp.offer import OfferSection

_LEGAL_SENDING: tuple[Direction, ...] = ("recvonly", "inactive")


def check_next_offer(before: Description, offer: Description) -> None:
    """Raise SdpError when an offer drops m-lines of the one before, or puts another in a live one's place."""
    if len(offer.sections) < len(before.sections):
        raise SdpError("m-lines are gone")
    for old, new in zip(before.sections, offer.sections, strict=False):
        if not old.rejected and (new.mid != old.mid or new.kind != old.kind):
            raise SdpError(f"m-line {old.mid} became {new.mid}")


def check_answer(sections: Sequence[OfferSection], data_mid: str | None, answer: Description) -> None:
    """Raise SdpError when a client's answer isn't one to our offer: other m-lines, a direction that doesn't
    match, or no DTLS role."""
    expected = [(section.mid, section.kind) for section in sections]
    if data_mid is not None:
        expected.insert(0, (data_mid, "application"))
    if [(section.mid, section.kind) for section in answer.sections] != expected:
        raise SdpError("the answer's m-lines are not the offer's")
    directions = {section.mid: section.direction for section in sections}
    for section in answer.sections:
        offered = directions.get(section.mid)
        if offered == "sendonly" and not section.rejected and section.direction not in _LEGAL_SENDING:
            raise SdpError(f"{section.direction} can't answer {offered}")
    if answer.transport and answer.setup not in ("active", "passive"):
        raise SdpError("the answer takes no DTLS role")
