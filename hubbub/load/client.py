"""One participant of the test: joins, publishes, receives, leaves."""

import asyncio
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from random import Random

import aiohttp
from livekit.protocol import models, rtc

from auth.grants import Claims, VideoGrant
from auth.tokens import mint
from hubbub.load import publication, sdp
from hubbub.load.errors import JoinError
from hubbub.load.inbox import Inbox
from hubbub.load.media import Media
from hubbub.load.negotiation import Negotiation
from hubbub.load.pacer import Pacer
from hubbub.load.plan import Layer, Participant, Plan
from hubbub.load.publication import Publication
from hubbub.load.signal import Signal
from hubbub.load.transport import Transport
from hubbub.load.vp8 import Frame
from hubbub.version import VERSION
from sfu.net.dtls import Certificate
from sfu.sdp.description import Description
from sfu.sdp.errors import SdpError

ANSWER_TIMEOUT_S = 10.0
"""For the first answer and for the confirmation of published tracks (as livekit-client has it)."""
LEAVE_TIMEOUT_S = 1.0
PROTOCOL = 16
"""Of signalling; the SDKs of 2026 say 16 or 17."""


@dataclass(slots=True)
class Shared:
    """What all clients of a test have in common."""

    plan: Plan
    http: aiohttp.ClientSession
    certificate: Certificate
    inbox: Inbox
    pacer: Pacer
    pictures: Mapping[Layer, tuple[Frame, ...]]
    random: Random
    tracks: dict[str, float] = field(default_factory=dict)
    """When each published track's first packet was sent, by sid."""


class Client:
    """A participant from its first byte to its last. What it measured stays readable."""

    def __init__(self, number: int, participant: Participant, shared: Shared) -> None:
        self.number = number
        self.participant = participant
        self.transport = Transport(shared.certificate, self._rtcp)
        self.media = Media(number, shared.inbox.table, self.transport)
        self.opened_at = 0.0
        self.connected_at: float | None = None
        """When DTLS was done."""
        self.failure = ""
        """Why it isn't in the room, or didn't stay there."""
        self.joined = False
        self._shared = shared
        self._signal: Signal | None = None
        self._listener: asyncio.Task[None] | None = None
        self._negotiation = Negotiation(self.transport.credentials, secrets.randbits(62))
        self._answered: asyncio.Future[Description] = asyncio.get_running_loop().create_future()
        self._publications: dict[str, Publication] = {}
        self._changed = asyncio.Event()
        self._leaving = False

    async def join(self) -> None:
        """Connect, and publish if that is planned. Raises JoinError, which :attr:`failure` repeats."""
        self.opened_at = time.monotonic()
        try:
            await self._connect()
            if self.participant.publishes:
                await self._publish()
        except JoinError as error:
            self.failure = self.failure or str(error)
            raise
        self.joined = True

    async def leave(self) -> None:
        """Say goodbye and close everything."""
        self._leaving = True
        for source in self.media.sources:
            self._shared.pacer.remove(source)
        self._shared.inbox.remove(self.transport.fd)
        if self._signal is not None and self._listener is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(LEAVE_TIMEOUT_S):
                    reason = models.DisconnectReason.CLIENT_INITIATED
                    await self._signal.send(rtc.SignalRequest(leave=rtc.LeaveRequest(reason=reason)))
                    await self._listener  # the server closes the connection
            await self._signal.close()
        self.transport.close()

    def track_began_at(self, sid: str) -> float:
        """When a track of the test was first sent; 0 for one that isn't ours."""
        return self._shared.tracks.get(sid, 0.0)

    async def ping(self) -> None:
        """Keep the signal connection alive."""
        if self._signal is not None:
            await self._signal.send(
                rtc.SignalRequest(ping_req=rtc.Ping(timestamp=time.time_ns() // 1_000_000))
            )

    def chores(self, now: float) -> None:
        """What is due once a second."""
        if not self.transport.connected or self.failure:
            return
        if not self.transport.check_consent(now):
            self.failure = "the server stopped answering on the media path"
            return
        self.media.send_reports(now, time.time())

    async def _connect(self) -> None:
        plan = self._shared.plan
        grant = VideoGrant(room_join=True, room=self.participant.room)
        claims = Claims(identity=self.participant.identity, name=self.participant.identity, video=grant)
        token = mint(claims, plan.api_key, plan.api_secret, now=time.time())
        request = rtc.JoinRequest(
            client_info=models.ClientInfo(
                sdk=models.ClientInfo.SDK.UNKNOWN, version=VERSION, protocol=PROTOCOL
            ),
            connection_settings=rtc.ConnectionSettings(auto_subscribe=self.participant.subscribes),
            publisher_offer=self._offer(),
        )
        self._signal = await Signal.open(self._shared.http, plan.url, token, request)
        self._listener = asyncio.create_task(self._listen(self._signal))
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                answer = await self._answered
        except TimeoutError:
            raise JoinError("the server didn't answer the offer") from None
        await self.transport.connect(answer)
        self.connected_at = time.monotonic()
        self._shared.inbox.add(self.transport.fd, self.number, self.media)
        host, port = self.transport.local_address()
        trickle = rtc.TrickleRequest(
            candidateInit=sdp.local_candidate(host, port, self.transport.ufrag),
            target=rtc.SignalTarget.PUBLISHER,
            final=True,
        )
        await self._signal.send(rtc.SignalRequest(trickle=trickle))

    async def _publish(self) -> None:
        plan, random = self._shared.plan, self._shared.random
        planned = []
        if plan.audio:
            planned.append(publication.microphone(f"mic-{self.number}", random))
        if plan.video is not None:
            planned.append(publication.camera(f"cam-{self.number}", plan.video, random))
        if not planned:
            return
        self._publications = {one.cid: one for one in planned}
        self._negotiation.publish([one.line for one in planned])
        assert self._signal is not None
        for one in planned:
            await self._signal.send(rtc.SignalRequest(add_track=one.request))
        await self._send_offer()
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                while not self._published():
                    self._changed.clear()
                    await self._changed.wait()
                    if self.failure:
                        raise JoinError(self.failure)
        except TimeoutError:
            raise JoinError("the server didn't confirm the published tracks") from None
        self._start_sources()

    def _published(self) -> bool:
        description = self._negotiation.description
        assert description is not None
        mids = (self._negotiation.mid(cid) for cid in self._publications)
        sections = [description.section(mid) for mid in mids]
        return all(one.sid for one in self._publications.values()) and None not in sections

    def _start_sources(self) -> None:
        description = self._negotiation.description
        assert description is not None
        numbers = count()
        start_at = time.monotonic() + self._shared.random.uniform(0, 0.033)
        for one in self._publications.values():
            mid = self._negotiation.mid(one.cid)
            section = description.section(mid)
            if section is None or section.rejected:
                raise JoinError(f"the server rejected the {one.line.kind} track")
            made = publication.sources(
                one, mid, section.extensions, numbers, self._shared.pictures, self._shared.random, start_at
            )
            self.media.sources += made
            self._shared.tracks[one.sid] = start_at
        for source in self.media.sources:
            self._shared.pacer.add(source, self.transport.send_rtp)

    def _offer(self) -> rtc.SessionDescription:
        text = self._negotiation.next_offer()
        return rtc.SessionDescription(type="offer", sdp=text or "", id=self._negotiation.offer_id)

    async def _send_offer(self) -> None:
        offer = self._offer()
        if offer.sdp and self._signal is not None:
            await self._signal.send(rtc.SignalRequest(offer=offer))

    async def _listen(self, signal: Signal) -> None:
        try:
            async for message in signal.messages():
                await self._handle(message)
                self._changed.set()
        except JoinError as error:
            self._lose(str(error))
        except SdpError as error:
            self._lose(f"the server's answer can't be used: {error}")
        else:
            self._lose("the server closed the signal connection")

    async def _handle(self, message: rtc.SignalResponse) -> None:
        match message.WhichOneof("message"):
            case "answer":
                self._take_answer(message.answer.sdp)
                await self._send_offer()
            case "trickle":
                self.transport.ice.add(sdp.trickled(message.trickle.candidateInit))
                self.transport.nudge()
            case "track_published":
                published = self._publications.get(message.track_published.cid)
                if published is not None:
                    published.sid = message.track_published.track.sid
            case "media_sections_requirement":
                wanted = message.media_sections_requirement
                self._negotiation.require(wanted.num_audios, wanted.num_videos)
                await self._send_offer()
            case "request_response" if message.request_response.reason:
                said = message.request_response
                self._lose(
                    f"the server refused a request: {said.Reason.Name(said.reason)} {said.message}".strip()
                )
            case "leave":
                reason = models.DisconnectReason.Name(message.leave.reason)
                self._lose(f"the server ended the session: {reason}")

    def _take_answer(self, text: str) -> None:
        streams = self._negotiation.answer(text)
        description = self._negotiation.description
        assert description is not None
        extensions: dict[int, str] = {}
        for section in description.sections:
            extensions |= section.extensions
        self.media.announce(streams, extensions)
        self.transport.ice.add(sdp.candidates(text))
        self.transport.nudge()
        if not self._answered.done():
            self._answered.set_result(description)

    def _lose(self, reason: str) -> None:
        if self._leaving or self.failure:
            return
        self.failure = reason
        self._changed.set()
        if not self._answered.done():
            self._answered.set_exception(JoinError(reason))

    def _rtcp(self, datagram: bytes) -> None:
        self.media.rtcp(datagram, time.monotonic())
