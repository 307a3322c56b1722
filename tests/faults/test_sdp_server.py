"""Faults 64 to 71 sent to a running server: descriptions that lie, and negotiations that cross."""

import asyncio
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from livekit.protocol import models, rtc

from sfu.sdp import extensions
from tests.faults.bystander import Media
from tests.harness.attacker import Attacker
from tests.harness.eventually import eventually
from tests.harness.raw_signal import V0, V1, RawSignal, join_parameters, signalling
from tests.harness.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

DATA = Path(__file__).parents[1] / "data" / "sdp"
JOIN = (DATA / "v1_offer_js.sdp").read_bytes().decode()
SIMULCAST = (DATA / "offer_simulcast_VP8.sdp").read_bytes().decode()
DATA_LINE = JOIN[JOIN.index("m=application") :]


def crowded(line: str, count: int, text: str = JOIN) -> str:
    return text + "".join(line.format(number) + "\r\n" for number in range(count))


def sections(count: int, kind: str) -> str:
    """An offer of many m-lines, each as a browser writes it."""
    start = JOIN.index(f"m={kind}")
    one = JOIN[start : JOIN.index("m=", start + 2)]
    head = re.sub("BUNDLE [ 0-9]+", "BUNDLE " + " ".join(map(str, range(count))), JOIN[: JOIN.index("m=")])
    return head + "".join(re.sub(r"a=mid:\d+", f"a=mid:{number}", one) for number in range(count))


def hostile() -> Iterator[tuple[str, str]]:
    """Fault and text."""
    yield from (("64", text) for text in ("", "\0", "v=0", "v=0\r\n" * 100_000, "v=0\r\na=\u00e9" * 60_000))
    yield "64", JOIN + "a=x:" + "y" * 1_000_000
    yield "64", JOIN.replace("\r\n", "\r")
    yield "64", JOIN.replace("s=-", "s=\u2028\0")
    yield "64", crowded("m=audio 9 UDP/TLS/RTP/SAVPF 0", 10_000)
    yield "64", crowded("a=candidate:{0} 1 udp 1 nobody.local {0} typ host", 5000)
    yield "64", crowded("a=fmtp:{} x=y", 30_000)
    yield "64", sections(900, "audio")
    yield "64", sections(120, "video")
    for payload_type in ("128", "-1", "99999999999"):
        yield "65", JOIN.replace("SAVPF 96 97", f"SAVPF {payload_type} 97")
    for apt in ("97", "99", "127", "x", ""):
        yield "65", JOIN.replace("a=fmtp:97 apt=96", f"a=fmtp:97 apt={apt}")
    yield "65", JOIN.replace("SAVPF 96 97", "SAVPF 96 96 97")
    yield "65", JOIN.replace("a=rtpmap:96 VP8/90000", "a=rtpmap:96 VP8/0\r\na=fmtp:96 ;;=;;")
    yield "66", JOIN.replace("a=group:BUNDLE", "a=group:LS")
    yield "66", JOIN.replace("BUNDLE 0", "BUNDLE ghost 0 0")
    yield "66", JOIN.replace("a=mid:1\r", "a=mid:0\r")
    yield "66", JOIN.replace("a=mid:1\r", "a=mid:12345678901234567\r")
    yield "66", JOIN.replace("m=audio 9", "m=audio 0", 1)
    yield "66", re.sub(r"m=(\w+) 9", r"m=\1 0", JOIN)
    yield "67", JOIN + DATA_LINE.replace("a=mid:6", "a=mid:7")
    yield "67", JOIN.replace("a=recvonly", "a=sendonly")
    yield "67", JOIN.replace("a=recvonly", "a=recvonly\r\na=sendonly\r\na=sendrecv")
    for rids in ("send ~q;~h;~f", "send q;ghost", "recv q;h;f", "send ;;;,,,", "~"):
        yield "68", SIMULCAST.replace("simulcast:send q;h;f", f"simulcast:{rids}")
    yield "68", SIMULCAST.replace("a=rid:q send", "\r\n".join(f"a=rid:r{n} send" for n in range(100)))
    for number in ("0", "15", "16", "255", "4096"):
        yield "69", JOIN.replace(f"a=extmap:10 {extensions.RID}", f"a=extmap:{number} {extensions.RID}")
    yield "69", JOIN.replace("a=extmap:11 ", "a=extmap:10 ")
    yield "71", JOIN.replace("s=-\r\n", "s=-\r\na=ice-lite\r\n")
    yield "71", re.sub("a=setup:\\w+", "a=setup:server", JOIN)
    yield "71", re.sub("a=ice-pwd:\\S+", "a=ice-pwd:b", JOIN)
    yield "71", re.sub("a=fingerprint:\\S+", "a=fingerprint:SHA-256", JOIN)


async def outcome(signal: RawSignal, answers: int = 1) -> str:
    """What an offer led to: an answer (the one of that number), or a goodbye."""
    await eventually(
        lambda: len(signal.heard("answer")) >= answers or signal.heard("leave"), "an answer or a leave"
    )
    if signal.heard("leave"):
        assert signal.heard("leave")[0].reason == models.STATE_MISMATCH
        return "leave"
    return "answer"


@pytest.mark.parametrize("fault", ["64", "65", "66", "67", "68", "69", "71"])
async def test_64_to_71_offers_are_answered_or_refused(
    media: Media, server: Server, room: str, fault: str
) -> None:
    for number, text in ((n, text) for n, (one, text) in enumerate(hostile()) if one == fault):
        token = server.token(room, f"guest{number}")
        async with signalling(server, token, V1, join_parameters()) as signal:
            await signal.send(offer=rtc.SessionDescription(type="offer", sdp=text, id=1))
            if await outcome(signal) == "answer":  # then the same once more, and something that is right
                await signal.send(offer=rtc.SessionDescription(type="offer", sdp=text, id=2))
                await outcome(signal, 2)
                await signal.send(offer=rtc.SessionDescription(type="offer", sdp=JOIN, id=3))
                await outcome(signal, 3)


async def test_66_m_lines_that_change_places(media: Media, server: Server, room: str) -> None:
    head, *parts = re.split("(?=m=)", JOIN)
    chosen = random.Random(66)
    async with signalling(server, server.token(room, "guest"), V1, join_parameters()) as signal:
        for number in range(40):
            kept = chosen.sample(parts, chosen.randrange(1, len(parts) + 1))
            mids = [re.search(r"a=mid:(\S+)", part)[1] for part in kept]  # type: ignore[index]
            text = re.sub("BUNDLE [ 0-9]+", "BUNDLE " + " ".join(mids), head) + "".join(kept)
            direction = chosen.choice(("sendonly", "recvonly", "inactive", "sendrecv"))
            await signal.send(
                offer=rtc.SessionDescription(
                    type="offer", sdp=text.replace("a=recvonly", f"a={direction}"), id=number
                )
            )
            if await outcome(signal, number + 1) == "leave":
                break


async def test_66_m_lines_that_never_come_back(media: Media, server: Server, room: str) -> None:
    """Each offer has m-lines of its own, sent on, and drops the last one's: nothing of those may be kept."""
    start = JOIN.index("m=video")
    one = JOIN[start : JOIN.index("m=", start + 2)].replace("a=recvonly", "a=sendonly")
    head = JOIN[: JOIN.index("m=")]

    def offer(turn: int) -> str:
        mids = [f"{turn}x{number}" for number in range(30)]
        lines = "".join(re.sub(r"a=mid:\d+", f"a=mid:{mid}\r\na=x:{mid}", one) for mid in mids)
        return re.sub("BUNDLE [ 0-9]+", "BUNDLE " + " ".join(mids), head) + lines

    async with signalling(server, server.token(room, "guest"), V1, join_parameters()) as signal:
        for turn in range(60):
            if turn == 10:
                media.begin()
            await signal.send(offer=rtc.SessionDescription(type="offer", sdp=offer(turn), id=turn))
            if await outcome(signal, turn + 1) == "leave":
                break
        media.stays_small(3 << 20)


async def test_67_answers_that_answer_nothing(
    media: Media, server: Server, room: str, mallory: Attacker
) -> None:
    """On ``/rtc`` the server offers, what mallory and the witness send, and hears nonsense."""
    lines = ("sendonly", "sendrecv", "inactive", "")
    texts = [JOIN, "", "v=0\r\n", SIMULCAST, *(JOIN.replace("a=recvonly", f"a={line}") for line in lines)]
    for number, text in enumerate(texts):
        async with signalling(server, server.token(room, f"guest{number}"), V0) as signal:
            offer = await signal.hears("offer")
            for wrong in (offer.id + 1, 12345):  # answers to offers that were never made
                await signal.send(answer=rtc.SessionDescription(type="answer", sdp=text, id=wrong))
            await signal.send(answer=rtc.SessionDescription(type="answer", sdp=text, id=offer.id))
            await signal.send(answer=rtc.SessionDescription(type="answer", sdp=text, id=0))
            await signal.send(answer=rtc.SessionDescription(type="answer", sdp=offer.sdp, id=0))
            await signal.send(ping=1)
            await eventually(
                lambda signal=signal: signal.heard("pong") or signal.heard("leave"), "a pong, or a goodbye"
            )
    await mallory.is_heard()


async def test_70_glare(media: Media, server: Server, room: str, mallory: Attacker) -> None:
    await mallory.settles()
    async with signalling(server, server.token(room, "guest"), V1, join_parameters()) as signal:
        await signal.send(answer=rtc.SessionDescription(type="answer", sdp=JOIN, id=1))  # of no offer
        for number in range(1, 101):  # a hundred offers in flight, each answered in its turn
            await signal.send(offer=rtc.SessionDescription(type="offer", sdp=JOIN, id=number))
        await eventually(lambda: len(signal.heard("answer")) == 100, "an answer to each offer")
        assert [answer.id for answer in signal.heard("answer")] == list(range(1, 101))
        assert not signal.heard("leave")
        await signal.send(offer=rtc.SessionDescription(type="rollback", sdp="", id=101))
        assert await outcome(signal, 101) == "leave"
    async with signalling(server, server.token(room, "other"), V0) as signal:
        offer = await signal.hears("offer")  # both at once
        await signal.send(offer=rtc.SessionDescription(type="offer", sdp=JOIN, id=7))
        await signal.send(offer=rtc.SessionDescription(type="offer", sdp=offer.sdp, id=8))
        await outcome(signal)
    negotiation = mallory.client._negotiation
    for _ in range(100):  # somebody connected
        negotiation._wanted, negotiation._waiting = True, False
        await mallory.client._send_offer()
        await asyncio.sleep(0)
    await mallory.is_heard()
    await mallory.hears()
