from livekit import rtc

from tests.harness.clients import joined
from tests.harness.eventually import stays
from tests.harness.server import Server


def _encrypted(key: bytes) -> dict[str, rtc.E2EEOptions]:
    return {"encryption": rtc.E2EEOptions(key_provider_options=rtc.KeyProviderOptions(shared_key=key))}


async def test_holders_of_the_key_see_and_hear_and_others_do_not(server: Server, room: str) -> None:
    async with (
        joined(server, room, "alice", options=_encrypted(b"key")) as alice,
        joined(server, room, "bob", options=_encrypted(b"key")) as bob,
        joined(server, room, "eve", options=_encrypted(b"guess")) as eve,
    ):
        await alice.publish_video(shade=200)
        await alice.publish_tone(440)
        eves = await eve.video_of("alice")
        await (await bob.video_of("alice")).shows(200)
        await (await bob.audio_of("alice")).hears(440)
        assert (await bob.publication_of("alice")).encryption_type == rtc.EncryptionType.GCM
        await stays(lambda: eves.frames == 0, "eve sees nothing", for_s=0.5)
        await alice.me.publish_data(b"secret")
        (packet,) = await bob.hears("data_received")
        assert packet.data == b"secret"
        assert not eve.heard("data_received")
