"""Frames of tracks that others publish, decoded for whoever reads them."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from livekit.protocol import models

from media.opus import OpusDecoder
from media.reorder import Reorder
from media.timestamps import Timestamps
from media.vp8 import Assembler
from media.vp8_codec import Vp8Decoder
from sfu.tap import Tapped

from .resident import Resident

if TYPE_CHECKING:
    from media.frames import AudioFrame, VideoFrame

TRACK_PREFIX = "TR_"
AUDIO_WAIT_S = 0.06
VIDEO_WAIT_S = 0.2
"""How long a missing packet is waited for: the server asks the publisher for it."""
KEYFRAME_AGAIN_S = 0.5


async def tracks(resident: Resident, of: str, kind: models.TrackType) -> AsyncIterator[str]:
    """The sids of tracks to read one after the other: the one of that sid, or somebody's first of its kind, and the
    next when that has ended, until they leave. Waits for those who are not there yet."""
    arrived = False
    while not resident.ended:
        if of.startswith(TRACK_PREFIX):
            found = resident.roster.track(of)
            gone = arrived
        else:
            found = resident.roster.first(of, kind)
            gone = arrived and of not in resident.roster
            arrived = arrived or of in resident.roster
        if gone:
            return
        if found is None:
            await resident.changed()
            continue
        arrived = True
        yield found.sid


async def sound(resident: Resident, of: str, sample_rate: int, channels: int) -> AsyncIterator["AudioFrame"]:
    """Audio frames as they come; a lost packet leaves a gap in their ``pts``."""
    async for sid in tracks(resident, of, models.AUDIO):
        decoder = OpusDecoder(sample_rate, channels)
        times = Timestamps()
        async for _, packet in _packets(resident, sid, AUDIO_WAIT_S):
            for frame in decoder.decode(packet.payload, times.extend(packet.timestamp)):
                yield frame


async def pictures(resident: Resident, of: str) -> AsyncIterator["VideoFrame"]:
    """Video frames as they come, decoded in a thread."""
    async for sid in tracks(resident, of, models.VIDEO):
        decoder, assembler, times = Vp8Decoder(), Assembler(), Timestamps()
        asked_at = asyncio.get_running_loop().time()
        async for number, packet in _packets(resident, sid, VIDEO_WAIT_S):
            encoded = assembler.push(number, packet.timestamp, packet.marker, packet.payload)
            if encoded is not None:
                ticks = times.extend(encoded.timestamp)
                decoded = await asyncio.to_thread(decoder.decode, encoded.data, ticks)
                for frame in decoded or ():
                    yield frame
                if decoded is None:
                    assembler.lose()
            now = asyncio.get_running_loop().time()
            if assembler.broken and now - asked_at >= KEYFRAME_AGAIN_S:
                asked_at = now
                resident.ask_for_keyframe(sid)


async def _packets(resident: Resident, sid: str, wait_s: float) -> AsyncIterator[tuple[int, Tapped]]:
    """A track's packets in order, by extended sequence number."""
    order: Reorder[Tapped] = Reorder(wait_s)
    with resident.received(sid) as inbox:
        while (packet := await inbox.get()) is not None:
            for numbered in order.push(packet.sequence, packet, asyncio.get_running_loop().time()):
                yield numbered
