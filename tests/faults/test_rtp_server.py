"""Faults 29 to 44 and 51 to 54 thrown at a running server by somebody who has keys, with others in the house."""

import asyncio
import os
import random
from collections.abc import Iterator
from typing import Any

import pytest
from livekit.protocol import rtc

from sfu.rtp.extensions import ExtensionUri
from tests.faults.bystander import Media
from tests.harness.attacker import KEYFRAME, OPUS, SIMULCAST, Attacker, Stream, join_attacker
from tests.harness.rtp_stream import rtp_header

pytestmark = pytest.mark.asyncio(loop_scope="module")


def raw(hexadecimal: str) -> bytes:
    return bytes.fromhex(hexadecimal)


def with_block(stream: Stream, profile: int, body: bytes, words: int | None = None) -> bytes:
    """A packet with an extension block of any kind; ``words`` is the length that it claims."""
    header = bytearray(stream.packet(b"", extensions=()))
    header[0] |= 0x10
    length = len(body) // 4 if words is None else words
    return bytes(header) + profile.to_bytes(2, "big") + length.to_bytes(2, "big") + body + KEYFRAME


async def test_29_rtp_short_and_30_padding(media: Media, mallory: Attacker) -> None:
    good = mallory.video.packet(KEYFRAME)
    for length in range(1, 12):
        mallory.datagram(good[:length])
    for first in range(128, 192):  # every CC, X and P, as if encrypted
        mallory.datagram(bytes([first]) + good[1:12])
        mallory.datagram(bytes([first]) + good[1:])
        mallory.rtp(bytes([first]) + good[1:])
    for padding in (b"\0", b"\xff", b"\x50", b"\x02\x02", b"\0" * 255 + b"\xff"):
        for payload in (b"", KEYFRAME):
            packet = bytearray(mallory.video.packet(payload + padding))
            packet[0] |= 0x20
            mallory.rtp(bytes(packet))
    bare = bytearray(mallory.video.packet(b"", extensions=()))
    bare[0] |= 0x20
    mallory.rtp(bytes(bare))
    await mallory.is_heard()


async def test_31_rtp_extensions(media: Media, mallory: Attacker) -> None:
    video = mallory.video
    mid, twcc = video.ids[ExtensionUri.MID], video.ids[ExtensionUri.TRANSPORT_CC]
    bodies = [
        raw("f0000000") * 8,  # id 15 ends the block
        bytes(1200),  # id 0 all the way
        bytes([mid << 4 | 15]) + bytes(3),  # value past the end
        bytes([mid << 4 | 0, 0x41] * 500),  # the same id 500 times
        bytes([twcc << 4 | 1, 0, 0, twcc << 4]) + bytes(4),
        bytes([0xFF]) * 1000,
    ]
    for body in bodies:
        for profile in (0xBEDE, 0x1000, 0x100F, 0x1234, 0xFFFF):
            mallory.rtp(with_block(video, profile, body))
    for words in (0xFFFF, 1000, 30):
        mallory.datagram(with_block(video, 0xBEDE, bytes(8), words))
        mallory.rtp(with_block(video, 0xBEDE, bytes(8), words))
    mallory.rtp(video.packet(extensions=[(mid, bytes(range(200)))]))
    mallory.rtp(video.packet(extensions=[(mid, b"\xff\xfe\0")]))
    await mallory.is_heard()


async def test_32_rtp_payload_types(media: Media, mallory: Attacker) -> None:
    for payload_type in range(128):
        for marker in (False, True):  # with it, 64 to 95 look like RTCP
            mallory.rtp(mallory.video.packet(KEYFRAME, payload_type=payload_type, marker=marker))
            mallory.rtp(mallory.audio.packet(OPUS, payload_type=payload_type, marker=marker))
    for payload in (OPUS, b"\x7c\x85" + bytes(40), b"\x0a\x0b\0\0\0", os.urandom(500)):
        mallory.rtp(mallory.video.packet(payload))  # another codec under VP8's number
    await mallory.is_heard()


async def test_33_rtp_ssrc_flood(media: Media, mallory: Attacker) -> None:
    def packets() -> Iterator[bytes]:
        for ssrc in range(0x10000, 0x10000 + 20_000):
            yield mallory.video.packet(ssrc=ssrc)
            mallory.forget(ssrc)

    await mallory.is_heard()
    await mallory.flood(packets(), mallory.rtp)
    await mallory.is_heard(mallory.audio)  # each took the place of the last, so the camera is lost
    media.stays_small(12 << 20)


async def test_33_rtp_forged_ssrcs_use_up_nobodys_share(media: Media, mallory: Attacker) -> None:
    """Whoever knows an address may forge it: SSRCs that never authenticate must not count against their owner."""
    forged = (
        rtp_header(96, 1, 1, ssrc, False) + os.urandom(40) for ssrc in random.sample(range(1 << 32), 5000)
    )
    await mallory.flood(forged, mallory.datagram)
    await asyncio.sleep(0.1)
    audio = mallory.audio
    for number in range(1, 6):
        mallory.rtp(audio.packet(OPUS, ssrc=number))
    audio.ssrc = 5
    await mallory.is_heard()


async def test_34_rtp_ssrc_collisions(media: Media, mallory: Attacker) -> None:
    audio, video = mallory.audio, mallory.video
    witness = mallory.witness
    assert witness is not None
    for source in [*witness.media.sources, *media.speaker.media.sources]:
        for _ in range(20):  # SSRCs of others, in this room and the next
            mallory.rtp(video.packet(KEYFRAME, ssrc=source.stream.config.ssrc))
    for _ in range(20):
        mallory.rtp(audio.packet(OPUS, ssrc=video.ssrc))  # an audio packet under the camera's SSRC
        mallory.rtp(video.packet(KEYFRAME, ssrc=audio.ssrc))
    audio.ssrc ^= 0x1234  # another SSRC without a word in SDP
    await mallory.is_heard(audio)
    video.ssrc ^= 0x4321
    await mallory.is_heard(video)


async def test_35_rtp_sequence_and_36_timestamp_jumps(media: Media, mallory: Attacker) -> None:
    for stream, payload in ((mallory.audio, OPUS), (mallory.video, KEYFRAME)):
        for jump in (1, -1, 100, -100, 3000, -3000, 32_768, 65_535, 32_767):
            stream.sequence = stream.sequence + jump & 0xFFFF
            for _ in range(4):
                mallory.rtp(stream.packet(payload))
        for step in (-90_000, 1 << 31, -(1 << 31), 1, 0, 0x7FFFFFFF, 0x7FFFFFFF, 0x7FFFFFFF):
            stream.timestamp = stream.timestamp + step & 0xFFFFFFFF
            for _ in range(4):
                mallory.rtp(stream.packet(payload))
        for number in range(40):  # as if started anew, again and again
            mallory.rtp(stream.packet(payload, sequence=number % 3, timestamp=7))
    await mallory.is_heard()
    # Losing count of the rollovers costs the sender its own stream and nobody else anything.
    mallory.audio.sequence = 65_500
    for _ in range(20):
        mallory.rtp(mallory.audio.packet(OPUS))
    await mallory.is_heard(mallory.video)


async def test_37_rtp_duplicates_reordering_and_bursts(media: Media, mallory: Attacker) -> None:
    audio = mallory.audio
    await mallory.is_heard(audio)
    before = await mallory.forwarded_in_all(audio)
    sealed = [mallory.protect(audio.packet(OPUS)) for _ in range(1000)]
    for packet in (*sealed[:200][::-1], *sealed[:200]):
        mallory.datagram(packet)
    await asyncio.sleep(0.05)
    for _ in range(3):
        await mallory.flood(sealed, mallory.datagram)
    assert 900 <= await mallory.forwarded_in_all(audio) - before <= 1000  # once each
    await mallory.is_heard()


async def test_38_srtp_authentication_and_39_replay(media: Media, mallory: Attacker) -> None:
    audio = mallory.audio
    await mallory.is_heard(audio)
    before = await mallory.forwarded_in_all(audio)
    sealed = mallory.protect(audio.packet(OPUS))
    for cut in range(1, 40):
        mallory.datagram(sealed[:-cut])
    for at in range(12, len(sealed)):
        mallory.datagram(sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :])
    for length in range(12, 28):
        mallory.datagram(sealed[:length])
    for length in (*range(8, 40), 200):
        mallory.datagram(raw("81c9") + bytes(length - 2))
        mallory.datagram(raw("80c8") + os.urandom(length - 2))
    assert await mallory.forwarded_in_all(audio) == before
    for _ in range(500):
        mallory.datagram(sealed)
    assert await mallory.forwarded_in_all(audio) == before + 1
    await mallory.is_heard()
    mallory.datagram(sealed)


async def test_40_rtx_bad(media: Media, mallory: Attacker) -> None:
    video = mallory.video
    repaired = video.ids[ExtensionUri.REPAIRED_RID]
    sequence = 0

    def rtx(payload: bytes, **changes: Any) -> bytes:
        nonlocal sequence
        sequence += 1
        return video.packet(
            payload, **({"sequence": sequence, "ssrc": 0x51515151, "payload_type": 97} | changes)
        )

    for ssrc in (0x51515151, video.ssrc):  # before any primary packet, and under the primary's own SSRC
        for payload in (b"", b"\0", b"\0\0", video.sequence.to_bytes(2, "big") + KEYFRAME, os.urandom(900)):
            mallory.rtp(rtx(payload, ssrc=ssrc))
    await mallory.is_heard(video)
    for number in range(2000):  # of packets never sent, or sent long ago
        payload = (video.sequence + 5 - number & 0xFFFF).to_bytes(2, "big") + KEYFRAME
        mallory.rtp(rtx(payload))
        if number % 64 == 0:
            await asyncio.sleep(0)
    for rid in (b"q", b"\xff", bytes(255)):
        mallory.rtp(rtx(bytes(10), ssrc=0x61616161, extensions=[(repaired, rid)]))
    await mallory.is_heard()


async def test_41_red_bad(media: Media, mallory: Attacker) -> None:
    for payload in (
        raw("ef") * 300,  # blocks without end
        raw("ef0003ff 6f") + bytes(10),  # a block past the payload
        raw("effffc00 6f"),
        raw("80000001 00 00"),
        b"\x6f",
        b"",
    ):
        for payload_type in (63, 111):
            mallory.rtp(mallory.audio.packet(payload, payload_type=payload_type))
    await mallory.is_heard()


async def test_42_rid_bad(media: Media, room: str) -> None:
    witness = await media.stage.join(room, "witness", publishes=False)
    mallory = await join_attacker(media.stage, room, witness=witness, video=SIMULCAST)
    layers = [stream for stream in mallory.streams if stream.rid]
    assert len(layers) == 3
    low = layers[0]
    mid, rid, repaired = (
        low.ids[uri] for uri in (ExtensionUri.MID, ExtensionUri.RID, ExtensionUri.REPAIRED_RID)
    )
    elements = [
        [(mid, b"0"), (rid, b"z")],
        [(mid, low.mid.encode()), (rid, bytes(255))],
        [(mid, low.mid.encode()), (rid, b"\xff\xfe")],
        [(mid, low.mid.encode()), (rid, b"q"), (repaired, b"q")],
        [(mid, b"99"), (rid, b"q")],
        [(mid, b"m" * 200)],
        [(rid, b"q")],
    ]
    for ssrc, values in enumerate(elements, 0x7000):
        for _ in range(5):
            mallory.rtp(low.packet(KEYFRAME, ssrc=ssrc, extensions=values))
    for name in (b"q", b"h", b"f", b"x", b"q"):  # one SSRC that says another RID, and another MID, each time
        mallory.rtp(low.packet(KEYFRAME, extensions=[(mid, low.mid.encode()), (rid, name)]))
        mallory.rtp(low.packet(KEYFRAME, extensions=[(mid, mallory.audio.mid.encode()), (rid, name)]))
    await mallory.is_heard(low)
    for client in (witness, mallory.client):
        await media.stage.leave(client)


async def test_43_audio_level_lies(media: Media, mallory: Attacker) -> None:
    audio = mallory.audio
    level, mid = audio.ids[ExtensionUri.AUDIO_LEVEL], (audio.ids[ExtensionUri.MID], audio.mid.encode())
    for value in (b"\x80", b"", b"\xff", b"\0\0", bytes(16), bytes(200)):
        for _ in range(10):
            mallory.rtp(audio.packet(OPUS, extensions=[mid, (level, value)]))
    for _ in range(20):  # a whole day of loudness in a moment
        audio.timestamp = audio.timestamp + 0x7FFFFFFF & 0xFFFFFFFF
        mallory.rtp(audio.packet(OPUS, extensions=[mid, (level, b"\x80")]))
    await asyncio.sleep(0.5)  # a window of speakers
    await mallory.is_heard()


async def test_44_twcc_gaps(media: Media, mallory: Attacker) -> None:
    audio = mallory.audio
    number, mid = audio.ids[ExtensionUri.TRANSPORT_CC], (audio.ids[ExtensionUri.MID], audio.mid.encode())
    chosen = random.Random(44)
    jumps = [0, 0, 0, 1, 32_768, 1, 65_535, 3, 2, 1, 30_000, 60_000, 5, 5]
    jumps += [chosen.randrange(1 << 16) for _ in range(500)] + [n * 2047 & 0xFFFF for n in range(500)]
    for sequence in jumps:
        mallory.rtp(audio.packet(OPUS, extensions=[mid, (number, sequence.to_bytes(2, "big"))]))
        mallory.rtp(audio.packet(OPUS, extensions=[mid]))
        if sequence % 16 == 0:
            await asyncio.sleep(0)
    for value in (b"", b"\0", bytes(3), bytes(16)):
        mallory.rtp(audio.packet(OPUS, extensions=[mid, (number, value)]))
    await mallory.is_heard()
    assert mallory.heard_bytes < 200_000


async def test_45_payload_vp8(media: Media, mallory: Attacker) -> None:
    """Descriptors of every form, cut anywhere, on a stream that is being rewritten for a subscriber."""
    video = mallory.video
    await mallory.is_heard(video)
    for first in (0x90, 0x80, 0xFF, 0x10):
        for present in range(0, 256, 5):
            whole = bytes([first, present]) + b"\xff\xfe\xfd\xfc\xfb" + bytes(20)
            for length in (1, 2, 3, 4, 5, 6, 7, 27):
                mallory.rtp(video.packet(whole[:length], marker=length % 2 == 0))
            await asyncio.sleep(0)
    for number in range(200):  # the picture id grows and shrinks by a byte, and jumps
        narrow = bytes([0x90, 0xE0, number & 0x7F, number * 77 & 0xFF, 0]) + KEYFRAME[6:]
        wide = b"\x90\xe0" + (0x8000 | number * 9973 & 0x7FFF).to_bytes(2, "big") + bytes(2) + KEYFRAME[6:]
        mallory.rtp(video.packet(narrow))
        mallory.rtp(video.packet(wide))
    await mallory.is_heard()


async def test_51_mtu(media: Media, mallory: Attacker) -> None:
    for size in (0, 1, 1500, 1501, 2047, 2048, 2049, 9000, 65_507):
        for first in (b"\x00\x01", b"\x16\xfe", b"\x80\x60", b"\x80\xc8", b"\xff\xff"):
            mallory.datagram((first + bytes(size))[:size])
    for size in (1200, 1400, 1460, 1472):  # fits us, but not with what we add for a subscriber
        mallory.rtp(mallory.video.packet(KEYFRAME + bytes(size - len(KEYFRAME))))
        mallory.rtp(mallory.audio.packet(bytes(size)))
    await mallory.is_heard()


async def test_52_simulcast_flap(media: Media, room: str) -> None:
    witness = await media.stage.join(room, "witness", publishes=False)
    mallory = await join_attacker(media.stage, room, witness=witness, video=SIMULCAST)
    layers = [stream for stream in mallory.streams if stream.rid]
    before = mallory.forwarded(layers[0])
    for turn in range(60):
        for index, layer in enumerate(layers):
            if index == 0 or turn // 5 % (index + 1) == 0:  # the upper two come and go
                layer.timestamp = layer.timestamp + (90 * index & 0xFFFF) & 0xFFFFFFFF  # and drift apart
                # The highest never has a key frame.
                mallory.rtp(
                    layer.packet(KEYFRAME if index < 2 and turn % 5 == 0 else b"\x90\xe0" + bytes(60))
                )
        await asyncio.sleep(0.02)
    assert await mallory.forwarded_in_all(layers[0]) - before > 10
    await mallory.is_heard(layers[0])
    for client in (witness, mallory.client):
        await media.stage.leave(client)


async def test_53_encrypted_payload_is_forwarded(media: Media, mallory: Attacker) -> None:
    await mallory.is_heard()
    streams = (mallory.video, mallory.audio)
    before = sum([await mallory.forwarded_in_all(stream) for stream in streams])
    for _ in range(200):
        mallory.rtp(mallory.video.packet(os.urandom(300)))
        mallory.rtp(mallory.audio.packet(os.urandom(80)))
        await asyncio.sleep(0.001)
    assert sum([await mallory.forwarded_in_all(stream) for stream in streams]) - before >= 390


async def test_54_publisher_mute_storm(media: Media, mallory: Attacker) -> None:
    for turn in range(100):
        for stream in (mallory.audio, mallory.video):
            await mallory.request(mute=rtc.MuteTrackRequest(sid=stream.sid, muted=turn % 2 == 0))
            size = rtc.UpdateLocalVideoTrack(track_sid=stream.sid, width=turn, height=4_000_000_000)
            await mallory.request(update_video_track=size)
            mallory.rtp(stream.packet(KEYFRAME))
        await asyncio.sleep(0.005)
    await mallory.is_heard()
