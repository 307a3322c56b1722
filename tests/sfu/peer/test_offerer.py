"""Transports on which the server offers: one offer at a time, m-lines reused when clients can tell."""

import pytest

from sfu import control
from sfu.peer.offerer import MAX_FREE
from sfu.sdp.answer import SectionAnswer, write_answer
from sfu.sdp.errors import SdpError
from tests.harness.offers import Line
from tests.sfu.peer.parts import CLIENT, Subscriber, World, accepting, names
from tests.sfu.sdp.conftest import exchanges

VIDEO, AUDIO = Line("video", "0"), Line("audio", "0")


@pytest.fixture
def world() -> World:
    made = World()
    for number in range(4):
        made.published(f"TR_{number}", VIDEO)
    made.published("TR_mic", AUDIO)
    made.clear()
    return made


@pytest.fixture
def subscriber(world: World) -> Subscriber:
    made = Subscriber(world, first_offer_id=17)
    made.negotiate()
    return made


def test_the_first_offer_holds_the_data_m_line_alone(world: World) -> None:
    made = Subscriber(world, first_offer_id=17).next_offer()
    assert made is not None
    event, offer = made
    assert event.offer_id == 17
    assert event.mid_to_track == {}
    assert [(section.kind, section.mid) for section in offer.sections] == [("application", "data")]


def test_there_is_one_offer_at_a_time(subscriber: Subscriber) -> None:
    subscriber.subscribe("TR_0")
    made = subscriber.next_offer()
    assert made is not None
    assert made[0].offer_id == 18
    asks = subscriber.asks
    subscriber.subscribe("TR_1")
    assert subscriber.next_offer() is None
    assert subscriber.asks == asks
    subscriber.answer(made[1])
    assert subscriber.asks == asks + 1
    made = subscriber.next_offer()
    assert made is not None
    assert made[0].mid_to_track == {"0": "TR_0", "1": "TR_1"}
    subscriber.answer(made[1])
    assert subscriber.next_offer() is None


def test_a_section_says_whose_track_it_is(subscriber: Subscriber) -> None:
    down = subscriber.subscribe("TR_0")
    assert down is not None
    section = subscriber.negotiate().section("0")
    assert section is not None
    assert (section.direction, section.msid) == ("sendonly", ("PA_x|TR_0", "TR_0"))
    assert section.ssrcs == (down.ssrc,)
    assert section.rtx_ssrcs == {down.ssrc: down.rtx_ssrc}
    assert names(section)[0] == "VP8"


def test_the_answer_decides_payload_types_and_retransmission(subscriber: Subscriber) -> None:
    down = subscriber.subscribe("TR_0")
    assert down is not None
    made = subscriber.next_offer()
    assert made is not None
    offered = made[1].section("0")
    assert offered is not None
    assert down.rtx_payload_type
    subscriber.answer(made[1], mid_0=accepting(offered, only=["vp8"]))
    assert down.mid == "0"
    assert down.rtx_payload_type == 0
    assert subscriber.world.context.down_tracks.payload_type[down.row, 0] == offered.codecs[0].payload_type
    subscriber.subscribe("TR_1")
    again = subscriber.next_offer()
    assert again is not None
    section = again[1].section("0")
    assert section is not None
    assert section.rtx_ssrcs == {}


def test_an_m_line_is_reused_once_the_client_has_seen_it_idle(subscriber: Subscriber) -> None:
    subscriber.subscribe("TR_0")
    subscriber.subscribe("TR_mic")
    subscriber.negotiate()
    subscriber.unsubscribe("TR_0")
    subscriber.subscribe("TR_1")
    offer = subscriber.negotiate()
    assert [(s.mid, s.kind, s.direction) for s in offer.sections[1:]] == [
        ("0", "audio", "sendonly"),
        ("1", "video", "inactive"),
        ("2", "video", "sendonly"),
    ]
    subscriber.subscribe("TR_2")
    offer = subscriber.negotiate()
    assert [s.msid[1] if s.msid else None for s in offer.sections[1:]] == ["TR_mic", "TR_2", "TR_1"]


def test_an_m_line_is_reused_for_its_own_kind_only(subscriber: Subscriber) -> None:
    subscriber.subscribe("TR_0")
    subscriber.negotiate()
    subscriber.unsubscribe("TR_0")
    subscriber.negotiate()
    subscriber.subscribe("TR_mic")
    offer = subscriber.negotiate()
    assert [(s.kind, s.direction) for s in offer.sections[1:]] == [
        ("video", "inactive"),
        ("audio", "sendonly"),
    ]


def test_m_lines_do_not_pile_up(subscriber: Subscriber) -> None:
    for turn in range(100):
        subscriber.subscribe(f"TR_{turn % 4}")
        subscriber.negotiate()
        subscriber.unsubscribe(f"TR_{(turn + 2) % 4}")
        if turn % 2:
            subscriber.subscribe("TR_mic")
            subscriber.unsubscribe("TR_mic")
    assert len(subscriber.negotiate().sections) <= 1 + 8


def test_a_track_that_comes_back_gets_another_m_line(subscriber: Subscriber) -> None:
    """The Rust SDKs don't notice it where it was before, unless another was there in between."""
    mids = []
    for _ in range(3):
        subscriber.subscribe("TR_0")
        subscriber.negotiate()
        mids.append(subscriber.down("TR_0").mid)
        subscriber.unsubscribe("TR_0")
        subscriber.negotiate()
    assert len(set(mids)) == 3
    subscriber.subscribe("TR_1")
    subscriber.negotiate()
    assert subscriber.down("TR_1").mid == mids[0]


def test_one_track_that_comes_and_goes_takes_no_end_of_m_lines(subscriber: Subscriber) -> None:
    for _ in range(3 * MAX_FREE):
        subscriber.subscribe("TR_0")
        subscriber.negotiate()
        subscriber.unsubscribe("TR_0")
        subscriber.negotiate()
    offer = subscriber.next_offer()
    assert offer is None
    subscriber.subscribe("TR_0")
    assert len(subscriber.negotiate().sections) <= 2 + MAX_FREE + 1


def test_the_subscription_ends_while_its_offer_is_outstanding(subscriber: Subscriber) -> None:
    subscriber.subscribe("TR_0")
    made = subscriber.next_offer()
    assert made is not None
    subscriber.unsubscribe("TR_0")
    subscriber.subscribe("TR_0")  # and comes back
    subscriber.answer(made[1])
    assert not subscriber.down("TR_0").negotiated
    offer = subscriber.negotiate()
    assert [(s.mid, s.direction) for s in offer.sections[1:]] == [("0", "inactive"), ("1", "sendonly")]
    assert subscriber.down("TR_0").mid == "1"


def test_the_publisher_leaves_while_the_offer_is_outstanding(world: World, subscriber: Subscriber) -> None:
    subscriber.subscribe("TR_0")
    made = subscriber.next_offer()
    assert made is not None
    rows = len(world.context.down_tracks)
    world.sides[control.TransportId("publisher of TR_0")].close()
    assert subscriber.subscribing.down_tracks == {}
    assert len(world.context.down_tracks) == rows - 1
    subscriber.answer(made[1])
    assert subscriber.events(control.TrackBound) == []
    assert subscriber.negotiate().sections[1].direction == "inactive"


# --- answers that don't take everything ---


def test_a_rejected_m_line_is_a_refused_subscription(subscriber: Subscriber) -> None:
    subscriber.subscribe("TR_0")
    subscriber.subscribe("TR_1")
    made = subscriber.next_offer()
    assert made is not None
    subscriber.answer(made[1], mid_0=SectionAnswer(rejected=True))
    assert subscriber.events(control.SubscriptionRefused) == [
        control.SubscriptionRefused(subscriber.id, control.TrackId("TR_0"))
    ]
    assert list(subscriber.subscribing.down_tracks) == ["TR_1"]


def test_a_rejected_m_line_is_not_used_again(subscriber: Subscriber) -> None:
    subscriber.subscribe("TR_0")
    made = subscriber.next_offer()
    assert made is not None
    for number in (1, 2):
        subscriber.answer(made[1], mid_0=SectionAnswer(rejected=True))
        subscriber.subscribe(f"TR_{number}")
        made = subscriber.next_offer()
        assert made is not None
        assert made[1].sections[1].direction == "inactive"
        assert made[0].mid_to_track[str(number)] == f"TR_{number}"


def test_an_m_line_that_the_client_keeps_idle_gets_no_media(subscriber: Subscriber) -> None:
    subscriber.subscribe("TR_0")
    made = subscriber.next_offer()
    assert made is not None
    section = made[1].section("0")
    assert section is not None
    subscriber.answer(made[1], mid_0=SectionAnswer("inactive", section.codecs))
    assert subscriber.subscribing.down_tracks == {}
    assert len(subscriber.events(control.SubscriptionRefused)) == 1


def test_an_answer_to_nothing_is_an_error(subscriber: Subscriber) -> None:
    subscriber.subscribe("TR_0")
    made = subscriber.next_offer()
    assert made is not None
    subscriber.answer(made[1])
    with pytest.raises(SdpError, match="no offer"):
        subscriber.answer(made[1])


def test_an_answer_with_other_m_lines_changes_nothing(subscriber: Subscriber) -> None:
    subscriber.subscribe("TR_0")
    first = subscriber.negotiate()
    subscriber.subscribe("TR_1")
    made = subscriber.next_offer()
    assert made is not None
    stale = write_answer(first, [accepting(section) for section in first.sections], CLIENT, 1, 1)
    with pytest.raises(SdpError, match="m-lines"):
        subscriber.answer_text(stale)
    assert not subscriber.down("TR_1").negotiated
    subscriber.answer(made[1])
    assert subscriber.down("TR_1").negotiated


@pytest.mark.parametrize("name", ["life-browser-v0.b", "life-python-v0.b"])
def test_answers_of_real_clients_are_understood(name: str) -> None:
    """They were given to LiveKit's offers, so they are given to those here, with the m-lines that these have."""
    answers = [e.answer for e in exchanges() if e.name.startswith(name) and e.offerer == "server"]
    world = World()
    world.published("TR_mic", Line("audio", "0", red=True))
    subscriber = Subscriber(world)
    made = subscriber.next_offer()
    assert made is not None
    subscriber.answer_text(answers[0].replace("a=mid:0", "a=mid:data").replace("BUNDLE 0", "BUNDLE data"))
    assert subscriber.subscribe("TR_mic") is not None
    assert subscriber.next_offer() is not None


# --- both sides of bookkeeping ---


def test_a_restart_of_ice_alone_makes_an_offer(subscriber: Subscriber) -> None:
    assert subscriber.next_offer() is None
    subscriber.offerer.changed()
    made = subscriber.next_offer()
    assert made is not None
    assert made[0].offer_id == 18


def test_closing_gives_all_rows_back(world: World, subscriber: Subscriber) -> None:
    before = len(world.context.down_tracks)
    for number in range(4):
        subscriber.subscribe(f"TR_{number}")
    subscriber.negotiate()
    subscriber.close()
    assert len(world.context.down_tracks) == before
    assert all(not track.down_tracks for track in world.context.tracks.values())
