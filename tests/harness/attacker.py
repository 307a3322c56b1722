"""Participants that come in like anybody (signalling, ICE, DTLS, keys), and one who then says what no client says.

The clients are those of ``hubbub load``. A :class:`Stage` drives them in the test's own event loop, so an attack must
let the loop turn: :meth:`Attacker.flood` does.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from random import Random
from typing import Any

import aiohttp
from livekit.protocol import rtc

from hubbub.load import vp8
from hubbub.load.client import Client, Shared
from hubbub.load.inbox import Inbox
from hubbub.load.pacer import Pacer
from hubbub.load.plan import Participant, Plan, Video, video_layers
from hubbub.load.rtp import StreamConfig
from hubbub.load.streams import StreamTable
from sfu.net.dtls import Certificate
from sfu.rtp.extensions import ExtensionUri
from sfu.rtp.rtcp import parse_compound
from tests.harness.rtp_stream import rtp_header
from tests.harness.server import Server

CAMERA = Video(video_layers("180p", simulcast=False))
"""What everybody sends: about one packet a frame."""
SIMULCAST = Video(video_layers("720p", simulcast=True, bitrate_bps=400_000))
BURST = 64
"""Datagrams of a flood between two turns of the loop."""
_CHORES_S = 0.05
_PING_S = 5.0


class Stage:
    """Light clients of one server, and what keeps them going: the reader, the pacer, reports and consent."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.clients: list[Client] = []
        self._numbers = count()

    async def join(
        self,
        room: str,
        identity: str,
        *,
        publishes: bool = True,
        subscribes: bool = True,
        video: Video = CAMERA,
    ) -> Client:
        """Bring somebody into a room, publishing microphone and camera if they publish. Raises JoinError."""
        participant = Participant(room, identity, publishes, subscribes)
        shared = self.shared
        if video is not CAMERA:
            shared = replace(shared, plan=replace(shared.plan, video=video), pictures=_pictures(video))
        client = Client(next(self._numbers), participant, shared)
        self.clients.append(client)
        await client.join()
        return client

    async def leave(self, client: Client) -> None:
        """Let somebody go."""
        self.clients.remove(client)
        await client.leave()

    async def run(self) -> None:
        """Do everybody's chores, until cancelled."""
        next_second = next_ping = 0.0
        while True:
            await asyncio.sleep(_CHORES_S)
            now = time.monotonic()
            for client in list(self.clients):
                client.media.send_feedback(now)
                if now >= next_second:
                    client.chores(now)
                if now >= next_ping:
                    await client.ping()
            next_second = now + 1 if now >= next_second else next_second
            next_ping = now + _PING_S if now >= next_ping else next_ping


@asynccontextmanager
async def stage(server: Server) -> AsyncIterator[Stage]:
    """An empty stage before a server; whoever is on it at the end leaves."""
    plan = Plan(server.url, server.api_key, server.api_secret, video=CAMERA)
    inbox, pacer = Inbox(StreamTable(), verify_all=False), Pacer()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        shared = Shared(plan, http, Certificate.generate(), inbox, pacer, _pictures(CAMERA), Random(0))
        made = Stage(shared)
        inbox.start()
        pacer.start()
        chores = asyncio.create_task(made.run())
        try:
            yield made
        finally:
            chores.cancel()
            pacer.stop()
            await asyncio.gather(*(client.leave() for client in made.clients), return_exceptions=True)
            inbox.stop()


def _pictures(video: Video) -> dict[Any, tuple[vp8.Frame, ...]]:
    return {layer: vp8.group_of_pictures(layer, video.fps, 2.0, Random(1)) for layer in video.layers}


class Stream:
    """A published encoding of the attacker's: its numbers, and packets of it that are right until they are not."""

    def __init__(self, config: StreamConfig, sid: str) -> None:
        self.ssrc = config.ssrc
        self.payload_type = config.payload_type
        self.clock_rate = config.clock_rate
        self.mid = config.mid
        self.rid = config.rid
        self.sid = sid
        """The track's."""
        self.ids = {uri: number for number, uri in (config.extensions or {}).items()}
        self.sequence = config.first_sequence
        self.timestamp = config.first_timestamp

    def packet(self, payload: bytes = b"\x90\xe0\x80\x01\x01\x00" + bytes(60), **changes: Any) -> bytes:
        """The next packet; ``changes`` are arguments of ``rtp_header``. MID (and RID) go along."""
        self.sequence = self.sequence + 1 & 0xFFFF
        self.timestamp = self.timestamp + self.clock_rate // 50 & 0xFFFFFFFF
        named = [(self.ids.get(ExtensionUri.MID, 0), self.mid), (self.ids.get(ExtensionUri.RID, 0), self.rid)]
        fields: dict[str, Any] = {
            "payload_type": self.payload_type,
            "sequence": self.sequence,
            "timestamp": self.timestamp,
            "ssrc": self.ssrc,
            "marker": False,
            "extensions": [(number, text.encode()) for number, text in named if number and text],
        }
        return rtp_header(**(fields | changes)) + payload


class Attacker:
    """Somebody in a room, whose sources are silent: what is sent is up to the test."""

    def __init__(self, stage: Stage, client: Client) -> None:
        self.client = client
        self.heard: list[Any] = []
        """RTCP packets of the server, parsed."""
        self._stage = stage
        configs = [source.stream.config for source in client.media.sources]
        self.streams = [Stream(config, self._sid(config)) for config in configs]
        for source in client.media.sources:
            stage.shared.pacer.remove(source)
        client.media.sources.clear()
        client.transport._on_rtcp = self._on_rtcp

    @property
    def audio(self) -> Stream:
        return next(stream for stream in self.streams if stream.clock_rate == 48_000)

    @property
    def video(self) -> Stream:
        return next(stream for stream in self.streams if stream.clock_rate == 90_000)

    @property
    def address(self) -> tuple[str, int]:
        """Where the server's media port is."""
        assert self.client.transport.ice.selected is not None
        return self.client.transport.ice.selected

    # --- what is said ---

    def rtp(self, packet: bytes) -> None:
        """Encrypt and send; libsrtp refuses to encrypt what it can't read the header of."""
        self.client.transport.send_rtp(packet)

    def rtcp(self, packet: bytes) -> None:
        """Encrypt and send."""
        self.client.transport.send_rtcp(packet)

    def protect(self, packet: bytes) -> bytes:
        """Encrypt an RTP packet without sending it."""
        assert self.client.transport._srtp is not None
        return self.client.transport._srtp.protect(packet)

    def datagram(self, data: bytes) -> None:
        """Send bytes as they are, from the validated address."""
        self.client.transport._send(data)

    def sctp(self, packet: bytes) -> None:
        """Send bytes as the application data of DTLS."""
        assert self.client.transport._dtls is not None
        self.client.transport._dtls.send_data(packet)

    async def request(self, **message: Any) -> None:
        """Send a SignalRequest with that field set."""
        assert self.client._signal is not None
        await self.client._signal.send(rtc.SignalRequest(**message))

    def forget(self, ssrc: int) -> None:
        """Drop our own keys of a stream, lest a flood of SSRCs slows the attacker down."""
        assert self.client.transport._srtp is not None
        self.client.transport._srtp.remove_stream(ssrc)

    async def flood(
        self, packets: Iterable[bytes], send: Callable[[bytes], None], pause_s: float = 0
    ) -> None:
        """Send one packet after another; the loop turns after every BURST of them."""
        for number, packet in enumerate(packets):
            send(packet)
            if number % BURST == BURST - 1:
                await asyncio.sleep(pause_s)

    # --- what is heard ---

    def received(self, ssrc: int) -> int:
        """Packets of an SSRC that the server has sent us."""
        table = self._stage.shared.inbox.table
        slot = table.slots.get((self.client.number, ssrc))
        return int(table.packets[slot]) if slot is not None else 0

    async def is_served(self, within_s: float = 3.0) -> None:
        """Assert that the server still answers this attacker's STUN checks."""
        ice, asked_at = self.client.transport.ice, time.monotonic()
        ice._check_at = 0.0
        while ice.confirmed_at < asked_at:
            assert time.monotonic() < asked_at + within_s, "the server does not answer the attacker any more"
            self.client.transport.check_consent(time.monotonic())
            await asyncio.sleep(0.02)

    def _on_rtcp(self, datagram: bytes) -> None:
        self.heard += parse_compound(datagram)

    def _sid(self, config: StreamConfig) -> str:
        kind = "audio" if config.clock_rate == 48_000 else "video"
        return next(one.sid for one in self.client._publications.values() if one.line.kind == kind)


Join = Callable[..., Awaitable[Attacker]]


async def join_attacker(stage: Stage, room: str, identity: str = "mallory", **how: Any) -> Attacker:
    """Bring an attacker into a room; ``how`` is for :meth:`Stage.join`."""
    return Attacker(stage, await stage.join(room, identity, **how))
