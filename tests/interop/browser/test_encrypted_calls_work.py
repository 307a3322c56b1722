from tests.harness.browser import JoinInBrowser, both_browser_modes

WITH_KEY = {"encryptionKey": "the shared key"}


@both_browser_modes
async def test_holders_of_the_key_see_and_hear_each_other(browse: JoinInBrowser) -> None:
    async with browse("alice", options=WITH_KEY) as alice, browse("bob", options=WITH_KEY) as bob:
        await alice.publish_video(shade=180)
        await alice.publish_tone(440)
        await bob.shows("alice", 180, frames=20)
        await bob.hears_tone("alice", 440)
        assert await bob.heard("participantEncryptionStatusChanged", lambda on, who: on)
        await alice.do("publishData", "secret", {"reliable": True})
        await bob.hears("dataReceived", lambda data, *_: data == "secret")
