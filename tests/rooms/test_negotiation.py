import pytest
from livekit.protocol import models, rtc

from rooms.publishing import unpublish
from sfu.control import Answer, NegotiationFailed, Offer, SectionsNeeded, TransportId
from tests.harness.rooms import House


def test_offer_that_is_not_sdp_starts_anew() -> None:
    house = House()
    alice, bob = house.pair()
    alice.request(offer=rtc.SessionDescription(type="offer", sdp="nonsense", id=3))
    leave = alice.last("leave")
    assert (leave.action, leave.reason) == (rtc.LeaveRequest.RECONNECT, models.STATE_MISMATCH)
    assert bob.last("update").participants[0].disconnect_reason == models.STATE_MISMATCH


def test_negotiation_failed_on_a_transport_that_is_gone_means_nothing() -> None:
    house = House()
    alice, _ = house.pair()
    house.event(NegotiationFailed(TransportId("PA_gone.single"), "x"))
    assert alice.kinds() == []


@pytest.mark.parametrize("offer_id", [0, None])
def test_answers_are_known_by_the_outstanding_offer(offer_id: int | None) -> None:
    house = House()
    alice = house.join("alice", v0=True)
    waiting = alice.last("offer").id
    alice.answer(waiting if offer_id is None else offer_id)
    assert [command.offer_id for command in house.media.of(Answer)] == [waiting]


def test_late_and_unasked_answers_are_ignored() -> None:
    house = House()
    alice = house.join("alice", v0=True)
    waiting = alice.last("offer").id
    alice.answer(waiting + 7)
    alice.answer(waiting)
    alice.answer(waiting)
    single = house.join("single")
    single.answer(1)
    assert len(house.media.of(Answer)) == 1
    assert not alice.of("leave")


def test_offers_go_to_the_publishing_transport() -> None:
    house = House()
    dual, single = house.join("dual", v0=True), house.join("single")
    house.media.commands.clear()
    dual.offer(offer_id=4)
    single.offer(offer_id=5)
    assert [(offer.transport_id, offer.offer_id) for offer in house.media.of(Offer)] == [
        (dual.session.legs.publishing, 4),
        (single.primary, 5),
    ]


def test_needed_sections_are_passed_on() -> None:
    house = House()
    alice, _ = house.pair()
    house.event(SectionsNeeded(TransportId(alice.primary), 2, 1))
    requirement = alice.last("media_sections_requirement")
    assert (requirement.num_audios, requirement.num_videos) == (2, 1)


@pytest.mark.parametrize("candidate", ["nonsense", "[]", "7", "", "[" * 100_000, '{"a":' * 5000])
def test_trickle_that_is_not_json_is_told(candidate: str) -> None:
    house = House()
    alice, _ = house.pair()
    alice.request(trickle=rtc.TrickleRequest(candidateInit=candidate))
    assert alice.last("request_response").reason == rtc.RequestResponse.UNCLASSIFIED_ERROR
    assert alice.last("request_response").trickle.candidateInit == candidate


def test_candidates_are_taken_silently() -> None:
    house = House()
    alice, _ = house.pair()
    alice.request(
        trickle=rtc.TrickleRequest(candidateInit='{"candidate":"candidate:1 1 udp 1 192.0.2.2 9 typ host"}')
    )
    assert alice.kinds() == []


def test_sdp_that_arrives_without_a_connection_is_not_sent() -> None:
    house = House()
    alice, bob = house.pair()
    alice.drop_signal()
    bob.publish("c1")
    assert alice.kinds() == []


def test_unknown_and_empty_requests_are_skipped() -> None:
    house = House()
    alice, _ = house.pair()
    alice.session.handle(rtc.SignalRequest())
    alice.session.handle(rtc.SignalRequest(update_layers=rtc.UpdateVideoLayers()))
    alice.session.handle(rtc.SignalRequest.FromString(b"\xba\x3e\x03abc"))
    assert alice.kinds() == []


def test_every_request_empty_does_no_harm() -> None:
    house = House()
    alice, bob = house.pair()
    for field in rtc.SignalRequest.DESCRIPTOR.oneofs_by_name["message"].fields:
        if field.message_type is None or field.name in ("leave", "offer"):
            continue
        request = rtc.SignalRequest()
        getattr(request, field.name).SetInParent()
        alice.session.handle(request)
        house.pump()
    assert not alice.of("leave")
    assert bob.session.signal.connected


def test_a_track_taken_away_ends_once() -> None:
    house = House()
    alice, bob = house.pair()
    alice.publish("c1")
    bob.clear()
    (publication,) = alice.publications()
    unpublish(publication)
    house.pump()
    assert len(bob.of("update")) == 1
