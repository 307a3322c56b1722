"""Offers one at a time."""

from hubbub.load.negotiation import MAX_LINES, Negotiation
from hubbub.load.sdp import Credentials, Line
from sfu.sdp.parse import parse

CREDENTIALS = Credentials("abcdefgh", "0123456789abcdef01234567", ":".join(["AB"] * 32))
ANSWER = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"


def kinds(offer: str | None) -> list[str]:
    assert offer is not None
    return [section.kind for section in parse(offer).sections]


def test_the_first_offer_is_that_of_the_sdks() -> None:
    negotiation = Negotiation(CREDENTIALS, 1)
    assert kinds(negotiation.next_offer()) == ["audio"] * 3 + ["video"] * 3 + ["application"]
    assert negotiation.offer_id == 1


def test_what_comes_up_during_an_offer_waits_for_its_answer() -> None:
    negotiation = Negotiation(CREDENTIALS, 1)
    negotiation.next_offer()
    negotiation.require(1, 2)
    negotiation.publish([Line("video", "cam", ("q", "h", "f"))])
    assert negotiation.next_offer() is None
    negotiation.answer(ANSWER)
    offer = negotiation.next_offer()
    assert kinds(offer)[7:] == ["audio", "video", "video", "video"]
    assert negotiation.mid("cam") == "10"
    assert negotiation.offer_id == 2
    negotiation.answer(ANSWER)
    assert negotiation.next_offer() is None


def test_a_requirement_of_nothing_is_news_too() -> None:
    negotiation = Negotiation(CREDENTIALS, 1)
    negotiation.next_offer()
    negotiation.answer(ANSWER)
    negotiation.require(0, 0)
    assert len(kinds(negotiation.next_offer())) == 7


def test_lines_are_bounded() -> None:
    negotiation = Negotiation(CREDENTIALS, 1)
    negotiation.require(2 * MAX_LINES, 4)
    assert len(kinds(negotiation.next_offer())) == MAX_LINES
