"""Tokens for tests are what the server's own code reads in them."""

import time

from auth import tokens
from auth.keys import KeyRing
from hubbub.testing.tokens import access_token

SECRET = "a-secret-that-is-long-enough-for-anybody"


def test_everything_is_in_the_token() -> None:
    token = access_token(
        "key",
        SECRET,
        "ann",
        {"room_join": True, "room": "kitchen"},
        name="Ann",
        metadata="{}",
        attributes={"role": "host"},
        kind="agent",
        can_publish=False,
        can_publish_sources=["microphone"],
        ttl_s=60,
    )
    claims = tokens.verify(token, KeyRing({"key": SECRET}), time.time())
    assert (claims.identity, claims.name, claims.metadata) == ("ann", "Ann", "{}")
    assert claims.attributes == {"role": "host"}
    assert claims.kind == "agent"
    assert claims.video is not None
    assert claims.video.room == "kitchen"
    assert claims.video.room_join
    assert claims.video.can_publish is False
    assert list(claims.video.can_publish_sources) == ["microphone"]
