from livekit.protocol.models import ParticipantInfo
from livekit.protocol.rtc import AddTrackRequest, JoinRequest

from tests.harness.raw_signal import LIKE_JS, V0, V1, join_parameters, signalling
from tests.harness.server import Server


async def test_it_holds_what_every_client_needs(server: Server, room: str) -> None:
    token = server.token(room, "alice", name="Alice", metadata="m", attributes={"a": "b"})
    async with signalling(server, token) as alice:
        joined = await alice.hears("join")
        assert alice.frames[0].kind == "join"
        assert joined.room.sid.startswith("RM_")
        assert joined.room.name == room
        me = joined.participant
        assert me.sid.startswith("PA_")
        assert (me.identity, me.name, me.metadata, dict(me.attributes)) == ("alice", "Alice", "m", {"a": "b"})
        assert me.permission.can_publish
        assert me.permission.can_subscribe
        assert me.permission.can_publish_data
        assert (joined.ping_interval, joined.ping_timeout) == (5, 15)
        assert joined.server_info.protocol <= 17
        assert joined.server_info.version.count(".") == 2
        assert joined.subscriber_primary
        assert joined.fast_publish


async def test_others_are_in_it_and_hear_of_the_new_one(server: Server, room: str) -> None:
    async with signalling(server, server.token(room, "bob")) as bob:
        await bob.hears("join")
        async with signalling(server, server.token(room, "alice")) as alice:
            joined = await alice.hears("join")
            assert [other.identity for other in joined.other_participants] == ["bob"]
            assert (await bob.learns("alice")).sid == joined.participant.sid


async def test_two_connections_start_with_an_offer_and_one_does_not(server: Server, room: str) -> None:
    async with signalling(server, server.token(room, "alice")) as alice:
        assert (await alice.hears("join")).subscriber_primary
        assert (await alice.hears("offer")).type == "offer"
    async with signalling(server, server.token(room, "bob"), V1, join_parameters()) as bob:
        assert not (await bob.hears("join")).subscriber_primary
        await bob.send(ping=1)
        await bob.hears("pong")
        assert not bob.heard("offer")


async def test_who_may_not_subscribe_gets_no_offer(server: Server, room: str) -> None:
    async with signalling(server, server.token(room, "alice", can_subscribe=False)) as alice:
        assert not (await alice.hears("join")).subscriber_primary
        await alice.send(ping=1)
        await alice.hears("pong")
        assert not alice.heard("offer")


async def test_a_client_without_any_parameter_gets_in(server: Server, room: str) -> None:
    async with (
        signalling(server, server.token(room, "alice"), V0, {}) as alice,
        signalling(server, server.token(room, "bob"), V1, {"join_request": "EgA="}) as bob,
    ):
        assert not (await alice.hears("join")).subscriber_primary
        await bob.hears("join")
        await alice.learns("bob")


async def test_a_join_request_may_bring_profile_and_tracks(server: Server, room: str) -> None:
    request = JoinRequest(
        metadata="m",
        participant_attributes={"k": "v"},
        add_track_requests=[AddTrackRequest(cid="c1", name="mic")],
    )
    token = server.token(room, "alice", can_update_own_metadata=True)
    async with signalling(server, token, V1, join_parameters(request)) as alice:
        me: ParticipantInfo = (await alice.hears("join")).participant
        assert (me.metadata, dict(me.attributes)) == ("m", {"k": "v"})
        assert (await alice.hears("track_published")).cid == "c1"


async def test_capabilities_are_mirrored_to_others(server: Server, room: str) -> None:
    announced = LIKE_JS | {"client_protocol": "2", "capabilities": "CAP_COMPRESSION_DEFLATE_RAW"}
    async with (
        signalling(server, server.token(room, "bob")) as bob,
        signalling(server, server.token(room, "alice"), V0, announced),
    ):
        info = await bob.learns("alice")
        assert info.client_protocol == 2
        assert len(info.capabilities) == 1


async def test_a_publishing_companion_joins_beside_its_owner(server: Server, room: str) -> None:
    async with (
        signalling(server, server.token(room, "alice")) as alice,
        signalling(server, server.token(room, "alice"), V0, LIKE_JS | {"publish": "screen"}) as companion,
    ):
        me = (await companion.hears("join")).participant
        assert (me.identity, me.permission.can_subscribe) == ("alice#screen", False)
        await alice.learns("alice#screen")
        assert not alice.heard("leave")
