from typing import Any

import pytest
from livekit.protocol import models

from rooms.administration import Administration
from rooms.bans import Ban, Bans, Revocation, parse_address
from rooms.errors import Banned, BanNotFound, InvalidRequest, LimitExceeded, Revoked
from tests.harness.rooms import Guest, House

DAY_S = 86_400.0


class Scene:
    """A room of people with tokens that say when they were issued."""

    def __init__(self) -> None:
        self.house = House()
        self.admin = Administration(self.house.service)

    def issued(self, ago_s: float = 0.0) -> dict[str, Any]:
        return {"not_before": float(int(self.house.clock.wall() - ago_s))}

    def join(
        self, identity: str, *, ago_s: float = 10.0, address: str = "198.51.100.7", **options: Any
    ) -> Guest:
        claims = self.issued(ago_s) | options.pop("claims", {})
        return self.house.join(identity, claims=claims, client={"address": address}, **options).connect()


# --- removal revokes ---


def test_whoever_was_removed_does_not_come_back_with_the_token_they_had() -> None:
    scene = Scene()
    alice = scene.join("alice")
    scene.house.advance(0.5)
    scene.admin.remove_participant("room", "alice")
    assert alice.last("leave").reason == models.PARTICIPANT_REMOVED
    with pytest.raises(Revoked):
        scene.join("alice")
    with pytest.raises(Revoked):
        scene.house.service.check(alice.request_)
    with pytest.raises(Revoked):
        alice.resume()
    with pytest.raises(Revoked):
        scene.join("alice", ago_s=0.0)


def test_a_token_issued_later_lets_them_in() -> None:
    scene = Scene()
    scene.join("alice")
    scene.admin.remove_participant("room", "alice")
    scene.house.advance(1.5)
    assert not scene.join("alice", ago_s=0.0).session.ended


def test_only_that_identity_and_that_room_are_concerned() -> None:
    scene = Scene()
    scene.join("alice")
    scene.admin.remove_participant("room", "alice")
    scene.join("bob")
    scene.join("alice", room="elsewhere")


def test_a_token_that_does_not_say_when_it_was_issued_is_old() -> None:
    scene = Scene()
    scene.join("alice")
    scene.admin.remove_participant("room", "alice")
    scene.house.advance(60.0)
    with pytest.raises(Revoked):
        scene.join("alice", claims={"not_before": None})


def test_the_caller_may_say_from_when_on_tokens_hold() -> None:
    scene = Scene()
    scene.join("alice", ago_s=100.0)
    scene.admin.remove_participant("room", "alice", scene.house.clock.wall() - 50.0)
    with pytest.raises(Revoked):
        scene.join("alice", ago_s=100.0)
    scene.join("alice", ago_s=10.0)


def test_a_later_removal_never_revokes_less() -> None:
    scene = Scene()
    scene.join("alice")
    scene.admin.remove_participant("room", "alice")
    scene.house.advance(2.0)
    scene.join("alice", ago_s=0.0)
    scene.admin.remove_participant("room", "alice", 1.0)
    with pytest.raises(Revoked):
        scene.join("alice", ago_s=10.0)


def test_companions_go_the_same_way() -> None:
    scene = Scene()
    scene.join("alice")
    scene.admin.remove_participant("room", "alice")
    with pytest.raises(Revoked):
        scene.join("alice", publish="screen")


def test_removing_an_image_revokes_nothing() -> None:
    scene = Scene()
    alice = scene.join("alice")
    scene.admin.forward_participant("room", "alice", "other")
    scene.admin.remove_participant("other", "alice")
    assert not alice.session.ended
    scene.join("alice", room="other")


# --- bans ---


def test_a_banned_identity_is_put_out_and_stays_out() -> None:
    scene = Scene()
    alice, bob = scene.join("alice"), scene.join("bob")
    ban = scene.admin.ban(identity="alice", reason="shouting")
    assert alice.session.ended
    assert not bob.session.ended
    for room in ("room", "elsewhere"):
        with pytest.raises(Banned):
            scene.join("alice", ago_s=0.0, room=room)
    assert scene.admin.bans.all() == [ban]
    scene.admin.bans.remove(ban.id)
    scene.join("alice")
    with pytest.raises(BanNotFound):
        scene.admin.bans.remove(ban.id)


def test_a_ban_may_be_for_one_room() -> None:
    scene = Scene()
    scene.join("alice")
    elsewhere = scene.join("alice", room="elsewhere")
    ban = scene.admin.ban(identity="alice", room="room")
    assert not elsewhere.session.ended
    with pytest.raises(Banned):
        scene.join("alice")
    assert scene.admin.bans.all("room") == [ban]
    assert scene.admin.bans.all("elsewhere") == []


@pytest.mark.parametrize(
    ("network", "address", "banned"),
    [
        ("203.0.113.0/24", "203.0.113.77", True),
        ("203.0.113.0/24", "203.0.114.1", False),
        ("203.0.113.9", "203.0.113.9", True),
        ("203.0.113.9/24", "203.0.113.1", True),
        ("203.0.113.9", "203.0.113.8", False),
        ("203.0.113.0/24", "::ffff:203.0.113.5", True),
        ("::ffff:203.0.113.0/120", "203.0.113.5", True),
        ("2001:db8::/32", "2001:db8:1::1", True),
        ("2001:db8::/32", "2001:db9::1", False),
        ("fe80::/10", "fe80::1%eth0", True),
        ("0.0.0.0/0", "198.51.100.7", True),
        ("0.0.0.0/0", "2001:db8::1", False),
        ("203.0.113.0/24", "", False),
        ("203.0.113.0/24", "nonsense", False),
    ],
)
def test_a_ban_of_addresses(network: str, address: str, banned: bool) -> None:
    scene = Scene()
    guest = scene.join("alice", address=address)
    ban = scene.admin.ban(network=network)
    assert guest.session.ended == banned
    if banned:
        with pytest.raises(Banned):
            scene.join("carol", address=address)
        scene.admin.bans.remove(ban.id)
    scene.join("carol", address=address)


def test_bans_expire() -> None:
    scene = Scene()
    scene.admin.ban(identity="alice", duration_s=DAY_S)
    scene.admin.ban(network="198.51.100.0/24", duration_s=DAY_S / 2)
    scene.house.advance(DAY_S / 2)
    with pytest.raises(Banned):
        scene.join("alice")
    scene.join("bob")
    scene.house.advance(DAY_S / 2)
    scene.join("alice")
    assert scene.admin.bans.all() == []


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"identity": "alice", "network": "203.0.113.0/24"},
        {"network": "somewhere"},
        {"network": "203.0.113.0/33"},
        {"identity": "alice", "duration_s": 0.0},
        {"identity": "alice", "duration_s": float("nan")},
        {"identity": "alice", "duration_s": float("inf")},
    ],
)
def test_bans_that_make_no_sense(wish: dict[str, Any]) -> None:
    scene = Scene()
    with pytest.raises(InvalidRequest):
        scene.admin.ban(**wish)
    assert scene.admin.bans.all() == []


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rooms.bans.MAX_BANS", 2)
    monkeypatch.setattr("rooms.bans.MAX_REVOCATIONS", 2)
    scene = Scene()
    for name in ("alice", "bob", "carol"):
        scene.join(name)
        scene.admin.remove_participant("room", name)
    scene.join("alice")  # the oldest is forgotten
    with pytest.raises(Revoked):
        scene.join("carol")
    scene.admin.ban(identity="dora")
    scene.admin.ban(identity="erna", duration_s=1.0)
    with pytest.raises(LimitExceeded):
        scene.admin.ban(identity="fritz")
    with pytest.raises(LimitExceeded):
        scene.admin.ban(identity="fritz", reason="x" * 257)
    scene.house.advance(1.0)
    scene.admin.ban(identity="fritz")


def test_what_is_restored_holds() -> None:
    house = House()
    bans = Bans(house.clock, house.ids)
    now = house.clock.wall()
    bans.restore(
        [
            Ban("BN_1", "", "alice", "", "", now, None),
            Ban("BN_2", "room", "", "203.0.113.0/24", "", now, now + 1.0),
        ],
        [Revocation("room", "bob", now)],
    )
    assert [ban.id for ban in bans.all()] == ["BN_1", "BN_2"]
    assert bans.get("BN_2").network == "203.0.113.0/24"
    house.advance(1.0)
    with pytest.raises(BanNotFound):
        bans.get("BN_2")


def test_addresses() -> None:
    assert str(parse_address("::ffff:1.2.3.4")) == "1.2.3.4"
    assert parse_address("1.2.3") is None
