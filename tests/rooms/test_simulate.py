from livekit.protocol import models, rtc

from sfu.control import OpenTransport
from tests.harness.rooms import Guest, House


def simulate(guest: Guest, **scenario) -> None:
    guest.request(simulate=rtc.SimulateScenario(**scenario))


def last_reason(guest: Guest) -> int:
    (info,) = guest.last("update").participants
    assert info.state == models.ParticipantInfo.DISCONNECTED
    return info.disconnect_reason


def test_node_failure_and_migration_close_without_a_word() -> None:
    house = House()
    bob = house.join("bob").connect()
    for scenario, reason in (("node_failure", models.SERVER_SHUTDOWN), ("migration", models.MIGRATION)):
        alice = house.join("alice").connect()
        alice.clear()
        simulate(alice, **{scenario: True})
        assert alice.kinds() == []
        assert alice.sink.closed_with == 1000
        assert last_reason(bob) == reason
        assert alice.resume().of("leave")[0].action == rtc.LeaveRequest.RECONNECT


def test_server_leave() -> None:
    house = House()
    alice, bob = house.pair()
    simulate(alice, server_leave=True)
    leave = alice.last("leave")
    assert (leave.reason, leave.action) == (models.SERVER_SHUTDOWN, rtc.LeaveRequest.DISCONNECT)
    assert last_reason(bob) == models.SERVER_SHUTDOWN


def test_full_reconnect_on_request() -> None:
    house = House()
    alice, _ = house.pair()
    simulate(alice, leave_request_full_reconnect=True)
    assert alice.last("leave").action == rtc.LeaveRequest.RECONNECT


def test_tcp_alone_at_the_next_join_only() -> None:
    house = House()
    alice = house.join("alice").connect()
    simulate(alice, switch_candidate_protocol=rtc.TCP)
    alice.request(leave=rtc.LeaveRequest())
    for _ in range(2):
        house.join("alice")
    assert [command.tcp_only for command in house.media.of(OpenTransport)] == [False, True, False]


def test_tcp_is_taken_back() -> None:
    house = House()
    alice = house.join("alice").connect()
    simulate(alice, switch_candidate_protocol=rtc.TCP)
    simulate(alice, switch_candidate_protocol=rtc.UDP)
    house.join("alice")
    assert not any(command.tcp_only for command in house.media.of(OpenTransport))


def test_connection_dropped_after_a_resume() -> None:
    house = House()
    alice, bob = house.pair()
    simulate(alice, disconnect_signal_on_resume=True)
    alice.drop_signal()
    first = alice.resume()
    assert first.kinds()[0] == "reconnect"
    assert first.closed_with == 1000
    assert alice.resume().closed_with is None
    house.advance(60)
    assert alice.session.signal.connected
    assert bob.of("update") == []


def test_connection_dropped_before_the_resume_says_anything() -> None:
    house = House()
    alice, _ = house.pair()
    simulate(alice, disconnect_signal_on_resume_no_messages=True)
    alice.drop_signal()
    first = alice.resume()
    assert first.kinds() == []
    assert first.closed_with == 1000
    assert alice.resume().kinds()[0] == "reconnect"


def test_scenarios_about_a_resume_run_out() -> None:
    house = House()
    alice, _ = house.pair()
    simulate(alice, disconnect_signal_on_resume=True)
    simulate(alice, disconnect_signal_on_resume_no_messages=True)
    house.advance(5.1)
    alice.drop_signal()
    assert alice.resume().closed_with is None


def test_bandwidth_and_nothing_at_all_change_nothing() -> None:
    house = House()
    alice, _ = house.pair()
    count = len(house.media.commands)
    simulate(alice, subscriber_bandwidth=50_000)
    simulate(alice)
    simulate(alice, speaker_update=-3)
    house.advance(1)
    assert len(house.media.commands) == count
    assert "leave" not in alice.kinds()
