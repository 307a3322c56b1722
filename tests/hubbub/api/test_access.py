import time

import pytest

from auth import tokens
from auth.errors import MalformedToken, TokenExpired, UnknownKey
from auth.grants import Claims, VideoGrant
from auth.keys import KeyRing
from hubbub.api.access import Caller, PermissionsDenied, caller
from rooms.errors import NotAllowed
from signaling.errors import Unauthorized

SECRET = "a secret of more than thirty-two characters"
KEYS = KeyRing({"key": SECRET})


def by(**grant: object) -> Caller:
    return Caller(Claims(video=VideoGrant(**grant)))


def token(*, key: str = "key", ttl_s: float = 60.0) -> str:
    return tokens.mint(
        Claims(identity="ann", video=VideoGrant(room_list=True)), key, SECRET, ttl_s=ttl_s, now=time.time()
    )


def ask(headers: dict[str, str], query: dict[str, str] | None = None) -> Caller:
    return caller(headers, query or {}, KEYS, time.time)


def test_a_role_is_what_its_token_grants() -> None:
    def grants(role: str, **own: bool) -> Caller:
        claims = Claims(identity="ann", attributes={"hubbub.role": role}, video=VideoGrant(room="r", **own))
        return ask({}, {"access_token": tokens.mint(claims, "key", SECRET, now=time.time())})

    grants("host").require_room_admin("r")
    grants("speaker", room_list=True).require_room_list()
    with pytest.raises(PermissionsDenied):
        grants("host").require_room_admin("another")
    with pytest.raises(PermissionsDenied):
        grants("speaker", room_admin=True).require_room_admin("r")
    with pytest.raises(NotAllowed):
        grants("king", room_admin=True)


def test_the_header_or_the_query_names_the_caller() -> None:
    ask({"Authorization": f"Bearer {token()}"}).require_room_list()
    ask({}, {"access_token": token()}).require_room_list()
    assert ask({}).claims is None


@pytest.mark.parametrize("scheme", ["bearer ", "Basic ", "Bearer", ""])
def test_another_scheme_is_refused(scheme: str) -> None:
    with pytest.raises(Unauthorized):
        ask({"Authorization": scheme + token()})


def test_a_bad_token_is_refused() -> None:
    for error, bad in (
        (MalformedToken, "nonsense"),
        (UnknownKey, token(key="other")),
        (TokenExpired, token(ttl_s=-3600.0)),
    ):
        with pytest.raises(error):
            ask({"Authorization": f"Bearer {bad}"})


CHECKS = {
    "create": (Caller.require_room_create, {"room_create": True}),
    "list": (Caller.require_room_list, {"room_list": True}),
    "admin": (lambda one: one.require_room_admin("r"), {"room_admin": True, "room": "r"}),
    "destination": (
        lambda one: one.require_destination("r", "s"),
        {"room_admin": True, "room": "r", "destination_room": "s"},
    ),
    "record": (Caller.require_room_record, {"room_record": True}),
    "ingress": (Caller.require_ingress_admin, {"ingress_admin": True}),
    "agent": (Caller.require_agent, {"agent": True}),
}


@pytest.mark.parametrize("name", CHECKS)
def test_each_check_wants_its_own_grant(name: str) -> None:
    check, grant = CHECKS[name]
    check(by(**grant))
    others = [other for other_name, (_, other) in CHECKS.items() if other_name not in (name, "destination")]
    for refused in (Caller(), Caller(Claims()), *(by(**other) for other in others)):
        with pytest.raises(PermissionsDenied):
            check(refused)


def test_an_administrator_has_one_room() -> None:
    for grant in ({"room": "other"}, {"room": ""}, {"room": "R"}, {"room": "*"}):
        with pytest.raises(PermissionsDenied):
            by(room_admin=True, **grant).require_room_admin("r")
    with pytest.raises(PermissionsDenied):
        by(room_admin=True).require_room_admin("")


def test_a_destination_is_granted_by_name() -> None:
    for destination in ("", "t", "r"):
        with pytest.raises(PermissionsDenied):
            by(room_admin=True, room="r", destination_room="s").require_destination("r", destination)
    with pytest.raises(PermissionsDenied):
        by(room_admin=True, room="r").require_destination("r", "")


def test_sip_rights_are_in_a_claim_of_their_own() -> None:
    caller_ = Caller(Claims(services={"sip": {"call": True, "admin": "yes"}}))
    caller_.require_sip("admin", "call")
    for refused in (caller_, Caller(), Caller(Claims())):
        with pytest.raises(PermissionsDenied):
            refused.require_sip("admin")


def test_taking_part_is_not_administering() -> None:
    for grant in ({"room_create": True}, {"room_list": True}, {"room_admin": True}, {"room_record": True}):
        assert by(**grant).administers
    assert by(ingress_admin=True).administers
    assert by(agent=True).administers
    assert Caller(Claims(services={"sip": {"call": True}})).administers
    for caller_ in (
        Caller(),
        Caller(Claims()),
        by(room_join=True, room="r", can_publish=True, recorder=True),
    ):
        assert not caller_.administers


def test_any_token_is_somebody() -> None:
    assert Caller(Claims(identity="ann")).require_token().identity == "ann"
    with pytest.raises(PermissionsDenied):
        Caller().require_token()
