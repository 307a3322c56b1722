import jwt
from livekit import api

from tests.harness.clients import Join
from tests.harness.server import Server


async def test_a_client_is_given_a_token_of_the_same_rights(join: Join, server: Server, room: str) -> None:
    async with join("alice", name="Alice", can_publish_data=False, ttl_s=60) as alice:
        await alice.hears("token_refreshed")
        claims = api.TokenVerifier(server.api_key, server.api_secret).verify(alice.room._token)
        assert (claims.identity, claims.name) == ("alice", "Alice")
        assert (claims.video.room, claims.video.can_publish_data) == (room, False)
        lifetime = jwt.decode(alice.room._token, options={"verify_signature": False})
        assert lifetime["exp"] - lifetime["nbf"] >= 600
