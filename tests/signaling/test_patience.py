"""When a connection is pinged and given up, without a clock."""

from signaling.patience import CLOSE_TIMEOUT_S, SECOND_LOOK_S, Patience


def patience() -> Patience:
    return Patience(ping_s=10.0, timeout_s=15.0, now=100.0)


def test_pings_go_out_in_their_interval() -> None:
    connection = patience()
    assert connection.next_at() == 110.0
    assert not connection.take_ping(109.9)
    assert connection.take_ping(110.5)
    assert not connection.take_ping(110.5)
    connection.heard(110.6)
    assert connection.next_at() == 120.5


def test_silence_is_believed_at_the_second_look() -> None:
    connection = patience()
    connection.take_ping(110.0)
    assert connection.next_at() == 115.0
    assert connection.end_of(114.9) is None
    assert connection.end_of(115.0) is None
    assert connection.next_at() == 115.0 + SECOND_LOOK_S
    assert connection.end_of(115.5) is None
    assert connection.end_of(115.0 + SECOND_LOOK_S) == "silent"


def test_what_came_during_a_stall_is_heard_before_the_second_look() -> None:
    connection = patience()
    assert connection.end_of(300.0) is None
    connection.heard(300.0)
    assert connection.end_of(300.0 + SECOND_LOOK_S) is None
    assert connection.end_of(314.9) is None


def test_who_reads_nothing_is_given_up_and_who_catches_up_is_not() -> None:
    connection = patience()
    connection.pause(101.0)
    for now in (108.0, 115.5):
        connection.heard(now)
        assert connection.end_of(now) is None
    assert connection.paused
    assert connection.end_of(116.0) == "slow reader"
    connection.resume()
    assert not connection.paused
    assert connection.end_of(116.0) is None


def test_a_close_has_to_be_answered_before_long() -> None:
    connection = patience()
    assert not connection.closing
    connection.close(101.0)
    assert connection.closing
    assert connection.next_at() == 101.0 + CLOSE_TIMEOUT_S
    connection.heard(102.0)
    assert connection.end_of(102.9) is None
    assert connection.end_of(101.0 + CLOSE_TIMEOUT_S) == "close unanswered"
