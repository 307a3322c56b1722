from tests.harness.browser import JoinInBrowser, both_browser_modes


@both_browser_modes
async def test_a_muted_tone_is_silent_and_comes_back(browse: JoinInBrowser) -> None:
    async with browse("alice") as alice, browse("bob") as bob:
        sid = await alice.publish_tone(440)
        await bob.hears_tone("alice", 440)
        await alice.do("mute", sid)
        await bob.hears("trackMuted")
        await bob.hears_tone("alice", 0)
        await alice.do("unmute", sid)
        await bob.hears("trackUnmuted")
        await bob.hears_tone("alice", 440)


@both_browser_modes
async def test_unpublished_video_is_gone_and_can_be_published_again(browse: JoinInBrowser) -> None:
    async with browse("alice") as alice, browse("bob") as bob:
        for shade in (60, 200):
            sid = await alice.publish_video(shade=shade)
            await bob.shows("alice", shade)
            await alice.do("unpublish", sid)
            await bob.hears("trackUnpublished", lambda track, who, sid=sid: track["sid"] == sid)


@both_browser_modes
async def test_a_watcher_unsubscribes_and_subscribes_again(browse: JoinInBrowser) -> None:
    async with browse("alice") as alice, browse("bob") as bob:
        await alice.publish_video(shade=60)
        await bob.shows("alice", 60)
        await bob.do("setSubscribed", "alice", "camera", False)
        await bob.hears("trackUnsubscribed")
        await bob.do("setSubscribed", "alice", "camera", True)
        await bob.shows("alice", 60)
