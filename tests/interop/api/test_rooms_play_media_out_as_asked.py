import asyncio
import re
from typing import Any

import pytest
from livekit import api
from livekit.api import LiveKitAPI

from tests.harness.clients import Join, SdkClient, both_modes
from tests.harness.eventually import eventually
from tests.harness.plain_client import JoinPlainly

DELAY_MS = 1500
FRAMES = 30


@both_modes
@pytest.mark.parametrize("delay_ms", [0, DELAY_MS])
async def test_a_playout_delay_holds_video_back(
    admin: LiveKitAPI, join: Join, room: str, delay_ms: int
) -> None:
    await admin.room.create_room(
        api.CreateRoomRequest(name=room, min_playout_delay=delay_ms, max_playout_delay=2 * delay_ms)
    )
    async with join("alice") as alice, join("bob") as bob:
        await alice.publish_video(shade=90)
        await (await bob.video_of("alice")).shows(90)
        # Receivers take a while to let the delay grow.
        await eventually(lambda: held_back_s(bob, delay_ms), lambda: f"a delay of {delay_ms} ms", within_s=20)


async def held_back_s(client: SdkClient, delay_ms: int) -> bool:
    """Whether video of the last moment was held back as asked (libwebrtc's jitter buffer)."""
    before, after = await buffered(client), None
    while after is None or after[1] < before[1] + FRAMES:
        await asyncio.sleep(0.2)
        after = await buffered(client)
    held_s = (after[0] - before[0]) / (after[1] - before[1])
    return held_s > 0.9 * delay_ms / 1000 if delay_ms else held_s < 0.9 * DELAY_MS / 1000


async def buffered(client: SdkClient) -> tuple[float, int]:
    """Seconds and frames that the video jitter buffer has handed out."""
    stats = await client.room.get_rtc_stats()
    every: list[Any] = [*stats.publisher_stats, *stats.subscriber_stats]
    inbound = [one.inbound_rtp for one in every if one.WhichOneof("stats") == "inbound_rtp"]
    (video,) = [one.inbound for one in inbound if one.stream.kind == "video"]
    return video.jitter_buffer_delay, video.jitter_buffer_emitted_count


@pytest.mark.parametrize("synced", [True, False])
async def test_synced_streams_are_one(
    admin: LiveKitAPI, join_plainly: JoinPlainly, room: str, synced: bool
) -> None:
    await admin.room.create_room(api.CreateRoomRequest(name=room, sync_streams=synced))
    async with join_plainly("alice") as alice, join_plainly("bob") as bob:
        await alice.publish_video(shade=180)
        await alice.publish_tone(440)
        await (await bob.video_of("alice")).shows(180)
        await (await bob.audio_of("alice")).hears(440)
        description = bob.publisher.remoteDescription.sdp
        streams = set(re.findall(r"a=msid:(\S+) TR_", description))
        assert len(streams) == (1 if synced else 2)
        assert {stream.partition("|")[0] for stream in streams} == {alice.joined.participant.sid}
