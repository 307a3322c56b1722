"""Tokens good and hostile (fault ids 84 jwt-alg, 85 jwt-time, 86 jwt-grants)."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit import api

from auth.errors import AuthError, BadSignature, MalformedToken, TokenError, UnknownKey
from auth.grants import Claims, VideoGrant
from auth.keys import KeyRing
from auth.tokens import MAX_TOKEN_CHARS, issuer_of, mint, mint_for_body, refresh, verify

NOW = 1_760_000_000.0
SECRET = "0123456789abcdef0123456789abcdef"
KEYS = KeyRing({"devkey": SECRET})
JOIN = {"iss": "devkey", "sub": "u1", "video": {"roomJoin": True, "room": "r"}}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(
    payload: dict[str, Any] | bytes, header: dict[str, Any] | bytes | None = None, secret: str = SECRET
) -> str:
    """A token made by hand, so that what no library would write can be written."""
    raw_header = header if isinstance(header, bytes) else json.dumps(header or {"alg": "HS256"}).encode()
    raw_payload = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    signed = f"{b64(raw_header)}.{b64(raw_payload)}"
    return f"{signed}.{b64(hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest())}"


def refusal(token: str) -> str:
    with pytest.raises(AuthError) as caught:
        verify(token, KEYS, NOW)
    return str(caught.value)


def test_token_of_livekits_own_python_sdk() -> None:
    token = (
        api.AccessToken("devkey", SECRET)
        .with_identity("ann")
        .with_name("Ann")
        .with_metadata("m")
        .with_attributes({"a": "1"})
        .with_kind("agent")
        .with_grants(api.VideoGrants(room_join=True, room="r", can_publish_sources=["camera"], hidden=True))
        .with_sip_grants(api.SIPGrants(call=True))
        .with_room_config(api.RoomConfiguration(max_participants=3))
        .to_jwt()
    )
    issued_at = jwt.decode(token, options={"verify_signature": False})["nbf"]
    claims = verify(token, KEYS, issued_at)
    assert (claims.issuer, claims.identity, claims.name, claims.metadata) == ("devkey", "ann", "Ann", "m")
    assert (claims.kind, claims.attributes) == ("agent", {"a": "1"})
    assert claims.video is not None
    assert claims.video.room_join
    assert claims.video.hidden
    assert claims.video.may_publish("camera")
    assert not claims.video.may_publish("microphone")
    assert claims.services["sip"]["call"] is True
    assert claims.room_config == {"maxParticipants": 3}
    assert claims.expires_at == issued_at + 6 * 3600


def test_our_tokens_are_read_by_livekits_own_verifier() -> None:
    grant = VideoGrant(room_join=True, room="r", can_publish=False)
    now = time.time()
    token = mint(Claims(identity="ann", attributes={"a": "1"}, video=grant), "devkey", SECRET, now=now)
    theirs = api.TokenVerifier("devkey", SECRET).verify(token)
    assert (theirs.identity, theirs.attributes) == ("ann", {"a": "1"})
    assert theirs.video is not None
    assert (theirs.video.room, theirs.video.can_publish) == ("r", False)


def test_mint_then_verify_returns_the_claims() -> None:
    claims = Claims(
        identity="ann",
        name="Ann",
        kind="sip",
        kind_details=("CLOUD_AGENT",),
        metadata="m",
        attributes={"a": "1"},
        video=VideoGrant(room_join=True, room="r", can_publish=True, can_subscribe=False, room_admin=True),
        services={"sip": {"admin": True}},
        room_config={"emptyTimeout": 5},
        room_preset="big",
    )
    back = verify(mint(claims, "devkey", SECRET, ttl_s=60, now=NOW), KEYS, NOW)
    assert back.not_before == NOW
    assert back.expires_at == NOW + 60
    assert back == Claims.from_json(claims.to_json() | {"iss": "devkey", "nbf": NOW, "exp": NOW + 60})


# --- 84 jwt-alg ---


@pytest.mark.parametrize("algorithm", ["none", "HS512", "RS256", "None", "hs256"])
def test_other_algorithms_are_refused_by_name(algorithm: str) -> None:
    token = sign(JOIN | {"exp": NOW + 60}, {"alg": algorithm})
    assert refusal(token) == (
        f"invalid authorization token: token signature is invalid: signing method {algorithm} is invalid"
    )


def test_none_with_empty_signature() -> None:
    signed = sign(JOIN | {"exp": NOW + 60}, {"alg": "none"}).rpartition(".")[0]
    assert "signing method none is invalid" in refusal(signed + ".")


@pytest.mark.parametrize("algorithm", [None, 5, [], {}, "x\r\ny", "A" * 1000, ["HS256"]])
def test_odd_algorithms_are_not_echoed(algorithm: object) -> None:
    assert refusal(sign(JOIN | {"exp": NOW + 60}, {"alg": algorithm})).endswith(
        "signing method unknown is invalid"
    )


def test_unknown_kid_is_of_no_account() -> None:
    assert verify(sign(JOIN | {"exp": NOW + 60}, {"alg": "HS256", "kid": "x"}), KEYS, NOW).identity == "u1"


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "HS256", "kid": 5},
        {"alg": "HS256", "crit": ["x"], "x": 1},
        {"alg": "HS256", "b64": False},
        b"[]",
        b"{",
    ],
)
def test_headers_that_must_not_be_ignored(header: dict[str, Any] | bytes) -> None:
    assert refusal(sign(JOIN | {"exp": NOW + 60}, header)) == "invalid authorization token"


def test_wrong_secret_and_unknown_key_have_livekits_texts() -> None:
    assert refusal(sign(JOIN | {"exp": NOW + 60}, secret="x" * 32)) == (
        "invalid authorization token: token signature is invalid: signature is invalid"
    )
    assert refusal(sign(JOIN | {"iss": "other", "exp": NOW + 60})) == "invalid API key"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: "garbage",
        lambda token: "a.b.c",
        lambda token: "",
        lambda token: "..",
        lambda token: token + ".x",
        lambda token: token + "\n",
        lambda token: token + "!!!!",
        lambda token: " " + token,
        lambda token: token.replace(".", "..", 1),
        lambda token: "é" + token,
        lambda token: "\ud800" + token,
        lambda token: token + "A" * 1_000_000,
    ],
)
def test_spoilt_tokens_are_malformed(spoil: Any) -> None:
    with pytest.raises(MalformedToken):
        verify(spoil(sign(JOIN | {"exp": NOW + 60})), KEYS, NOW)


def test_empty_signature_and_changed_payload() -> None:
    token = sign(JOIN | {"exp": NOW + 60})
    header, payload, signature = token.split(".")
    assert "signature is invalid" in refusal(f"{header}.{payload}.")
    other = b64(json.dumps(JOIN | {"sub": "admin", "exp": NOW + 60}).encode())
    assert "signature is invalid" in refusal(f"{header}.{other}.{signature}")


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 20_000 + b"]" * 20_000,
        b'{"iss":"devkey","exp":' + b"9" * 5000 + b"}",
        b'{"iss":"devkey","exp":1,"name":"\\ud800"}',
        b"null",
        b"[]",
        b"5",
        b'"devkey"',
        b"\xff",
        b"{}",
        b'{"iss":null}',
        b'{"iss":["devkey"]}',
    ],
)
def test_payloads_that_are_not_claims_at_all(payload: bytes) -> None:
    with pytest.raises(MalformedToken):
        verify(sign(payload), KEYS, NOW)


def test_a_claim_given_twice_counts_once_the_last_time() -> None:
    twice = b'{"iss":"devkey","sub":"a","sub":"b","exp":%d}' % (NOW + 60)
    assert verify(sign(twice), KEYS, NOW).identity == "b"


def test_longest_token() -> None:
    short = mint(Claims(identity="u"), "devkey", SECRET, now=NOW)
    fill = (MAX_TOKEN_CHARS - len(short)) * 3 // 4 - 30
    assert verify(mint(Claims(identity="u", metadata="m" * fill), "devkey", SECRET, now=NOW), KEYS, NOW)
    with pytest.raises(MalformedToken):
        verify(mint(Claims(identity="u", metadata="m" * (fill + 60)), "devkey", SECRET, now=NOW), KEYS, NOW)


# --- 85 jwt-time ---


@pytest.mark.parametrize(
    ("times", "detail"),
    [
        ({"exp": NOW - 3600}, "token is expired"),
        ({"exp": NOW - 60}, "token is expired"),
        ({"exp": 0}, "token is expired"),
        ({"exp": -5}, "token is expired"),
        ({"exp": NOW + 7200, "nbf": NOW + 61}, "token is not valid yet"),
        ({"exp": NOW + 7200, "iat": NOW + 61}, "token is not valid yet"),
        ({}, "token is missing required claim: exp claim is required"),
        ({"exp": None}, "token is missing required claim: exp claim is required"),
        ({"exp": str(NOW + 60)}, "exp has the wrong type"),
        ({"exp": True}, "exp has the wrong type"),
        ({"exp": float("nan")}, "exp has the wrong type"),
        ({"exp": float("inf")}, "exp has the wrong type"),
        ({"exp": 10**400}, "exp has the wrong type"),
        ({"exp": NOW + 60, "nbf": [1]}, "nbf has the wrong type"),
    ],
)
def test_times_that_do_not_hold(times: dict[str, Any], detail: str) -> None:
    assert refusal(sign(JOIN | times)) == f"invalid authorization token: token has invalid claims: {detail}"


@pytest.mark.parametrize("times", [{"exp": NOW - 59.5}, {"exp": NOW + 60, "nbf": NOW + 60, "iat": NOW + 60}])
def test_clocks_may_differ_by_a_minute(times: dict[str, float]) -> None:
    assert verify(sign(JOIN | times), KEYS, NOW).identity == "u1"


def test_refresh_outlives_a_token_that_is_about_to_expire() -> None:
    grant = VideoGrant(room_join=True, room="r", can_publish_data=False)
    first = verify(
        mint(
            Claims(
                identity="u",
                name="n",
                kind="agent",
                kind_details=("x",),
                sha256="h",
                video=grant,
                room_preset="p",
            ),
            "devkey",
            SECRET,
            ttl_s=30,
            now=NOW,
        ),
        KEYS,
        NOW,
    )
    later = NOW + 1000
    second = verify(refresh(first, KEYS, later), KEYS, later)
    assert second.expires_at == later + 600
    assert (second.identity, second.name, second.kind, second.video) == ("u", "n", "agent", grant)
    assert (second.room_preset, second.kind_details, second.sha256) == ("p", (), "")


def test_refresh_keeps_a_long_life_and_needs_its_key() -> None:
    first = verify(mint(Claims(identity="u"), "devkey", SECRET, ttl_s=7200, now=NOW), KEYS, NOW)
    assert verify(refresh(first, KEYS, NOW + 100), KEYS, NOW + 100).expires_at == NOW + 7200
    with pytest.raises(UnknownKey):
        refresh(first, KeyRing({"other": SECRET}), NOW)


# --- 86 jwt-grants ---


def test_no_video_grant_is_none_and_an_empty_one_grants_nothing() -> None:
    assert verify(sign({"iss": "devkey", "sub": "u", "exp": NOW}), KEYS, NOW).video is None
    empty = verify(sign({"iss": "devkey", "sub": "u", "exp": NOW, "video": {}}), KEYS, NOW).video
    assert empty == VideoGrant()
    assert not empty.room_join


@pytest.mark.parametrize("identity", ["", "a\nb\x00\x1b[31m", "👩‍🚀", "../../etc/passwd", "u" * 5000])
def test_identities_of_any_content_arrive_unchanged(identity: str) -> None:
    assert verify(sign(JOIN | {"sub": identity, "exp": NOW + 1}), KEYS, NOW).identity == identity


def test_identity_of_old_tokens_is_their_id() -> None:
    assert verify(sign({"iss": "devkey", "jti": "u2", "exp": NOW}), KEYS, NOW).identity == "u2"
    assert verify(sign({"iss": "devkey", "jti": "u2", "sub": "u1", "exp": NOW}), KEYS, NOW).identity == "u1"


@pytest.mark.parametrize(
    ("claim", "name"),
    [
        ({"video": []}, "video"),
        ({"video": "all"}, "video"),
        ({"video": {"roomJoin": "true"}}, "video.roomJoin"),
        ({"video": {"roomJoin": 1}}, "video.roomJoin"),
        ({"video": {"room": 5}}, "video.room"),
        ({"video": {"canPublishSources": "camera"}}, "video.canPublishSources"),
        ({"video": {"canPublishSources": [1]}}, "video.canPublishSources"),
        ({"attributes": {"a": 1}}, "attributes"),
        ({"attributes": []}, "attributes"),
        ({"metadata": {}}, "metadata"),
        ({"sub": 7}, "sub"),
        ({"roomConfig": "x"}, "roomConfig"),
        ({"sip": True}, "sip"),
        ({"kindDetails": "x"}, "kindDetails"),
    ],
)
def test_a_claim_of_the_wrong_type_is_named(claim: dict[str, Any], name: str) -> None:
    assert refusal(sign(JOIN | {"exp": NOW + 1} | claim)).endswith(f"claims: {name} has the wrong type")


def test_null_is_as_good_as_absent() -> None:
    nothing = {
        "video": {"canPublish": None, "room": None, "canPublishSources": None},
        "name": None,
        "roomConfig": None,
    }
    claims = verify(sign({"iss": "devkey", "exp": NOW, "attributes": None} | nothing), KEYS, NOW)
    assert claims.video == VideoGrant()
    assert claims.room_config is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
claim_names = st.sampled_from(
    ["sub", "jti", "video", "attributes", "kindDetails", "roomConfig", "exp", "nbf", "sip"]
)


@given(st.dictionaries(claim_names | st.text(), json_values))
def test_whatever_is_signed_either_holds_or_is_refused(payload: dict[str, Any]) -> None:
    try:
        claims = verify(sign({"exp": NOW + 1} | payload | {"iss": "devkey"}), KEYS, NOW)
    except TokenError:
        return
    assert isinstance(claims.identity, str)
    assert claims.expires_at is not None
    json.dumps(claims.to_json())


@given(st.text() | st.from_regex(r"[\w-]{0,40}\.[\w-]{0,40}\.[\w-]{0,40}", fullmatch=True))
def test_whatever_is_sent_is_refused_with_a_typed_error(token: str) -> None:
    with pytest.raises(AuthError):
        verify(token, KEYS, NOW)


def test_each_secret_of_a_rotation_verifies() -> None:
    ring = KeyRing({})
    ring.replace("rotating", {"key": ("n" * 32, "o" * 32)})
    for secret in ("n" * 32, "o" * 32):
        token = mint(Claims(identity="ann"), "key", secret, now=1000.0)
        assert verify(token, ring, 1000.0).identity == "ann"
    with pytest.raises(BadSignature):
        verify(mint(Claims(identity="ann"), "key", "x" * 32, now=1000.0), ring, 1000.0)


def test_the_issuer_of_what_is_no_token() -> None:
    assert issuer_of(mint(Claims(identity="ann"), "key", "n" * 32, now=1000.0)) == "key"
    assert issuer_of("nonsense") == ""


def test_a_bodys_token_holds_its_hash_and_lasts_five_minutes() -> None:
    """As recorded: ``iss``, three times and the SHA-256 of the body in standard base64."""
    token = mint_for_body(b'{"event":"room_started"}', "devkey", "s" * 32, now=1_795_256_752.9)
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    assert jwt.decode(token, options={"verify_signature": False}) == {
        "iss": "devkey",
        "exp": 1_795_257_052,
        "nbf": 1_795_256_752,
        "iat": 1_795_256_752,
        "sha256": base64.b64encode(hashlib.sha256(b'{"event":"room_started"}').digest()).decode(),
    }
    claims = verify(token, KeyRing({"devkey": "s" * 32}), 1_795_256_800.0)
    assert claims.sha256
