from livekit.protocol import models, rtc

from rooms.config import RoomConfig
from sfu.control import CloseTransport, TransportConnected, TransportFailed, TransportId
from tests.harness.rooms import Guest, House

RESUME, RECONNECT = rtc.LeaveRequest.RESUME, rtc.LeaveRequest.RECONNECT


def fail(house: House, guest: Guest) -> None:
    house.event(TransportFailed(TransportId(guest.primary), "ICE: the peer is silent"))


def departure(guest: Guest) -> models.ParticipantInfo:
    (info,) = guest.last("update").participants
    assert info.state == models.ParticipantInfo.DISCONNECTED
    return info


def test_primary_transport_makes_active() -> None:
    house = House()
    alice = house.join("alice", v0=True)
    house.event(TransportConnected(alice.session.legs.publishing))
    assert not alice.session.participant.active
    house.event(TransportConnected(TransportId(alice.primary)))
    assert alice.session.participant.active
    versions = [update.participants[0].version for update in alice.of("update")]
    assert versions == sorted(set(versions))


def test_never_connected_is_a_failed_join() -> None:
    house = House()
    bob = house.join("bob").connect()
    alice = house.join("alice")
    house.advance(59.9)
    assert not alice.of("leave")
    house.advance(0.2)
    leave = alice.last("leave")
    assert (leave.reason, leave.action) == (models.JOIN_FAILURE, rtc.LeaveRequest.DISCONNECT)
    assert alice.sink.closed_with == 1000
    assert departure(bob).disconnect_reason == models.JOIN_FAILURE
    assert CloseTransport(TransportId(alice.primary)) in house.media.commands


def test_signal_lost_before_media_ends_the_session() -> None:
    house = House()
    bob = house.join("bob").connect()
    house.join("alice").drop_signal()
    assert departure(bob).disconnect_reason == models.SIGNAL_CLOSE


def test_signal_lost_with_media_alive_is_bridged_for_a_while() -> None:
    house = House(RoomConfig(signal_loss_grace_s=30))
    alice, bob = house.pair()
    alice.drop_signal()
    house.advance(29.9)
    assert bob.kinds() == []
    house.advance(0.2)
    assert departure(bob).disconnect_reason == models.SIGNAL_CLOSE


def test_resume_ends_the_wait() -> None:
    house = House()
    alice, bob = house.pair()
    alice.drop_signal()
    house.advance(20)
    alice.resume()
    house.advance(200)
    assert not any(
        info.state == models.ParticipantInfo.DISCONNECTED
        for update in bob.of("update")
        for info in update.participants
    )


def test_an_old_connection_that_ends_late_means_nothing() -> None:
    house = House()
    alice, bob = house.pair()
    old = alice.sink
    alice.resume()
    assert old.closed_with == 1000
    assert not old.of("leave")
    alice.session.signal_lost(old)
    house.advance(60)
    assert alice.session.signal.connected
    assert bob.of("update") == []


def test_failed_media_asks_for_a_resume_and_waits_five_seconds() -> None:
    house = House()
    alice, bob = house.pair()
    fail(house, alice)
    leave = alice.last("leave")
    assert (leave.action, leave.reason) == (RESUME, models.CONNECTION_TIMEOUT)
    assert leave.can_reconnect
    assert alice.sink.closed_with == 1000
    house.advance(4.9)
    assert bob.kinds() == []
    house.advance(0.2)
    assert departure(bob).disconnect_reason == models.CONNECTION_TIMEOUT


def test_failed_media_recovers_with_a_new_answer() -> None:
    house = House()
    alice, bob = house.pair()
    fail(house, alice)
    alice.resume()
    alice.offer()
    house.advance(100)
    assert bob.kinds() == []
    assert alice.session.signal.connected


def test_failed_media_that_does_not_recover_starts_anew() -> None:
    house = House()
    alice, bob = house.pair()
    fail(house, alice)
    sink = alice.resume()
    house.advance(15.1)
    assert sink.of("leave")[-1].action == RECONNECT
    assert departure(bob).disconnect_reason == models.STATE_MISMATCH


def test_repeated_failure_does_not_prolong_the_wait() -> None:
    house = House()
    alice, bob = house.pair()
    fail(house, alice)
    house.advance(4)
    fail(house, alice)
    house.advance(1.1)
    assert departure(bob).disconnect_reason == models.CONNECTION_TIMEOUT


def test_unanswered_offer_starts_anew() -> None:
    house = House()
    alice = house.join("alice").connect()
    bob = house.join("bob", v0=True).connect()
    alice.publish("c1")
    assert bob.of("offer")
    house.advance(15.1)
    leave = bob.last("leave")
    assert (leave.action, leave.reason) == (RECONNECT, models.STATE_MISMATCH)


def test_answered_offer_does_not() -> None:
    house = House()
    alice = house.join("alice").connect()
    bob = house.join("bob", v0=True).connect()
    alice.publish("c1")
    bob.answer()
    house.advance(30)
    assert not bob.of("leave")


def test_token_is_refreshed_every_five_minutes() -> None:
    house = House()
    alice = house.join("alice").connect()
    house.advance(299)
    assert len(alice.of("refresh_token")) == 1
    house.advance(600)
    assert len(alice.of("refresh_token")) == 3


def test_client_leaves_with_its_reason() -> None:
    house = House()
    alice, bob = house.pair()
    alice.request(leave=rtc.LeaveRequest(reason=models.USER_REJECTED))
    assert alice.last("leave").reason == models.USER_REJECTED
    assert alice.sink.closed_with == 1000
    assert departure(bob).disconnect_reason == models.USER_REJECTED


def test_client_may_not_claim_a_reason_of_the_server() -> None:
    house = House()
    alice, bob = house.pair()
    alice.request(leave=rtc.LeaveRequest(reason=models.ROOM_DELETED))
    assert departure(bob).disconnect_reason == models.CLIENT_INITIATED


def test_nothing_happens_after_the_end() -> None:
    house = House()
    alice, bob = house.pair()
    alice.request(leave=rtc.LeaveRequest())
    count = len(house.media.commands)
    bob.clear()
    alice.add_track("c1", source=models.MICROPHONE)
    alice.session.signal_lost(alice.sink)
    alice.request(leave=rtc.LeaveRequest())
    fail(house, alice)
    assert len(house.media.commands) == count
    assert bob.of("update") == []


def test_timers_end_with_the_session() -> None:
    house = House()
    alice = house.join("alice").connect()
    alice.publish("c1", models.CAMERA)
    alice.request(subscription=rtc.UpdateSubscription(track_sids=["TR_x"], subscribe=True))
    alice.request(simulate=rtc.SimulateScenario(speaker_update=5))
    alice.request(leave=rtc.LeaveRequest())
    house.service.room("room").close(models.ROOM_DELETED)
    assert house.service.next_timeout() is None


def test_observer_hears_of_people_in_order() -> None:
    house = House()
    alice = house.join("alice")
    house.join("bob").drop_signal()
    alice.connect()
    alice.resume()
    alice.request(leave=rtc.LeaveRequest())
    house.advance(21)
    assert house.observer.heard == [
        ("room_started", "room"),
        ("participant_aborted", "bob"),
        ("participant_joined", "alice"),
        ("participant_left", "alice"),
        ("room_finished", "room"),
    ]
