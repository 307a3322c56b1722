"""Participants that come in like anybody (signalling, ICE, DTLS, keys), and one who then says what no client says.

The clients are those of ``hubbub load``. A :class:`Stage` drives them in the test's own event loop, so an attack must
let the loop turn: :meth:`Attacker.flood` does.
"""

import asyncio
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import count
from random import Random
from typing import Any

import aiohttp
from livekit.protocol import rtc

from hubbub.load import sdp, vp8
from hubbub.load.client import Client, Shared
from hubbub.load.errors import JoinError
from hubbub.load.inbox import Inbox
from hubbub.load.negotiation import Negotiation
from hubbub.load.pacer import Pacer
from hubbub.load.plan import Participant, Plan, Video, video_layers
from hubbub.load.rtp import StreamConfig
from hubbub.load.sdp import Credentials, Forwarded
from hubbub.load.streams import StreamTable
from hubbub.load.transport import Transport
from sfu.net import stun
from sfu.net.dtls import Certificate, DtlsTransport
from sfu.rtp.extensions import ExtensionUri
from sfu.rtp.rtcp import parse_compound
from sfu.sdp.description import Description
from tests.harness.eventually import PATIENCE_S, POLL_S, eventually
from tests.harness.raw_signal import V1, RawSignal, join_parameters, signalling
from tests.harness.rtp_stream import rtp_header
from tests.harness.server import Server

CAMERA = Video(video_layers("180p", simulcast=False))
"""What everybody sends: about one packet a frame."""
SIMULCAST = Video(video_layers("720p", simulcast=True, bitrate_bps=400_000))
BURST = 64
"""Datagrams of a flood between two turns of the loop."""
QUIET_POLLS = 15
"""So often nothing new is found before nothing is taken to be on its way. Looks count, not time: all may be slow."""
KEYFRAME = bytes.fromhex("90e080010100 100000 9d012a 4001b400") + bytes(60)
DELTA = bytes.fromhex("90e080020200 110000") + bytes(60)
"""VP8 with a picture id and the rest of the payload descriptor."""
OPUS = b"\x78" + bytes(79)
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

    def packet(self, payload: bytes = DELTA, **changes: Any) -> bytes:
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

    def __init__(self, stage: Stage, client: Client, witness: Client | None = None) -> None:
        self.client = client
        self.witness = witness
        """Somebody in the same room, subscribed to the attacker."""
        self.heard: list[Any] = []
        """RTCP packets of the server, parsed."""
        self.heard_bytes = 0
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

    def rebind(self) -> None:
        """Go on from another port, as behind a NAT that lost its mind; the server learns it by the next check."""
        transport, inbox = self.client.transport, self._stage.shared.inbox
        assert transport._socket is not None
        fresh = socket.socket(transport._socket.family, socket.SOCK_DGRAM)
        fresh.setblocking(False)
        fresh.connect(self.address)
        inbox.remove(transport.fd)
        transport._socket.close()
        transport._socket = fresh
        inbox.add(transport.fd, self.client.number, self.client.media)

    async def restart_ice(self) -> None:
        """Offer new ICE credentials, and take the server's as they come back."""
        negotiation = self.client._negotiation
        before = negotiation.description
        ufrag, pwd = secrets.token_hex(4), secrets.token_hex(12)
        negotiation._credentials = Credentials(ufrag, pwd, negotiation._credentials.fingerprint)
        negotiation._wanted = True
        await self.client._send_offer()
        await eventually(lambda: negotiation.description is not before, "an answer to the ICE restart")
        assert negotiation.description is not None
        self.client.transport.ice.set_remote(
            negotiation.description.ice_ufrag, negotiation.description.ice_pwd
        )

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

    @property
    def downstream(self) -> dict[str, Forwarded]:
        """What the witness publishes, as the server announces it to us; by kind, without repetitions."""
        assert self.witness is not None
        sids = {one.sid for one in self.witness._publications.values()}
        streams = self.client.media.announced.values()
        return {one.kind: one for one in streams if one.track_sid in sids and not one.repairs}

    def repetitions(self, kind: str) -> int:
        """SSRC of the retransmissions of what the witness publishes."""
        sid = self.downstream[kind].track_sid
        return next(
            one.ssrc for one in self.client.media.announced.values() if one.track_sid == sid and one.repairs
        )

    def received(self, ssrc: int) -> int:
        """Packets of an SSRC that the server has sent us."""
        table = self._stage.shared.inbox.table
        slot = table.slots.get((self.client.number, ssrc))
        return int(table.packets[slot]) if slot is not None else 0

    async def settles(self) -> None:
        """Wait until what the witness sends gets to the attacker."""
        await eventually(lambda: set(self.downstream) == {"audio", "video"}, "both tracks of the witness")
        await self.hears()

    async def hears(self, packets: int = 3) -> None:
        """Assert that what the witness sends still gets to the attacker."""
        for kind, stream in self.downstream.items():
            wanted = self.received(stream.ssrc) + packets
            await eventually(
                lambda ssrc=stream.ssrc, wanted=wanted: self.received(ssrc) >= wanted,
                f"{kind} of the witness",
            )

    def highest(self, ssrc: int) -> int:
        """Newest sequence number of an SSRC that the server has sent us."""
        table = self._stage.shared.inbox.table
        return int(table.highest[table.slots[self.client.number, ssrc]]) & 0xFFFF

    def forwarded(self, stream: Stream) -> int:
        """Packets of a stream of ours that the witness has received, repetitions left out."""
        assert self.witness is not None
        media, table = self.witness.media, self._stage.shared.inbox.table
        ssrcs = [
            one.ssrc for one in media.announced.values() if one.track_sid == stream.sid and not one.repairs
        ]
        slots = [table.slots.get((self.witness.number, ssrc)) for ssrc in ssrcs]
        return sum(int(table.packets[slot]) for slot in slots if slot is not None)

    async def forwarded_in_all(self, stream: Stream) -> int:
        """:meth:`forwarded` once nothing has come for a while: nothing of it is on its way any more."""
        count, quiet = self.forwarded(stream), 0
        while quiet < QUIET_POLLS:
            await asyncio.sleep(POLL_S)
            before, count = count, self.forwarded(stream)
            quiet = quiet + 1 if count == before else 0
        return count

    async def is_heard(self, *streams: Stream, packets: int = 3, within_s: float = 10.0) -> None:
        """Assert that packets as they should be (key frames, for video) still get to the witness."""
        for stream in streams or (self.audio, self.video):
            before, deadline = self.forwarded(stream), time.monotonic() + within_s
            while (arrived := self.forwarded(stream) - before) < packets:
                assert time.monotonic() < deadline, f"{arrived} good packets of {stream.mid} got through"
                self.rtp(stream.packet(KEYFRAME if stream.clock_rate == 90_000 else OPUS, marker=True))
                await asyncio.sleep(0.02)

    async def is_served(self, within_s: float = 10.0) -> None:
        """Assert that the server still answers this attacker's STUN checks."""
        ice, asked_at = self.client.transport.ice, time.monotonic()
        ice._check_at = 0.0
        while ice.confirmed_at < asked_at:
            assert time.monotonic() < asked_at + within_s, "the server does not answer the attacker any more"
            self.client.transport.check_consent(time.monotonic())
            await asyncio.sleep(0.02)

    def _on_rtcp(self, datagram: bytes) -> None:
        self.heard += parse_compound(datagram)
        self.heard_bytes += len(datagram)

    def _sid(self, config: StreamConfig) -> str:
        kind = "audio" if config.clock_rate == 48_000 else "video"
        return next(one.sid for one in self.client._publications.values() if one.line.kind == kind)


class Stranger:
    """A socket that the server has never heard from."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.socket(
            socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_DGRAM
        )
        self._socket.setblocking(False)
        self._socket.connect(address)

    def send(self, datagram: bytes) -> None:
        with suppress(OSError):
            self._socket.send(datagram)

    def heard(self) -> list[bytes]:
        """Take what came back."""
        datagrams = []
        with suppress(OSError):
            while True:
                datagrams.append(self._socket.recv(65_536))
        return datagrams

    async def hears(self, within_s: float = 10.0) -> bytes:
        """The next datagram that comes back."""
        return (await eventually(self.heard, "an answer to the stranger", within_s=within_s))[0]

    def close(self) -> None:
        self._socket.close()


async def client_hello() -> bytes:
    """A ClientHello as a client of ours begins with; bytes 27 to 58 are its random."""
    sent: list[bytes] = []
    client = DtlsTransport(Certificate.generate(), "client", sent.append, lambda data: None)
    waiting = asyncio.ensure_future(client.handshake([("sha-256", Certificate.generate().fingerprint)]))
    await asyncio.sleep(0)
    client.close()
    await asyncio.gather(waiting, return_exceptions=True)
    return sent[0]


async def join_attacker(
    stage: Stage, room: str, identity: str = "mallory", witness: Client | None = None, **how: Any
) -> Attacker:
    """Bring an attacker into a room, where ``witness`` may be; ``how`` is for :meth:`Stage.join`."""
    return Attacker(stage, await stage.join(room, identity, **how), witness)


class Visitor:
    """Somebody whose offer was answered, and who has not sent a packet yet."""

    def __init__(self, signal: RawSignal, transport: Transport, answer: Description, text: str) -> None:
        self.signal = signal
        self.transport = transport
        self.answer = answer
        self.text = text
        """The answer as it came, with its candidates."""

    @property
    def address(self) -> tuple[str, int]:
        """Where the server's media port is."""
        return next((one.host, one.port) for one in sdp.candidates(self.text) if ":" not in one.host)

    @property
    def tcp_port(self) -> int:
        """Where it takes media over TCP."""
        return next(int(line.split()[5]) for line in self.text.splitlines() if " tcp " in line)

    async def find_path(self) -> None:
        """Let the server validate our address."""
        async with asyncio.timeout(PATIENCE_S):
            await self.transport._find_path()

        async def found() -> None:
            """There is nothing left to look for."""

        self.transport._find_path = found  # type: ignore[method-assign]

    async def shake_hands(self) -> None:
        """Do what is left of connecting. Raises JoinError."""
        await self.transport.connect(self.answer)
        asyncio.get_running_loop().add_reader(
            self.transport.fd, self.transport._readable, self.transport._socket
        )

    def check(self, *, nominate: bool = True) -> bytes:
        """A connectivity check that the server believes, from wherever it is sent."""
        return signed_check(self.transport, nominate=nominate)


@asynccontextmanager
async def visitor(
    server: Server, room: str, identity: str = "visitor", change: Callable[[str], str] = str
) -> AsyncIterator[Visitor]:
    """Join over ``/rtc/v1`` with an offer that went through ``change``, and stop before the first packet.

    Raises JoinError when the offer is refused.
    """
    transport = Transport(Certificate.generate(), lambda datagram: None)
    negotiation = Negotiation(transport.credentials, 1)
    offer = rtc.SessionDescription(type="offer", sdp=change(negotiation.next_offer() or ""), id=1)
    parameters = join_parameters(rtc.JoinRequest(publisher_offer=offer))
    async with signalling(server, server.token(room, identity), V1, parameters) as signal:
        await eventually(lambda: signal.heard("answer") or signal.heard("leave"), "an answer, or a goodbye")
        if not signal.heard("answer"):
            raise JoinError("the offer was refused")
        text = signal.heard("answer")[0].sdp
        negotiation.answer(text)
        answer = negotiation.description
        assert answer is not None
        transport.ice.set_remote(answer.ice_ufrag, answer.ice_pwd)
        transport.ice.add(sdp.candidates(text))
        try:
            yield Visitor(signal, transport, answer, text)
        finally:
            transport.close()


def signed_check(transport: Transport, *, nominate: bool = True) -> bytes:
    """A connectivity check with the credentials of a client's transport."""
    ice = transport.ice
    return stun.binding_request(
        os.urandom(12), ice._username, ice._remote_key, 1, controlling=1, use_candidate=nominate
    )
