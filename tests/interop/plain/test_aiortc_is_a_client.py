import pytest

from tests.harness.plain_client import JoinPlainly, both_plain_modes


@both_plain_modes
async def test_two_plain_clients_see_and_hear_each_other(join_plainly: JoinPlainly) -> None:
    async with join_plainly("alice") as alice, join_plainly("bob") as bob:
        await alice.publish_video(shade=180)
        await alice.publish_tone(440)
        await bob.publish_tone(880)
        await (await bob.video_of("alice")).shows(180)
        await (await bob.audio_of("alice")).hears(440)
        await (await alice.audio_of("bob")).hears(880)


@both_plain_modes
@pytest.mark.parametrize("channel", ["_reliable", "_lossy"])
async def test_data_arrives_with_its_sender(join_plainly: JoinPlainly, channel: str) -> None:
    async with join_plainly("alice") as alice, join_plainly("bob") as bob:
        alice.publish_data(b"hello", topic="t", channel=channel)
        packet = await bob.hears_data(b"hello")
        assert (packet.user.topic, packet.participant_identity) == ("t", "alice")
        assert packet.participant_sid == alice.joined.participant.sid


@both_plain_modes
async def test_a_late_joiner_gets_what_was_published_before(join_plainly: JoinPlainly) -> None:
    async with join_plainly("alice") as alice:
        await alice.publish_video(shade=60)
        await alice.publish_tone(440)
        async with join_plainly("bob") as bob:
            await (await bob.video_of("alice")).shows(60)
            await (await bob.audio_of("alice")).hears(440)


@pytest.mark.parametrize("codec", ["audio/g722", "audio/pcmu", "audio/pcma"])
async def test_the_old_codecs_of_telephones_are_forwarded(join_plainly: JoinPlainly, codec: str) -> None:
    async with join_plainly("alice") as alice, join_plainly("bob") as bob:
        await alice.publish_tone(440, codec=codec)
        await (await bob.audio_of("alice")).hears(440)


async def test_several_tracks_of_a_kind_find_their_sections(join_plainly: JoinPlainly) -> None:
    async with join_plainly("alice") as alice, join_plainly("bob") as bob, join_plainly("carol") as carol:
        await alice.publish_tone(440)
        await bob.publish_tone(880)
        await carol.publish_tone(660)
        for client, others in ((alice, (bob, carol)), (bob, (alice, carol)), (carol, (alice, bob))):
            for other in others:
                frequency_hz = {alice: 440, bob: 880, carol: 660}[other]
                identity = other.joined.participant.identity
                await (await client.audio_of(identity)).hears(frequency_hz)
