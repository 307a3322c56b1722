"""Tokens to join with."""

import pytest

from auth.errors import UnknownKey
from auth.grants import Claims, VideoGrant
from auth.keys import KeyRing
from auth.tokens import verify
from hubbub.tokens import join_token

KEYS = KeyRing({"first": "f" * 32, "second": "s" * 32})
ANN = Claims(identity="ann", name="Ann", attributes={"seat": "3"})


def test_it_is_signed_with_the_first_key_and_lasts_as_long_as_asked() -> None:
    claims = verify(join_token(KEYS, "kitchen", ANN, ttl_s=60, now=1000.5), KEYS, 1000.5)
    assert (claims.issuer, claims.not_before, claims.expires_at) == ("first", 1000, 1060)
    assert (claims.identity, claims.name, claims.attributes) == ("ann", "Ann", {"seat": "3"})
    assert claims.video == VideoGrant(room_join=True, room="kitchen")


def test_further_grants_are_laid_over_the_right_to_join() -> None:
    token = join_token(KEYS, "kitchen", ANN, ttl_s=60, now=1000, hidden=True, room="attic")
    video = verify(token, KEYS, 1000).video
    assert video == VideoGrant(room_join=True, room="attic", hidden=True)
    with pytest.raises(TypeError):
        join_token(KEYS, "kitchen", ANN, ttl_s=60, now=1000, can_fly=True)


def test_there_is_none_without_a_key() -> None:
    with pytest.raises(UnknownKey):
        join_token(KeyRing({}), "kitchen", ANN, ttl_s=60, now=1000)
