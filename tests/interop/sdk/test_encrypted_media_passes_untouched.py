from livekit import rtc

from tests.harness.clients import Join
from tests.harness.eventually import stays


def _encrypted(key: bytes) -> dict[str, rtc.E2EEOptions]:
    return {"encryption": rtc.E2EEOptions(key_provider_options=rtc.KeyProviderOptions(shared_key=key))}


async def test_holders_of_the_key_see_and_hear_and_others_do_not(join: Join) -> None:
    async with (
        join("alice", options=_encrypted(b"key")) as alice,
        join("bob", options=_encrypted(b"key")) as bob,
        join("eve", options=_encrypted(b"guess")) as eve,
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
