from typing import Any

import pytest
from livekit.protocol import models, rtc

from auth.grants import VideoGrant
from rooms.administration import Administration, ProfileChange
from rooms.config import RoomConfig
from rooms.errors import InvalidRequest, NotAllowed
from rooms.roles import PREDEFINED, ROLE, Role
from sfu.control import DropTrack
from tests.harness.rooms import Guest, House


def join(house: House, identity: str, role: str, **options: Any) -> Guest:
    return house.join(identity, claims={"attributes": {ROLE: role}}, **options).connect()


def role_of(guest: Guest) -> str:
    return guest.session.participant.attributes.get(ROLE, "")


def grant_of(guest: Guest) -> VideoGrant:
    return guest.session.participant.grant


@pytest.mark.parametrize(
    ("name", "administers", "publishes"),
    [("host", True, True), ("speaker", False, True), ("attendee", False, False)],
)
def test_the_predefined_roles(name: str, administers: bool, publishes: bool) -> None:
    guest = join(House(), "alice", name)
    assert grant_of(guest).room_admin == administers
    assert grant_of(guest).may_publish() == publishes
    assert grant_of(guest).may_publish_data()
    assert guest.of("join")[0].participant.permission.can_publish == publishes


def test_the_others_see_the_role() -> None:
    house = House()
    alice, bob = join(house, "alice", "attendee"), join(house, "bob", "host")
    assert alice.last("update").participants[0].attributes[ROLE] == "host"
    assert bob.of("join")[0].other_participants[0].attributes[ROLE] == "attendee"


def test_a_role_is_all_that_a_token_grants_in_the_room() -> None:
    guest = join(
        House(), "alice", "attendee", grant={"room_admin": True, "room_create": True, "hidden": True}
    )
    assert not grant_of(guest).room_admin
    assert not grant_of(guest).hidden
    assert grant_of(guest).room_create, "which is about other rooms"


def test_a_role_acts_from_the_join_on() -> None:
    house = House()
    nothing = {"can_update_own_metadata": False, "can_publish": False}
    host = join(house, "alice", "host", grant=nothing, metadata="m", attributes={"mood": "good"})
    assert host.session.participant.metadata == "m"
    assert join(house, "alice", "host", grant=nothing, publish="screen").identity == "alice#screen"
    for refused in ({"metadata": "m"}, {"attributes": {"mood": "good"}}):
        with pytest.raises(NotAllowed, match=r"^no permissions to access the room$"):
            join(house, "bob", "speaker", grant={"can_update_own_metadata": True}, **refused)
    with pytest.raises(NotAllowed, match=r"^no permissions to access the room$"):
        join(house, "bob", "attendee", grant={"can_publish": True}, publish="screen")


def test_who_is_asked_about_a_join_sees_what_the_role_grants() -> None:
    house = House()
    guest = join(house, "alice", "attendee", grant={"room_admin": True})
    grant = house.service.check(guest.request_).grant
    assert (grant.room_admin, grant.can_publish) == (False, False)
    plain = house.join("bob").request_
    assert house.service.check(plain) == plain


def test_an_unknown_role_is_refused() -> None:
    with pytest.raises(NotAllowed, match="there is no role king"):
        join(House(), "alice", "king")


def test_a_custom_role_and_another_host() -> None:
    own = (
        Role("host", room_admin=True, can_publish=False),
        Role("audio", can_publish_sources=("microphone",)),
    )
    house = House(RoomConfig(roles=own))
    host, singer = join(house, "alice", "host"), join(house, "bob", "audio")
    assert not grant_of(host).may_publish()
    assert singer.session.participant.permission.can_publish_sources == [models.MICROPHONE]


def test_nobody_gives_themselves_a_role_when_they_join() -> None:
    house = House()
    with pytest.raises(NotAllowed):
        house.join("alice", attributes={ROLE: "host"})
    with pytest.raises(NotAllowed):
        house.join("alice", claims={"attributes": {ROLE: "attendee"}}, attributes={ROLE: "host"})
    alice = house.join(
        "alice", claims={"attributes": {ROLE: "host"}}, attributes={ROLE: "host", "mood": "good"}
    )
    assert role_of(alice) == "host"


@pytest.mark.parametrize("wish", ["host", ""])
def test_nobody_gives_themselves_a_role_later(wish: str) -> None:
    house = House()
    guest = house.join("alice", claims={"attributes": {ROLE: "speaker"}}).connect()
    guest.session.participant.permission.can_update_metadata = True
    guest.request(update_metadata=rtc.UpdateParticipantMetadata(attributes={ROLE: wish}, request_id=7))
    assert guest.last("request_response").reason == rtc.RequestResponse.NOT_ALLOWED
    assert guest.last("request_response").request_id == 7
    assert role_of(guest) == "speaker"
    guest.request(update_metadata=rtc.UpdateParticipantMetadata(attributes={ROLE: "speaker", "mood": "good"}))
    assert guest.last("request_response").reason == rtc.RequestResponse.OK


def test_changing_the_role_changes_rights_at_once() -> None:
    house = House()
    alice, bob = join(house, "alice", "speaker"), join(house, "bob", "host")
    track = alice.publish("c1")
    info = Administration(house.service).change_role("room", "alice", "attendee")
    house.pump()
    assert info.attributes[ROLE] == "attendee"
    assert house.media.of(DropTrack)[0].track_id == track
    assert bob.last("update").participants[0].attributes[ROLE] == "attendee"
    assert not bob.last("update").participants[0].permission.can_publish
    minted = house.minter.claims[-1]
    assert minted.attributes[ROLE] == "attendee"
    assert minted.video is not None
    assert not minted.video.may_publish()
    with pytest.raises(InvalidRequest, match="there is no role king"):
        Administration(house.service).change_role("room", "alice", "king")


def test_the_server_api_changes_it_as_an_attribute() -> None:
    house = House()
    alice = join(house, "alice", "attendee")
    admin = Administration(house.service)
    admin.update_participant("room", "alice", ProfileChange(attributes={ROLE: "host", "mood": "good"}))
    assert grant_of(alice).room_admin
    assert alice.session.participant.attributes == {ROLE: "host", "mood": "good"}
    with pytest.raises(InvalidRequest):
        admin.update_participant("room", "alice", ProfileChange(name="Al", attributes={ROLE: "king"}))
    assert alice.session.participant.name == "", "all of it is refused"
    admin.update_participant("room", "alice", ProfileChange(attributes={ROLE: ""}))
    assert role_of(alice) == ""
    assert grant_of(alice).room_admin, "without a name the rights remain"


def test_a_role_that_does_not_hold_any_more_is_given_up() -> None:
    house = House()
    alice = join(house, "alice", "speaker")
    admin = Administration(house.service)
    same = models.ParticipantPermission()
    same.CopyFrom(alice.session.participant.permission)
    admin.update_participant("room", "alice", ProfileChange(permission=same))
    assert role_of(alice) == "speaker"
    admin.change_rights("room", "alice", {"can_publish": False})
    assert role_of(alice) == ""
    # So that the token that the client comes back with gives back no right that was taken.
    assert ROLE not in house.minter.claims[-1].attributes


def test_a_resume_keeps_what_the_role_became() -> None:
    house = House()
    alice, bob = join(house, "alice", "host"), join(house, "bob", "attendee")
    admin = Administration(house.service)
    admin.change_role("room", "bob", "host")
    bob.drop_signal()
    bob.resume()
    assert grant_of(bob).room_admin, "its first token is no reason to lose what came after"
    admin.change_role("room", "alice", "attendee")
    alice.drop_signal()
    alice.resume()
    assert not grant_of(alice).room_admin


def test_every_predefined_role_describes_what_it_grants() -> None:
    for role in PREDEFINED:
        granted = role.applied(VideoGrant(room_join=True, room="room"))
        assert [other.name for other in PREDEFINED if other.describes(granted)] == [role.name]
