import pytest
from livekit.protocol.models import DisconnectReason
from playwright.async_api import Error

from tests.harness.browser import JoinInBrowser, both_browser_modes


@both_browser_modes
async def test_a_second_session_of_an_identity_ends_the_first(browse: JoinInBrowser) -> None:
    async with browse("alice") as first, browse("alice") as second:
        (reason,) = await first.hears("disconnected")
        assert reason == DisconnectReason.DUPLICATE_IDENTITY
        assert await second.do("state") == "connected"


async def test_leaving_is_seen_by_others(browse: JoinInBrowser) -> None:
    async with browse("bob") as bob:
        async with browse("alice") as alice:
            await alice.publish_video()
            await bob.hears("trackSubscribed")
        gone, *_ = await bob.hears("participantDisconnected")
        assert gone["identity"] == "alice"


async def test_a_server_that_sends_everyone_away_is_obeyed(browse: JoinInBrowser) -> None:
    async with browse("alice") as alice:
        await alice.do("simulate", "server-leave")
        (reason,) = await alice.hears("disconnected")
        assert reason == DisconnectReason.SERVER_SHUTDOWN


async def test_a_page_reads_why_it_was_refused(browse: JoinInBrowser) -> None:
    with pytest.raises(Error, match="permission"):
        async with browse("alice", room_join=False):
            pass
