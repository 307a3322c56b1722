"""Large rooms hear of those who publish nothing a little later, and all together."""

from livekit.protocol import models, rtc

from rooms.administration import Administration
from rooms.news import DELAY_S, LARGE_ROOM
from tests.harness.rooms import Guest, House

DISCONNECTED = models.ParticipantInfo.DISCONNECTED


def crowd(house: House, size: int = LARGE_ROOM) -> list[Guest]:
    """A room of so many, of whom all has been told."""
    guests = [house.join(f"guest-{n}") for n in range(size)]
    settle(house, guests)
    return guests


def settle(house: House, guests: list[Guest]) -> None:
    house.advance(2 * DELAY_S)
    for guest in guests:
        guest.clear()


def told(guest: Guest) -> list[list[tuple[str, int]]]:
    """Identities and states of each update."""
    return [[(info.identity, info.state) for info in one.participants] for one in guest.of("update")]


def test_newcomers_are_told_together_and_know_everybody_at_once() -> None:
    house = House()
    guests = crowd(house)
    ann, bob = house.join("ann"), house.join("bob")
    assert told(guests[0]) == []
    assert {"ann", "guest-0"} <= {info.identity for info in bob.last("join").other_participants}
    assert told(bob)[0] == [("bob", models.ParticipantInfo.JOINED)]
    ann.connect()
    house.advance(DELAY_S)
    assert told(guests[0]) == [
        [("ann", models.ParticipantInfo.ACTIVE), ("bob", models.ParticipantInfo.JOINED)]
    ]


def test_small_rooms_are_told_at_once() -> None:
    house = House()
    guests = crowd(house, LARGE_ROOM - 2)
    house.join("ann")
    assert told(guests[0]) == [[("ann", models.ParticipantInfo.JOINED)]]


def test_those_who_leave_are_told_of_together() -> None:
    house = House()
    guests = crowd(house, LARGE_ROOM + 3)
    for guest in guests[:2]:
        guest.request(leave=rtc.LeaveRequest())
    assert told(guests[5]) == []
    house.advance(DELAY_S)
    assert told(guests[5]) == [[("guest-0", DISCONNECTED), ("guest-1", DISCONNECTED)]]


def test_who_comes_and_goes_meanwhile_is_gone() -> None:
    house = House()
    guests = crowd(house)
    house.join("ann").request(leave=rtc.LeaveRequest())
    house.advance(DELAY_S)
    assert told(guests[0]) == [[("ann", DISCONNECTED)]]


def test_publishers_are_told_of_at_once_and_only_once() -> None:
    house = House()
    guests = crowd(house)
    ann = house.join("ann").connect()
    sid = ann.publish("mic")
    house.advance(DELAY_S)
    updates = guests[0].of("update")
    assert [[info.identity for info in one.participants] for one in updates] == [["ann"]] * len(updates)
    assert updates[0].participants[0].tracks[0].sid == sid
    settle(house, guests)
    ann.request(leave=rtc.LeaveRequest())
    assert told(guests[0]) == [[("ann", DISCONNECTED)]]
    house.advance(DELAY_S)
    assert len(told(guests[0])) == 1


def test_who_was_away_hears_of_departures() -> None:
    house = House()
    guests = crowd(house, LARGE_ROOM + 3)
    guests[5].connect().drop_signal()
    guests[0].request(leave=rtc.LeaveRequest())
    house.advance(DELAY_S)
    guests[5].resume()
    assert [("guest-0", DISCONNECTED)] in told(guests[5])


def test_who_becomes_hidden_hears_nothing_of_its_own_departure() -> None:
    house = House()
    guests = crowd(house)
    Administration(house.service).change_rights("room", "guest-0", {"hidden": True})
    house.advance(DELAY_S)
    assert told(guests[1]) == [[("guest-0", DISCONNECTED)]]
    assert [state for update in told(guests[0]) for _, state in update] == [models.ParticipantInfo.JOINED]


def test_a_room_that_ends_tells_nothing_more() -> None:
    house = House()
    guests = crowd(house)
    house.join("ann")
    house.service.shutdown()
    settle(house, [])
    assert told(guests[0]) == []
