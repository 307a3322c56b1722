"""Fault 66 in an engine of the test's own: what is remembered of m-lines whose names change with every offer."""

from sfu import control
from sfu.control import AnswerReady
from tests.faults.engine_peer import hall
from tests.harness.keyed_peer import PWD
from tests.harness.offers import Line, write_offer


async def test_66_rejected_m_lines_under_ever_new_names() -> None:
    """A rejected m-line may be used again under another name (RFC 8829 section 5.2.2), as often as one likes."""
    async with hall() as here:
        peer = here.peer("guest")
        for turn in range(20):
            lines = [Line("video", f"{turn}x{number}", "sendonly", cid="c") for number in range(50)]
            text = write_offer(lines, peer.ufrag, PWD).replace("VP8/90000", "unheard-of/90000")
            here.engine.execute(control.Offer(peer.id, turn, text))
        assert [event.offer_id for event in peer.events if isinstance(event, AnswerReady)] == list(range(20))
        transport = here.engine.transports[peer.id]
        assert len(transport._answerer._sent_on) == 50
        assert len(transport.publishing._lines) <= 50
