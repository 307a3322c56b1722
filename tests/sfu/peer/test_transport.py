"""One peer connection as a whole, with a real DTLS and SCTP peer in memory."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from sfu import control
from sfu.config import MediaConfig
from sfu.control import RouterId, TrackId, TransportId, TransportRole
from sfu.net.dtls import Certificate, DtlsTransport, Role
from sfu.net.sctp import SctpAssociation
from sfu.net.srtp import SrtpKeys
from sfu.peer.transport import Transport
from sfu.sdp.answer import write_answer
from sfu.sdp.description import Description
from sfu.sdp.parse import parse
from tests.harness.eventually import eventually
from tests.harness.lab import Lab
from tests.harness.offers import FINGERPRINT, Line, write_offer
from tests.harness.skipped_time import skipped_time
from tests.sfu.peer.parts import CLIENT, Silence, World, accepting

SERVER_CERTIFICATE, CLIENT_CERTIFICATE = Certificate.generate(), Certificate.generate()
PWD = "passwordOfTwentyTwoLetters"
DATA = (
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n"
    "a=mid:data\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n"
)


class Call:
    """A transport, and a client at the other end of a wire that may be cut."""

    def __init__(self, role: TransportRole, **settings: object) -> None:
        self.world = World(MediaConfig(**settings))  # type: ignore[arg-type]
        self.sent: list[bytes] = []
        self.client: DtlsTransport | None = None
        self.sctp: SctpAssociation | None = None
        self.messages: list[tuple[str, bytes, bool]] = []
        self.opened: list[str] = []
        self.offers = 0
        self.transport = Transport(
            self.world.context,
            control.OpenTransport(RouterId("RM"), TransportId("PC"), role, "PA_me", first_offer_id=5),
            SERVER_CERTIFICATE,
            ("candidate:1 1 udp 2130706431 127.0.0.1 7882 typ host",),
            Silence(),
            self._send,
            1,
            0.0,
        )

    # --- what a client does ---

    def offer(
        self,
        lines: tuple[Line, ...] = (Line("audio", "0"),),
        *,
        ufrag: str = "client",
        setup: str = "actpass",
        data: bool = False,
    ) -> Description | None:
        """Offer; returns the answer, None if there was none."""
        text = write_offer(lines, ufrag, PWD, self.offers + 1)
        text = text.replace(FINGERPRINT, f"sha-256 {CLIENT_CERTIFICATE.fingerprint}")
        text = text.replace("a=setup:actpass", f"a=setup:{setup}")
        if data:
            bundle = "a=group:BUNDLE " + " ".join(line.mid for line in lines)
            text = text.replace(bundle, f"{bundle} data") + DATA
        return self.offer_text(text)

    def offer_text(self, text: str) -> Description | None:
        self.offers += 1
        self.transport.offer(control.Offer(self.transport.id, self.offers, text))
        ready = [e for e in self.events(control.AnswerReady) if e.offer_id == self.offers]  # type: ignore[attr-defined]
        return parse(ready[0].sdp) if ready else None  # type: ignore[attr-defined]

    def answer(self) -> None:
        """Answer the newest offer of the server."""
        ready = self.events(control.OfferReady)[-1]
        assert isinstance(ready, control.OfferReady)
        offer = parse(ready.sdp)
        local = replace(CLIENT, fingerprint=("sha-256", CLIENT_CERTIFICATE.fingerprint))
        text = write_answer(offer, [accepting(section) for section in offer.sections], local, 1, 1)
        self.transport.answer(control.Answer(self.transport.id, ready.offer_id, text))

    async def shake_hands(self, role: Role, certificate: Certificate) -> SrtpKeys:
        self.client = DtlsTransport(certificate, role, self._to_server, self._on_data)
        return await self.client.handshake([("sha-256", SERVER_CERTIFICATE.fingerprint)], 5.0)

    async def connect(self, role: Role = "client") -> SrtpKeys:
        """Shake hands, and begin SCTP as the transport will."""
        keys = await self.shake_hands(role, CLIENT_CERTIFICATE)
        assert self.client is not None
        self.sctp = SctpAssociation(self.client.send_data, role, self)
        self.sctp.start(5000, 65_536)
        await eventually(lambda: self.transport.connected, "the server's end")
        return keys

    def channel_opened(self, label: str) -> None:
        self.opened.append(label)

    def message(self, label: str, payload: bytes, binary: bool) -> None:
        self.messages.append((label, payload, binary))

    def events(self, kind: type[control.Event]) -> list[control.Event]:
        return self.world.of(kind)

    def received(self) -> list[tuple[str, bytes]]:
        return [(e.label, e.payload) for e in self.events(control.DataReceived)]  # type: ignore[attr-defined]

    def hang_up(self) -> None:
        if self.sctp is not None:
            self.sctp.close()
        if self.client is not None:
            self.client.close()
        self.transport.close()

    # --- the wire ---

    def _send(self, transport: Transport, data: bytes) -> None:
        assert transport is self.transport
        self.sent.append(data)
        if self.client is not None:
            asyncio.get_running_loop().call_soon(self.client.feed, data)

    def _to_server(self, data: bytes) -> None:
        asyncio.get_running_loop().call_soon(self.transport.dtls_record, data)

    def _on_data(self, data: bytes) -> None:
        if self.sctp is not None:
            self.sctp.feed(data)


@pytest.fixture
async def call() -> AsyncIterator[Call]:
    made = Call(TransportRole.SINGLE)
    yield made
    made.hang_up()


@pytest.fixture
async def subscriber() -> AsyncIterator[Call]:
    made = Call(TransportRole.SUBSCRIBER)
    yield made
    made.hang_up()


@pytest.fixture(autouse=True)
async def nothing_is_left_running() -> AsyncIterator[None]:
    """After each test: no task of a transport that was closed."""
    yield
    for _ in range(5):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


# --- connecting ---


@pytest.mark.parametrize(
    ("setup", "role", "answered"),
    [("actpass", "client", "passive"), ("active", "client", "passive"), ("passive", "server", "active")],
)
async def test_keys_are_agreed_in_either_role(call: Call, setup: str, role: Role, answered: str) -> None:
    answer = call.offer(setup=setup)
    assert answer is not None
    assert answer.setup == answered
    keys = await call.connect(role)
    assert call.events(control.TransportConnected) == [control.TransportConnected(call.transport.id)]
    assert call.world.context.peers.srtp.keyed(call.transport.row)
    assert keys.profile.name == "AEAD_AES_128_GCM"
    for later in ("actpass", setup):
        answer = call.offer(setup=later)
        assert answer is not None
        assert answer.setup == answered  # the role is taken for good


async def test_data_channels_of_the_client(call: Call) -> None:
    call.offer(data=True)
    await call.connect()
    assert call.sctp is not None
    call.sctp.open_channel("_reliable")
    await eventually(lambda: call.opened, "the channel")
    assert call.events(control.ChannelOpened) == [control.ChannelOpened(call.transport.id, "_reliable")]
    call.sctp.send("_reliable", b"bytes")
    call.sctp.send("_reliable", b"text", binary=False)
    call.sctp.send("_reliable", b"")
    await eventually(lambda: len(call.received()) == 3, "messages")
    assert call.received() == [("_reliable", b"bytes"), ("_reliable", b"text"), ("_reliable", b"")]
    call.transport.send_data("_reliable", b"down")
    await eventually(lambda: call.messages, "the answer")
    assert call.messages == [("_reliable", b"down", True)]


async def test_data_channels_may_be_offered_after_the_connection_is_up(call: Call) -> None:
    call.offer()
    await call.connect()
    assert call.transport.sctp is None
    call.transport.send_data("_reliable", b"nowhere to go")
    call.offer(data=True)
    assert call.sctp is not None
    call.sctp.open_channel("_lossy", ordered=False, max_retransmits=0)
    await eventually(lambda: call.opened, "the channel")


async def test_the_server_opens_the_channels_where_it_offers(subscriber: Call) -> None:
    subscriber.answer()
    await subscriber.connect()
    await eventually(lambda: len(subscriber.opened) == 3, "channels")
    assert sorted(subscriber.opened) == ["_data_track", "_lossy", "_reliable"]
    await eventually(lambda: len(subscriber.events(control.ChannelOpened)) == 3, "acknowledgements")


async def test_messages_that_are_too_long_are_not_taken() -> None:
    call = Call(TransportRole.SINGLE, max_message_bytes=100)
    call.offer(data=True)
    await call.connect()
    assert call.sctp is not None
    call.sctp.open_channel("x")
    for size in (101, 100):
        call.sctp.send("x", bytes(size))
    await eventually(call.received, "the shorter one")
    assert call.received() == [("x", bytes(100))]
    call.hang_up()


async def test_a_receiver_that_falls_behind_is_told_of(call: Call) -> None:
    call.offer(data=True)
    await call.connect()
    assert call.sctp is not None
    for label in ("_reliable", "_lossy"):
        call.sctp.open_channel(label)
    await eventually(lambda: len(call.opened) == 2, "channels")
    call.client = None  # nothing arrives any more, and nothing is acknowledged
    config = call.world.context.config
    for label, limit in (("_lossy", config.lossy_buffer_bytes), ("_reliable", config.reliable_buffer_bytes)):
        while call.transport.sctp is not None and call.transport.sctp.buffered(label) + 10_000 <= limit:
            call.transport.send_data(label, bytes(10_000))
        assert not call.events(control.ReceiverOverflow)
        assert not call.world.context.losses.messages
        call.transport.send_data(label, bytes(10_000))
        assert call.world.context.losses.messages == (label == "_lossy")
        call.world.context.losses.messages = 0
    assert call.events(control.ReceiverOverflow) == [control.ReceiverOverflow(call.transport.id)]


# --- what goes wrong ---


async def test_another_certificate_than_promised_fails(call: Call) -> None:
    call.offer()
    await call.shake_hands("client", Certificate.generate())
    await eventually(lambda: call.transport.failed(0.0), "the failure")
    assert call.transport.failed(0.0).startswith("DTLS")
    assert not call.transport.connected
    assert call.events(control.TransportFailed) == []  # housekeeping tells it, once


async def test_a_handshake_that_does_not_come_fails() -> None:
    call = Call(TransportRole.SINGLE, dtls_timeout_s=0.05)
    call.offer()
    await eventually(lambda: call.transport.failed(0.0), "the failure")
    call.hang_up()


async def test_a_peer_that_closes_has_failed(call: Call) -> None:
    call.offer()
    await call.connect()
    assert call.transport.failed(0.0) == ""
    assert call.client is not None
    call.client.close()
    await eventually(lambda: call.transport.failed(0.0), "the end")
    assert call.transport.failed(0.0) == "DTLS: closed by the peer"


async def test_silence_has_failed_and_may_end(call: Call) -> None:
    call.offer()
    call.transport.ice.last_heard = 100.0
    config = call.world.context.config
    limit = 100 + config.ice_disconnect_s + config.ice_failed_s
    assert call.transport.failed(limit - 0.1) == ""
    assert call.transport.failed(limit) == "ICE: the peer is silent"
    call.transport.ice.last_heard = limit
    assert call.transport.failed(limit) == ""


async def test_where_dtls_has_ended_the_client_must_begin_anew(call: Call, subscriber: Call) -> None:
    """A resume with another path would otherwise seem to work, and nothing would flow."""
    call.offer()
    await call.connect()
    assert call.client is not None
    call.client.close()
    await eventually(lambda: call.transport.failed(0.0), "the end")
    assert call.offer(ufrag="again") is None
    assert len(call.events(control.NegotiationFailed)) == 1
    subscriber.transport._failure = "DTLS: whatever"
    subscriber.transport.restart_ice()
    assert len(subscriber.events(control.NegotiationFailed)) == 1


@pytest.mark.parametrize("when", ["offered", "shaking hands", "connected"])
async def test_closing_at_any_time_leaves_nothing(call: Call, when: str) -> None:
    rows = len(call.world.context.peers)
    call.offer(data=True)
    if when == "shaking hands":
        client = DtlsTransport(CLIENT_CERTIFICATE, "client", call._to_server, lambda data: None)
        call.client = client
        shaking = asyncio.create_task(client.handshake([("sha-256", SERVER_CERTIFICATE.fingerprint)], 5.0))
        await eventually(lambda: call.sent, "the server's flight")
        call.transport.close()
        shaking.cancel()
    elif when == "connected":
        await call.connect()
    call.transport.close()
    call.transport.close()
    assert len(call.world.context.peers) == rows - 1
    call.transport.dtls_record(b"\x16late")
    await asyncio.sleep(0)
    assert call.events(control.TransportFailed) == []


# --- offers that can't be used ---


@pytest.mark.parametrize(
    "text",
    ["", "v=0", "garbage", write_offer([Line("audio", "0")], "u", PWD)],
    ids=["empty", "short", "garbage", "bad ufrag"],
)
async def test_an_offer_that_cannot_be_used_leaves_everything_as_it_was(call: Call, text: str) -> None:
    call.transport.publishing.expect(control.TrackSpec(TrackId("TR"), control.MediaKind.AUDIO, ("mic",)))
    mic = Line("audio", "0", "sendonly", cid="mic", ssrcs=(7,))
    first = call.offer((mic,))
    assert first is not None
    track = call.transport.publishing.tracks[TrackId("TR")]
    await call.connect()
    assert call.offer_text(text) is None
    assert len(call.events(control.NegotiationFailed)) == 1
    again = call.offer((mic,))
    assert again is not None
    assert again.ice_ufrag == first.ice_ufrag
    assert call.transport.publishing.tracks == {TrackId("TR"): track}
    assert call.events(control.TrackEnded) == []


async def test_an_offer_that_restarts_ice_and_drops_an_m_line_does_neither(call: Call) -> None:
    first = call.offer((Line("audio", "0"), Line("video", "1")))
    assert first is not None
    assert call.offer((Line("audio", "0"),), ufrag="other") is None
    again = call.offer((Line("audio", "0"), Line("video", "1")))
    assert again is not None
    assert again.ice_ufrag == first.ice_ufrag


async def test_who_may_offer_is_settled(call: Call, subscriber: Call) -> None:
    subscriber.offer()
    call.transport.answer(
        control.Answer(call.transport.id, 1, write_offer([Line("audio", "0")], "ufrag", PWD))
    )
    for one in (call, subscriber):
        assert len(one.events(control.NegotiationFailed)) == 1


async def test_a_bad_answer_leaves_the_offer_outstanding(subscriber: Call) -> None:
    subscriber.transport.answer(control.Answer(subscriber.transport.id, 5, "v=0 nonsense"))
    assert len(subscriber.events(control.NegotiationFailed)) == 1
    subscriber.answer()
    await subscriber.connect()


async def test_a_second_answer_is_refused(subscriber: Call) -> None:
    subscriber.answer()
    subscriber.answer()
    assert len(subscriber.events(control.NegotiationFailed)) == 1


# --- restarting ICE ---


async def test_a_new_ufrag_restarts_ice_and_nothing_else(call: Call) -> None:
    call.transport.publishing.expect(control.TrackSpec(TrackId("TR"), control.MediaKind.AUDIO, ("mic",)))
    mic = Line("audio", "0", "sendonly", cid="mic", ssrcs=(7,))
    first = call.offer((mic,), data=True)
    assert first is not None
    await call.connect()
    parts = (call.transport._dtls, call.transport.sctp)
    stream = call.transport.ingress.streams[7]
    restarted = call.offer((mic,), ufrag="again", data=True)
    assert restarted is not None
    assert restarted.ice_ufrag != first.ice_ufrag
    assert restarted.fingerprints == first.fingerprints
    assert (call.transport._dtls, call.transport.sctp) == parts
    assert call.transport.ingress.streams[7] is stream
    assert first.ice_ufrag in call.transport.ice.ufrags  # good until the new ones are used
    assert call.events(control.TrackEnded) == []
    assert len(call.events(control.TransportConnected)) == 1
    same = call.offer((mic,), ufrag="again", data=True)
    assert same is not None
    assert same.ice_ufrag == restarted.ice_ufrag


async def test_the_server_restarts_ice_where_it_offers(subscriber: Call) -> None:
    subscriber.answer()
    subscriber.transport.restart_ice()
    await eventually(lambda: len(subscriber.events(control.OfferReady)) == 2, "another offer")
    first, second = (parse(event.sdp) for event in subscriber.events(control.OfferReady))  # type: ignore[attr-defined]
    assert first.ice_ufrag != second.ice_ufrag
    subscriber.answer()
    await subscriber.connect()


async def test_a_restart_while_an_offer_is_outstanding_comes_after_it(subscriber: Call) -> None:
    subscriber.transport.restart_ice()
    assert len(subscriber.events(control.OfferReady)) == 1
    subscriber.answer()
    await eventually(lambda: len(subscriber.events(control.OfferReady)) == 2, "another offer")


# --- how often ---


async def test_a_hundred_offers_a_second(call: Call) -> None:
    lines = tuple(Line("audio", str(number)) for number in range(10))
    for number in range(100):
        answer = call.offer(lines, data=bool(number % 2))
        assert answer is not None or number % 2 == 0  # the data m-line may not vanish again
    assert call.offers == 100
    assert len(call.transport._parser._sections) <= 11


async def test_changes_are_collected_before_the_client_is_asked(call: Call) -> None:
    for number in range(3):
        call.world.published(f"TR_{number}", Line("video", "0"))
    call.offer((Line("audio", "0"),))
    for number in range(3):
        track_id = TrackId(f"TR_{number}")
        call.transport.subscribe(control.Subscribe(call.transport.id, track_id, "PA|TR"))
    assert call.events(control.SectionsNeeded) == []
    await eventually(lambda: call.events(control.SectionsNeeded), "the request")
    with skipped_time():
        await asyncio.sleep(1)
    assert call.events(control.SectionsNeeded) == [control.SectionsNeeded(call.transport.id, 0, 3)]


async def test_a_closed_transport_asks_for_nothing(call: Call) -> None:
    call.world.published("TR", Line("video", "0"))
    call.offer((Line("audio", "0"),))
    call.transport.subscribe(control.Subscribe(call.transport.id, TrackId("TR"), "PA|TR"))
    call.transport.close()
    call.transport._negotiate_soon()
    call.transport._negotiate()
    with skipped_time():
        await asyncio.sleep(1)
    assert call.events(control.SectionsNeeded) == []


async def test_who_is_given_keys_shakes_no_hands() -> None:
    """Else the handshake goes on by its timers, for as long as it may take, and its end is a failure."""
    lab = Lab(seed=1)
    try:
        peer = lab.join("keyed")
        peer.peer.receive_lines(audio=1)
        peer.peer.offer()
        transport = lab.engine.transports[peer.peer.id]
        handshake = transport._handshake
        assert handshake is not None
        transport.keyed(peer.peer.keys)
        await asyncio.gather(handshake, return_exceptions=True)
        assert handshake.cancelled()
        peer.peer.receive_lines(video=1)
        peer.peer.offer()
        assert transport._handshake is None
        assert transport.connected
        assert transport.failed(lab.now) == ""
        transport.dtls_record(b"\x16\xfe\xfd" + bytes(30))
    finally:
        lab.close()
