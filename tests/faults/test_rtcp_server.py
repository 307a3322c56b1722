"""Faults 55 to 63 thrown at a running server: RTCP of somebody who has keys, as publisher and as subscriber."""

import asyncio
import itertools
import os
import struct
from collections.abc import Callable, Iterator

import pytest

from sfu.rtp import rtcp
from tests.faults.bystander import Media
from tests.harness.attacker import Attacker

pytestmark = pytest.mark.asyncio(loop_scope="module")

ME = 0x0BADCAFE


def packet(
    kind: int, count: int, body: bytes = b"", words: int | None = None, *, padding: bool = False
) -> bytes:
    """An RTCP packet that may lie about its length, its count and its padding."""
    length = (len(body) + 3) // 4 if words is None else words
    return struct.pack("!BBH", 0x80 | padding << 5 | count, kind, length) + body


def block(
    ssrc: int, *, fraction: int = 0, lost: int = 0, highest: int = 0, lsr: int = 0, dlsr: int = 0
) -> bytes:
    loss = fraction << 24 | lost & 0xFFFFFF
    return struct.pack("!IIIIII", ssrc, loss, highest & 0xFFFFFFFF, 0, lsr, dlsr)


async def test_55_rtcp_short_and_62_odd_packets(media: Media, mallory: Attacker) -> None:
    await mallory.settles()
    video = mallory.video.ssrc.to_bytes(4, "big")
    me = ME.to_bytes(4, "big")
    cases = [
        packet(201, 0, me, words=0xFFFF),
        packet(201, 31, me),
        packet(200, 31, me + bytes(20)),
        packet(201, 0, me) + b"\x80",
        packet(201, 0, me, padding=True) + packet(201, 0, me),
        packet(201, 0, me + b"\0\0\0\xff", padding=True),
        packet(201, 0, me + bytes(4), padding=True),
        packet(206, 1, me + video),  # not begun by a report
        packet(203, 1, video),  # BYE of a live source
        packet(203, 31, video),
        packet(203, 1, video + b"\xff no end"),
        packet(202, 1, video + b"\x01\xff" + b"c" * 255 + b"\0" * 3),
        packet(202, 1, video + b"\x01\x10" + b"c" * 2),
        packet(202, 31, video + b"\x08\x00" * 200),
        packet(204, 5, video + b"NAME" + bytes(40)),
        packet(205, 3, me + video + bytes(8)),  # TMMBR
        packet(207, 0, me + b"\x63\0\xff\xff" + bytes(8)),
        packet(207, 0, me + b"\x05\0\0\x00" * 100),
        packet(201, 0, me) * 140,
        *(packet(kind, count, me + os.urandom(24)) for kind in range(192, 224) for count in (0, 1, 15, 31)),
    ]
    for case in cases:
        mallory.rtcp(case)
        mallory.rtcp(packet(201, 0, me) + case)
    await mallory.hears()
    await mallory.is_heard()


async def test_56_sender_reports_that_lie(media: Media, mallory: Attacker) -> None:
    await mallory.settles()
    await mallory.is_heard()
    foreign = (mallory.downstream["video"].ssrc, media.speaker.media.sources[0].stream.config.ssrc, 0)
    stamps = (0, 1, 1 << 63, (1 << 64) - 1, 0xE0000000 << 32, 0x10 << 32, 0xE0000000 << 32)
    for ssrc in (mallory.audio.ssrc, mallory.video.ssrc, *foreign):
        for ntp, rtp in itertools.product(stamps, (0, 0xFFFFFFFF, 0x80000000)):
            mallory.rtcp(struct.pack("!BBHIQIII", 0x80, 200, 6, ssrc, ntp, rtp, 0xFFFFFFFF, 0xFFFFFFFF))
    await asyncio.sleep(0.5)  # the witness is sent reports made of these
    await mallory.is_heard()
    await mallory.hears()


async def test_57_receiver_reports_that_lie(media: Media, mallory: Attacker) -> None:
    await mallory.settles()
    for one in (*mallory.downstream.values(),):
        for lies in (
            {"fraction": 255, "lost": 0x7FFFFF},
            {"fraction": 255, "lost": -0x800000},
            {"highest": 0xFFFFFFFF},
            {"highest": 1},
            {"lsr": 0xFFFFFFFF, "dlsr": 0},
            {"lsr": 1, "dlsr": 0xFFFFFFFF},
            {"lsr": 0x12345678, "dlsr": 65_535 << 16 & 0xFFFFFFFF},
        ):
            blocks = block(one.ssrc, **lies) * 31
            mallory.rtcp(packet(201, 31, ME.to_bytes(4, "big") + blocks))
    await asyncio.sleep(0.3)
    await mallory.hears()


async def test_58_nack_amplification(media: Media, mallory: Attacker) -> None:
    """Five thousand NACKs of everything bring back no more than the budget of a second or two."""
    await mallory.settles()
    await asyncio.sleep(0.3)
    one = mallory.downstream["video"]
    repeated = mallory.repetitions("video")
    highest = mallory.highest(one.ssrc)

    def nacks() -> Iterator[bytes]:
        for turn in range(5000):
            first = highest - 17 * (turn % 40) & 0xFFFF
            yield struct.pack("!BBHIIHH", 0x81, 205, 3, ME, one.ssrc, first, 0xFFFF)

    everything = [(number, 0xFFFF) for number in range(0, 65_536, 17)]
    for start in range(0, len(everything), 300):  # and far more than ever was
        body = b"".join(struct.pack("!HH", *pair) for pair in everything[start : start + 300])
        mallory.rtcp(packet(205, 1, struct.pack("!II", ME, one.ssrc) + body))
    await mallory.flood(nacks(), mallory.rtcp)
    await mallory.hears()
    assert 0 < mallory.received(repeated) <= 150  # the budget allows for about forty and then twenty a second
    for ssrc in (0, mallory.downstream["audio"].ssrc, mallory.video.ssrc, 0xFFFFFFFF, repeated):
        mallory.rtcp(struct.pack("!BBHIIHH", 0x81, 205, 3, ME, ssrc, highest, 0xFFFF))
    await mallory.hears()


async def test_59_pli_storm(media: Media, mallory: Attacker) -> None:
    await mallory.settles()
    assert mallory.witness is not None
    sources = mallory.witness.media.sources
    camera = next(source for source in sources if hasattr(source, "keyframes_requested"))
    before = camera.keyframes_requested
    video, audio = (mallory.downstream[kind].ssrc for kind in ("video", "audio"))

    def storm() -> Iterator[bytes]:
        for number in range(1000):
            yield rtcp.build_pli(ME, video)
            yield rtcp.build_fir(ME, [rtcp.FirRequest(video, number & 0xFF)])
            yield rtcp.build_fir(ME, [rtcp.FirRequest(video, 7)] * 31)
            yield rtcp.build_pli(ME, (audio, 0, 0xFFFFFFFF, mallory.video.ssrc)[number % 4])

    await mallory.flood(storm(), mallory.rtcp)
    await asyncio.sleep(0.5)
    assert camera.keyframes_requested - before <= 4
    await mallory.hears()


async def test_60_remb_bad(media: Media, mallory: Attacker) -> None:
    await mallory.settles()
    video = mallory.downstream["video"].ssrc
    head = struct.pack("!II", ME, 0) + b"REMB"
    for turn in range(50):
        for value in (
            b"\x01\0\0\0",
            b"\x01\xff\xff\xff",
            b"\xff\xff\xff\xff",
            b"\x01\x00\x00\x01",
            b"\x01\xfc\0\0",
        ):
            mallory.rtcp(packet(206, 15, head + value + video.to_bytes(4, "big")))
        mallory.rtcp(packet(206, 15, head[: 4 + turn % 9]))
    await mallory.hears()


async def test_61_transport_feedback_bad(media: Media, mallory: Attacker) -> None:
    await mallory.settles()
    ids = struct.pack("!II", ME, mallory.downstream["video"].ssrc)

    def feedback(base: int, count: int, time: int, number: int, rest: bytes) -> bytes:
        body = (
            ids + struct.pack("!HH", base & 0xFFFF, count) + time.to_bytes(3, "big") + bytes([number]) + rest
        )
        return packet(205, 15, body + bytes(-len(body) % 4))

    for number in range(256):
        for case in (
            feedback(0, 65_535, 0xFFFFFF, number, b"\x3f\xff" * 8),  # more than it holds
            feedback(60_000, 65_535, 0, number, b"\x1f\xff"),  # never sent, never arrived
            feedback(number, 2, 0x7FFFFF, number, b"\xff\xff\x80\0\x80\0"),  # reserved, then backwards
            feedback(number, 100, number, 7, b"\x5f\xff" + b"\x80\x00" * 100),
            feedback(0, 0, 0, 0, b""),
            feedback(0, 1, 0, 0, b""),
        ):
            mallory.rtcp(case)
        if number % 16 == 0:
            await asyncio.sleep(0)
    await mallory.hears()


async def test_63_rtcp_rate_of_tiny_packets(media: Media, mallory: Attacker) -> None:
    await mallory.settles()
    tiny = itertools.cycle(
        [packet(201, 0, ME.to_bytes(4, "big")), packet(203, 0) * 2, packet(206, 1, bytes(8))]
    )
    await mallory.flood(itertools.islice(tiny, 20_000), mallory.rtcp)
    await mallory.hears()
    await mallory.is_heard()


async def test_63_rtcp_of_twenty_thousand_senders(media: Media, mallory: Attacker) -> None:
    """Each SSRC whose report authenticates costs the server a stream in libsrtp, unless somebody counts."""
    await mallory.settles()
    await mallory.is_heard()

    def reports() -> Iterator[bytes]:
        for ssrc in range(0x10000, 0x10000 + 20_000):
            yield packet(201, 0, ssrc.to_bytes(4, "big"))
            mallory.forget(ssrc)

    await mallory.flood(reports(), mallory.rtcp)
    await mallory.hears()
    await mallory.is_heard()
    media.stays_small(4 << 20)


@pytest.mark.parametrize("seal", [True, False], ids=["encrypted", "plain"])
async def test_55_rtcp_random(media: Media, mallory: Attacker, seal: bool) -> None:
    send: Callable[[bytes], None] = mallory.rtcp if seal else mallory.datagram
    await mallory.settles()
    heads = (
        bytes([0x80 | n & 31, 192 + n % 32]) + os.urandom(2) + ME.to_bytes(4, "big") for n in range(3000)
    )
    noise = (head + os.urandom(n % 90) for n, head in enumerate(heads))
    await mallory.flood(noise, send)
    await mallory.hears()
    await mallory.is_heard()
