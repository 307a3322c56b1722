"""The fixtures, used as anybody would use them."""

import urllib.error
import urllib.request
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from livekit import rtc

from hubbub.testing import HubbubServer
from hubbub.testing.plugin import StartHubbub
from tests.harness.eventually import eventually


def test_a_server_answers_and_ends(hubbub: HubbubServer) -> None:
    with urllib.request.urlopen(hubbub.http_url, timeout=5) as answer:
        assert answer.read() == b"OK"
    hubbub.stop()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(hubbub.http_url, timeout=5)


def test_servers_of_a_test_are_apart(start_hubbub: StartHubbub) -> None:
    one, other = start_hubbub(), start_hubbub()
    assert one.port != other.port
    assert one.udp_port != other.udp_port
    one.kill()
    assert not one.running
    assert other.running


@pytest_asyncio.fixture
async def listener(hubbub: HubbubServer) -> AsyncIterator[rtc.Room]:
    """Somebody who is there before the test begins, in the test's own event loop."""
    room = rtc.Room()
    await room.connect(hubbub.url, hubbub.token("kitchen", "listener"))
    yield room
    await room.disconnect()


@pytest.mark.parametrize("again", range(3))
async def test_who_joined_in_a_fixture_hears_who_publishes_in_the_test(
    hubbub: HubbubServer, listener: rtc.Room, again: int
) -> None:
    subscribed: list[str] = []
    listener.on("track_subscribed", lambda track, *_: subscribed.append(track.name))
    speaker = rtc.Room()
    await speaker.connect(hubbub.url, hubbub.token("kitchen", "speaker"))
    source = rtc.AudioSource(48_000, 1)
    microphone = rtc.LocalAudioTrack.create_audio_track("mic", source)
    await speaker.local_participant.publish_track(microphone)
    await eventually(lambda: subscribed == ["mic"])
    await speaker.disconnect()


async def test_people_meet(hubbub: HubbubServer) -> None:
    ann, bob = rtc.Room(), rtc.Room()
    try:
        await ann.connect(hubbub.url, hubbub.token("kitchen", "ann", name="Ann"))
        await bob.connect(hubbub.url, hubbub.token("kitchen", "bob"))
        await eventually(lambda: "ann" in bob.remote_participants)
        assert bob.remote_participants["ann"].name == "Ann"
    finally:
        await ann.disconnect()
        await bob.disconnect()
