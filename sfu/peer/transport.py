"""One peer connection: ICE, DTLS, SRTP and SCTP in one bundle, and what is published and subscribed over it."""

import asyncio
import logging
from collections.abc import Callable, Hashable
from functools import partial
from typing import Literal, Protocol

from sfu import control
from sfu.control import TransportRole
from sfu.forwarding.delivery import MediaSink
from sfu.forwarding.ingress import Ingress
from sfu.net.credentials import new_credentials
from sfu.net.dtls import Certificate, DtlsTransport, Role
from sfu.net.errors import DtlsError, SrtpError
from sfu.net.ice import IceLite, IceState
from sfu.net.peers import TapPort
from sfu.net.sctp import SctpAssociation
from sfu.net.srtp import SrtpKeys
from sfu.peer.answerer import Answerer
from sfu.peer.context import PeerContext
from sfu.peer.offerer import Offerer
from sfu.peer.publishing import Publishing
from sfu.peer.subscribing import Subscribing
from sfu.sdp.answer import LocalTransport, answer_setup
from sfu.sdp.description import Description
from sfu.sdp.errors import SdpError
from sfu.sdp.parse import Parser

logger = logging.getLogger(__name__)

_ASK_DELAY_S = 0.01
"""Changes are collected for so long before the client is asked to negotiate (LiveKit waits 10 ms as well)."""
_DTLS_ENDED = "DTLS has ended"
_CHANNELS = (
    (control.RELIABLE, True, None),
    (control.LOSSY, False, 0),
    (control.DATA_TRACK, False, 0),
)


class Resident(TapPort, Protocol):
    """The client of a transport, where it lives in our own process."""

    def data(self, label: str, payload: bytes) -> None:
        """One message of a data channel."""

    def closed(self) -> None:
        """The transport is closed."""


class Transport:
    """Glue of the parts; each does one thing and knows no other."""

    def __init__(
        self,
        context: PeerContext,
        command: control.OpenTransport,
        certificate: Certificate,
        candidates: tuple[str, ...],
        sink: MediaSink,
        send: Callable[["Transport", bytes], None],
        session_id: int,
        now: float,
    ) -> None:
        self._context = context
        self.id = command.transport_id
        self.router_id = command.router_id
        self.role = command.role
        self.cname = command.cname
        self._certificate = certificate
        self._candidates = candidates
        self._send = send
        self.row = context.peers.allocate()
        self.ice = IceLite(
            new_credentials(),
            now,
            disconnected_after_s=context.config.ice_disconnect_s,
            failed_after_s=context.config.ice_failed_s,
        )
        self._dtls: DtlsTransport | None = None
        self._dtls_role: Role = "server"
        self._handshake: asyncio.Task[None] | None = None
        self._failure = ""
        self.sctp: SctpAssociation | None = None
        self._resident: Resident | None = None
        self._remote_ufrag = ""
        self._sctp_port: int | None = None
        self._max_message_size = 0
        self.connected = False
        self.closed = False
        self._parser = Parser()
        self._timer: asyncio.TimerHandle | None = None
        self.rtcp_ssrc = context.new_ssrc()
        """Who sends our receiver reports and feedback."""
        arrivals = context.acknowledgements.open(self.row, self.rtcp_ssrc)
        self.ingress = Ingress(
            sink, context.profiles.source, context.speech, arrivals, self.row, context.streams
        )
        self.publishing = Publishing(context, self.id, self.ingress)
        self.subscribing = Subscribing(
            context,
            self.id,
            self.row,
            command.cname,
            command.playout_delay_ms,
            self.ingress.attention,
        )
        self._answerer = Answerer(
            context, self.id, self.publishing, self.subscribing, session_id, self._negotiate_soon
        )
        self._offerer: Offerer | None = None
        if command.role is TransportRole.SUBSCRIBER:
            self._offerer = Offerer(
                context, self.id, self.subscribing, session_id, command.first_offer_id, self._negotiate_soon
            )
            self._sctp_port = 5000
            self._negotiate()

    # --- negotiation ---

    def offer(self, command: control.Offer) -> None:
        """Answer the client's offer."""
        try:
            offer = self._parser.parse(command.sdp)
            if self._offerer is not None:
                raise SdpError("the server offers on this transport")
            if self._dtls_ended:
                raise SdpError(_DTLS_ENDED)
            _check_transport(offer)
            self._answerer.check(offer)
        except SdpError as error:
            self._context.emit(control.NegotiationFailed(self.id, str(error)))
            return
        self._take_remote(offer)
        self._context.emit(self._answerer.answer(command.offer_id, offer, self._local(offer)))
        self._start_dtls(offer)

    def answer(self, command: control.Answer) -> None:
        """Take the client's answer to our offer."""
        try:
            answer = self._parser.parse(command.sdp)
            if self._offerer is None:
                raise SdpError("the client offers on this transport")
            _check_transport(answer)
            self._offerer.check(answer)
        except SdpError as error:
            self._context.emit(control.NegotiationFailed(self.id, str(error)))
            return
        self._take_remote(answer)
        self._offerer.answered(answer)
        self._start_dtls(answer)

    def restart_ice(self) -> None:
        """Offer again with new ICE credentials."""
        if self._offerer is None:
            return
        if self._dtls_ended:
            self._context.emit(control.NegotiationFailed(self.id, _DTLS_ENDED))
            return
        self.ice.restart(new_credentials())
        self._offerer.changed()

    def subscribe(self, command: control.Subscribe) -> None:
        down = self.subscribing.subscribe(command)
        if down is None:
            return
        if self._offerer is not None:
            self._offerer.changed()
        else:
            self._answerer.subscribed()

    def unsubscribe(self, track_id: control.TrackId) -> None:
        down = self.subscribing.unsubscribe(track_id)
        if down is None:
            return
        if self._offerer is not None:
            self._offerer.unsubscribed(down)
        else:
            self._answerer.unsubscribed(down)

    def _negotiate_soon(self) -> None:
        if self._timer is None and not self.closed:
            self._timer = asyncio.get_running_loop().call_later(_ASK_DELAY_S, self._negotiate)

    def _negotiate(self) -> None:
        self._timer = None
        if self.closed:
            return
        if self._offerer is None:
            self._answerer.ask()
            return
        event = self._offerer.offer(self._local(None))
        if event is not None:
            self._context.emit(event)

    def _local(self, offer: Description | None) -> LocalTransport:
        """Our side of the transport; we wait for the DTLS handshake unless the client insists on waiting.

        Once taken, the role stays (RFC 8842 section 5.5), whatever later offers leave open.
        """
        credentials = self.ice.credentials
        preferred: Literal["active", "passive"] = "active" if self._dtls_role == "client" else "passive"
        return LocalTransport(
            ice_ufrag=credentials.ufrag,
            ice_pwd=credentials.pwd,
            fingerprint=("sha-256", self._certificate.fingerprint),
            candidates=self._candidates,
            setup=answer_setup(offer.setup, preferred) if offer is not None else preferred,
            ice_lite=True,
        )

    def _take_remote(self, remote: Description) -> None:
        """Note what the client says of ICE, and of data channels."""
        if self._remote_ufrag and self._remote_ufrag != remote.ice_ufrag and self._offerer is None:
            self.ice.restart(new_credentials())
        self._remote_ufrag = remote.ice_ufrag
        if remote.data is not None:
            self._sctp_port = remote.data.sctp_port or 5000
            self._max_message_size = remote.data.max_message_size

    # --- connection ---

    def house(self, resident: Resident) -> None:
        """Connect a client of our own process: there will be no ICE, no DTLS and no SRTP, and nothing to wait for."""
        self._resident = self._context.peers.taps[self.row] = resident
        self.connected = True
        self._context.emit(control.TransportConnected(self.id))
        self.subscribing.connected()
        for label, *_ in _CHANNELS:
            self.channel_opened(label)

    def _start_dtls(self, remote: Description) -> None:
        if self._resident is not None:
            return
        if self.connected:
            self._start_sctp()
        if self._dtls is not None or self.connected:
            return
        self._dtls_role = "client" if remote.setup == "passive" else "server"
        self._dtls = DtlsTransport(
            self._certificate,
            self._dtls_role,
            lambda data: self._send(self, data),
            self._on_data,
        )
        self._handshake = asyncio.get_running_loop().create_task(self._connect(remote.fingerprints))

    async def _connect(self, fingerprints: tuple[tuple[str, str], ...]) -> None:
        assert self._dtls is not None
        try:
            self._start_media(await self._dtls.handshake(fingerprints, self._context.config.dtls_timeout_s))
        except (DtlsError, SrtpError) as error:
            self._failure = f"DTLS: {error}"

    def keyed(self, keys: SrtpKeys) -> None:
        """Start media under keys that were agreed on elsewhere; there will be no handshake, and no data channels.

        Raises SrtpError.
        """
        if self._handshake is not None:
            self._handshake.cancel()
            self._handshake = None
        self._dtls = None
        self._start_media(keys)

    def _start_media(self, keys: SrtpKeys) -> None:
        """Start media and data under these keys. Raises SrtpError."""
        srtp = self._context.peers.srtp
        srtp.use(self.row, keys)
        self.ingress.forget = partial(srtp.forget_received, self.row)
        self.connected = True
        self._start_sctp()
        self._context.emit(control.TransportConnected(self.id))
        self.subscribing.connected()

    def _start_sctp(self) -> None:
        if self.sctp is not None or self._sctp_port is None or self._dtls is None:
            return
        self.sctp = SctpAssociation(
            self._dtls.send_data, self._dtls_role, self, soon=self._context.messages.soon
        )
        self.sctp.start(self._sctp_port, self._max_message_size)
        if self._offerer is not None:
            for label, ordered, max_retransmits in _CHANNELS:
                self.sctp.open_channel(label, ordered=ordered, max_retransmits=max_retransmits)

    def _on_data(self, data: bytes) -> None:
        if self.sctp is not None:
            self.sctp.feed(data)

    def dtls_record(self, record: bytes) -> None:
        """Take a DTLS datagram from a validated address."""
        if self._dtls is not None:
            self._dtls.feed(record)

    def check(self, data: bytes, key: Hashable, host: str, port: int, now: float) -> bytes | None:
        """Take a STUN datagram; returns the response."""
        return self.ice.receive(data, key, host, port, now)

    def failed(self, now: float) -> str:
        """Why the transport is beyond hope, or an empty string; whoever asks tells it (once)."""
        if self._failure or self._resident is not None:
            return self._failure
        if self.ice.state(now) is IceState.FAILED:
            return "ICE: the peer is silent"
        if self._dtls_ended:
            return "DTLS: closed by the peer"
        return ""

    @property
    def _dtls_ended(self) -> bool:
        """A new path (RESUME) can't help: DTLS begins anew only in another peer connection."""
        closed = self.connected and self._dtls is not None and self._dtls.state == "closed"
        return bool(self._failure) or closed

    # --- data channels ---

    def channel_opened(self, label: str) -> None:
        self._context.emit(control.ChannelOpened(self.id, label))

    def message(self, label: str, payload: bytes, binary: bool) -> None:  # noqa: ARG002
        if len(payload) <= self._context.config.max_message_bytes:
            self._context.emit(control.DataReceived(self.id, label, payload))

    def send_data(self, label: str, payload: bytes) -> None:
        """Send a message, unless the receiver is too slow for it."""
        if self._resident is not None:
            self._resident.data(label, payload)
            return
        if self.sctp is None:
            return
        backlog = self.sctp.buffered(label) + len(payload)
        if label == control.RELIABLE:
            if backlog > self._context.config.reliable_buffer_bytes:
                self._context.emit(control.ReceiverOverflow(self.id))
                return
        elif backlog > self._context.config.lossy_buffer_bytes:
            self._context.losses.messages += 1
            return
        self.sctp.send(label, payload)

    # --- end ---

    def close(self) -> None:
        """Let go of everything; safe to call twice."""
        if self.closed:
            return
        self.closed = True
        if self._resident is not None:
            self._resident.closed()
        if self._timer is not None:
            self._timer.cancel()
        self.publishing.close()
        self.ingress.close()
        self.subscribing.close()
        if self.sctp is not None:
            self.sctp.close()
        if self._dtls is not None:
            self._dtls.close()
        if self._handshake is not None:
            self._handshake.cancel()
        self._context.acknowledgements.close(self.row)
        self._context.peers.release(self.row)


def _check_transport(remote: Description) -> None:
    if not remote.fingerprints or not remote.ice_ufrag:
        raise SdpError("an m-line in use needs ICE credentials and a DTLS fingerprint")
