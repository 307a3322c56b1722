import pytest
from livekit.protocol import models

from auth.errors import MalformedToken, TokenExpired, UnknownKey
from auth.grants import Claims, VideoGrant
from auth.keys import KeyRing
from auth.tokens import mint
from rooms.join import JoinRequest
from signaling.access import authenticate, authorize, token_of
from signaling.errors import BadRequest, SignalingError, Unauthorized

SECRET = "a secret of thirty-two characters"
KEYS = KeyRing({"key": SECRET})
NOW = 1_800_000_000.0
GRANT = VideoGrant(room_join=True, room="r")


def token(claims: Claims, *, now: float = NOW, key: str = "key") -> str:
    return mint(claims, key, SECRET, ttl_s=60, now=now)


def wanted(
    claims: Claims, publish: str = "", metadata: str = "", attributes: dict[str, str] | None = None
) -> JoinRequest:
    return JoinRequest(
        claims=claims,
        client=models.ClientInfo(),
        single_pc=False,
        auto_subscribe=True,
        publish=publish,
        metadata=metadata,
        attributes=attributes or {},
    )


def test_the_header_wins_over_the_query() -> None:
    assert token_of({"Authorization": "Bearer a"}, {"access_token": "b"}) == "a"
    assert token_of({}, {"access_token": "b"}) == "b"
    assert token_of({"Authorization": ""}, {"access_token": "b"}) == "b"
    assert token_of({}, {}) == ""


@pytest.mark.parametrize("header", ["Basic abc", "bearer abc", "Bearer", "abc"])
def test_other_schemes_are_refused_even_with_a_good_query(header: str) -> None:
    with pytest.raises(Unauthorized, match=r"^invalid authorization header. Must start with Bearer $"):
        token_of({"Authorization": header}, {"access_token": "good"})


def test_a_good_token_gives_its_claims() -> None:
    claims = authenticate({}, {"access_token": token(Claims(identity="u", video=GRANT))}, KEYS, NOW)
    assert (claims.identity, claims.video) == ("u", GRANT)


@pytest.mark.parametrize("query", [{}, {"access_token": ""}, {"access_token": token(Claims(identity="u"))}])
def test_no_token_or_no_grant_is_no_permission(query: dict[str, str]) -> None:
    with pytest.raises(Unauthorized, match=r"^no permissions to access the room$"):
        authenticate({}, query, KEYS, NOW)


def test_bad_tokens_raise_what_auth_says() -> None:
    with pytest.raises(MalformedToken):
        authenticate({}, {"access_token": "garbage"}, KEYS, NOW)
    with pytest.raises(TokenExpired):
        authenticate({}, {"access_token": token(Claims(video=GRANT), now=NOW - 3600)}, KEYS, NOW)
    with pytest.raises(UnknownKey):
        authenticate({}, {"access_token": token(Claims(video=GRANT), key="other")}, KEYS, NOW)


REFUSED: dict[str, tuple[JoinRequest, type[SignalingError], str]] = {
    "no roomJoin": (
        wanted(Claims(identity="u", video=VideoGrant(room="r"))),
        Unauthorized,
        "permissions denied",
    ),
    "no identity": (wanted(Claims(video=GRANT)), BadRequest, "identity cannot be empty"),
    "long identity": (
        wanted(Claims(identity="u" * 257, video=GRANT)),
        BadRequest,
        "participant identity length",
    ),
    "no room": (wanted(Claims(identity="u", video=VideoGrant(room_join=True))), BadRequest, "no room name"),
    "long room": (
        wanted(Claims(identity="u", video=VideoGrant(room_join=True, room="r" * 257))),
        BadRequest,
        "room name length",
    ),
}


@pytest.mark.parametrize(("request_", "error", "text"), REFUSED.values(), ids=REFUSED.keys())
def test_refusals(request_: JoinRequest, error: type[SignalingError], text: str) -> None:
    with pytest.raises(error, match=r"^" + text):
        authorize(request_)


def test_what_the_token_permits_passes_and_what_a_role_may_permit() -> None:
    grant = VideoGrant(room_join=True, room="r" * 256, can_publish=False)
    authorize(
        wanted(Claims(identity="é" * 256, video=grant), publish="x", metadata="m", attributes={"a": "b"})
    )
