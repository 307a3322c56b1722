import json
from typing import Any

import pytest
from livekit.protocol import models

from rooms.errors import Banned, Revoked, RoomLocked
from rooms.roles import ROLE
from sfu.control import SendData
from tests.harness.rooms import Guest, House


class Scene:
    """A host and two attendees who publish."""

    def __init__(self) -> None:
        self.house = House()
        self.host = self.join("host", "host")
        self.ann, self.ben = self.join("ann", "speaker"), self.join("ben", "speaker")
        for guest in (self.host, self.ann, self.ben):
            guest.session.data.reliable_open = True

    def join(self, identity: str, role: str = "speaker", **options: Any) -> Guest:
        claims = {"attributes": {ROLE: role}, "not_before": self.house.clock.wall()}
        return self.house.join(identity, claims=claims, **options).connect()

    def send(self, guest: Guest, request: object) -> None:
        payload = request if isinstance(request, bytes) else json.dumps(request).encode()
        user = models.UserPacket(payload=payload, topic="hubbub.control")
        self.house.media.commands.clear()
        guest.send_data(models.DataPacket(user=user).SerializeToString())

    def ask(self, guest: Guest, request: object) -> dict[str, Any]:
        """A participant's request, and the only answer to it, which nobody else gets."""
        self.send(guest, request)
        (answer,) = [each for each in self.told(guest) if "ok" in each]
        for other in {self.host, self.ann, self.ben} - {guest}:
            assert not [each for each in self.told(other) if "ok" in each]
        return answer

    def told(self, guest: Guest) -> list[dict[str, Any]]:
        sent = [
            command for command in self.house.media.of(SendData) if guest.primary in command.transport_ids
        ]
        packets = [models.DataPacket.FromString(command.payload) for command in sent]
        assert {packet.user.topic for packet in packets} <= {"hubbub.control"}
        return [json.loads(packet.user.payload) for packet in packets]

    def role(self, guest: Guest) -> str:
        return guest.session.participant.attributes[ROLE]


def test_mute_one_track_or_all_that_is_heard_of_somebody() -> None:
    scene = Scene()
    camera, voice = scene.ann.publish("c1", models.CAMERA), scene.ann.publish("c2")
    answer = scene.ask(scene.host, {"action": "mute", "identity": "ann", "id": 7})
    assert answer == {"action": "mute", "id": 7, "ok": True, "muted": [voice]}
    assert scene.ann.last("mute").muted
    request = {"action": "mute", "identity": "ann", "track_sid": camera}
    assert scene.ask(scene.host, request)["muted"] == [camera]
    assert scene.ask(scene.host, request)["muted"] == []


def test_mute_all_but_who_asks() -> None:
    scene = Scene()
    tracks = [guest.publish("c1") for guest in (scene.host, scene.ann, scene.ben)]
    assert scene.ask(scene.host, {"action": "mute_all"})["muted"] == tracks[1:]
    assert not next(iter(scene.host.publications())).info.muted


def test_remove_is_for_good() -> None:
    scene = Scene()
    scene.house.advance(1.0)
    assert scene.ask(scene.host, {"action": "remove", "identity": "ann"}) == {"action": "remove", "ok": True}
    assert scene.ann.last("leave").reason == models.PARTICIPANT_REMOVED
    with pytest.raises(Revoked):
        scene.house.service.check(scene.ann.request_)


def test_remove_and_ban() -> None:
    scene = Scene()
    scene.ask(scene.host, {"action": "remove", "identity": "ann", "ban_s": 60})
    scene.house.advance(59.0)
    with pytest.raises(Banned):
        scene.join("ann")
    scene.join("ann", room="elsewhere")
    scene.house.advance(1.0)
    scene.join("ann")


def test_lock_lets_back_in_who_was_in() -> None:
    scene = Scene()
    scene.ask(scene.host, {"action": "lock"})
    assert {"event": "locked"} in scene.told(scene.ann)
    with pytest.raises(RoomLocked):
        scene.join("carl")
    scene.join("ann")
    scene.ben.session.leave(models.CLIENT_INITIATED)
    scene.join("ben")
    scene.house.join("robot", claims={"kind": "agent"})
    scene.ask(scene.host, {"action": "unlock"})
    assert {"event": "unlocked"} in scene.told(scene.host)
    scene.join("carl")


def test_who_was_put_out_of_a_locked_room_stays_out() -> None:
    scene = Scene()
    scene.ask(scene.host, {"action": "lock"})
    scene.ask(scene.host, {"action": "remove", "identity": "ann"})
    scene.house.advance(2.0)
    with pytest.raises(RoomLocked):
        scene.join("ann")


def test_end_ends_it_for_all() -> None:
    scene = Scene()
    scene.send(scene.host, {"action": "end"})
    assert [guest.last("leave").reason for guest in (scene.host, scene.ann)] == [models.ROOM_DELETED] * 2


def test_pass_the_host() -> None:
    scene = Scene()
    scene.ask(scene.host, {"action": "pass_host", "identity": "ann"})
    assert (scene.role(scene.host), scene.role(scene.ann)) == ("speaker", "host")
    assert scene.ask(scene.host, {"action": "lock"})["error"]["code"] == "not_allowed"
    assert scene.ask(scene.ann, {"action": "lock"})["ok"]


def test_set_a_role() -> None:
    scene = Scene()
    scene.ask(scene.host, {"action": "set_role", "identity": "ann", "role": "attendee"})
    assert scene.role(scene.ann) == "attendee"
    assert not scene.ann.session.participant.grant.may_publish()


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (b"\xff", "bad_request"),
        (b"[" * 4000, "bad_request"),
        (b"[]", "bad_request"),
        (b"{}", "bad_request"),
        (b'{"x": "' + b"x" * 5000 + b'"}', "limit_exceeded"),
        ({"action": 1}, "bad_request"),
        ({"action": "dance"}, "bad_request"),
        ({"action": "mute"}, "bad_request"),
        ({"action": "mute", "identity": 1}, "bad_request"),
        ({"action": "mute", "identity": "ann", "track_sid": 5}, "bad_request"),
        ({"action": "mute", "identity": "nobody"}, "not_found"),
        ({"action": "remove", "identity": "host"}, "bad_request"),
        ({"action": "remove", "identity": "ann", "ban_s": "long"}, "bad_request"),
        ({"action": "remove", "identity": "ann", "ban_s": True}, "bad_request"),
        ({"action": "remove", "identity": "ann", "ban_s": -1}, "bad_request"),
        ({"action": "set_role", "identity": "ann"}, "bad_request"),
        ({"action": "set_role", "identity": "ann", "role": "king"}, "bad_request"),
        ({"action": "pass_host", "identity": "host"}, "bad_request"),
    ],
)
def test_requests_that_make_no_sense(request_: object, code: str) -> None:
    scene = Scene()
    answer = scene.ask(scene.host, request_)
    assert not answer["ok"]
    assert answer["error"]["code"] == code
    assert not any(guest.session.ended for guest in (scene.host, scene.ann, scene.ben))


@pytest.mark.parametrize("id_", ["x" * 65, {"a": 1}, [1], 10**80, None])
def test_only_short_ids_are_repeated(id_: object) -> None:
    scene = Scene()
    assert "id" not in scene.ask(scene.host, {"action": "lock", "id": id_})


def test_only_hosts_may() -> None:
    scene = Scene()
    for action in ("mute_all", "lock", "end", "mute", "remove", "pass_host", "set_role"):
        answer = scene.ask(scene.ann, {"action": action, "identity": "ben", "role": "host"})
        assert answer["error"]["code"] == "not_allowed"


def test_whoever_may_not_send_data_is_not_heard() -> None:
    scene = Scene()
    muted = scene.house.join("mute", grant={"room_admin": True, "can_publish_data": False}).connect()
    muted.session.data.reliable_open = True
    scene.send(muted, {"action": "mute_all"})
    assert scene.told(muted) == []


def test_a_token_that_grants_room_admin_is_enough() -> None:
    scene = Scene()
    boss = scene.house.join("boss", grant={"room_admin": True}).connect()
    boss.session.data.reliable_open = True
    assert scene.ask(boss, {"action": "mute_all"})["ok"]
