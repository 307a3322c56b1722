"""A client of the engine that needs no DTLS: it negotiates, answers for ICE, and is given its SRTP keys.

It has no socket either. Commands go to whatever carries them to an engine (a call, a pipe), events come back through
:meth:`KeyedPeer.on_event`, and packets are bytes that the owner sends and receives.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256

from sfu import control
from sfu.control import Command, Event, MediaKind, RouterId, TrackId, TransportId, TransportRole
from sfu.net import stun
from sfu.net.srtp import AEAD_AES_128_GCM, SrtpKeys, SrtpPair, SrtpProfile
from sfu.sdp.description import Description, Section
from sfu.sdp.parse import Parser
from tests.harness.offers import Line, write_offer

PWD = "passwordOfThirtyTwoLettersOfPeer"


@dataclass(frozen=True, slots=True)
class Received:
    """A stream that the engine sends to the peer."""

    track_id: TrackId
    mid: str
    ssrc: int
    rtx_ssrc: int
    """0 without retransmission."""
    section: Section


class KeyedPeer:
    """One transport, seen from the client's end. Its keys follow from its name, so runs are alike."""

    def __init__(
        self,
        name: str,
        execute: Callable[[Command], None],
        *,
        router: str = "RM_room",
        role: TransportRole = TransportRole.SINGLE,
        profile: SrtpProfile = AEAD_AES_128_GCM,
    ) -> None:
        self.id = TransportId(name)
        self.router_id = RouterId(router)
        self.role = role
        self._execute = execute
        self._profile = profile
        self._rx, self._tx = (_key(profile, name, way) for way in ("down", "up"))
        self.srtp = SrtpPair(profile, self._rx, self._tx)
        self.ufrag = sha256(name.encode()).hexdigest()[:8]
        self.lines: list[Line] = []
        self.offers = 0
        self.answers: list[Description] = []
        self.received: dict[int, Received] = {}
        """What the engine sends, by SSRC, retransmissions too."""
        self.events: list[Event] = []
        self._parser = Parser()
        self._checks = 0

    @property
    def keys(self) -> SrtpKeys:
        """For the engine's end: ``Transport.keyed``."""
        return SrtpKeys(self._profile, self._tx, self._rx)

    @property
    def answer(self) -> Description:
        """The newest answer."""
        return self.answers[-1]

    # --- commands ---

    def open(self) -> None:
        """Make the transport; the router must be there."""
        self._execute(control.OpenTransport(self.router_id, self.id, self.role, f"PA_{self.id}"))

    def expect(self, track_id: str, kind: MediaKind, cid: str = "", *, measure_level: bool = False) -> None:
        """Announce a track; its m-line carries ``cid``, the track id if not given."""
        spec = control.TrackSpec(TrackId(track_id), kind, (cid or track_id,), measure_level=measure_level)
        self._execute(control.ExpectTrack(self.id, spec))

    def subscribe(self, track_id: str, *, spatial: int = 2, temporal: int = 3, enabled: bool = True) -> None:
        """Ask for a track; it flows once an offer has room for it."""
        stream_id = f"PA_of_{track_id}|{track_id}"
        self._execute(control.Subscribe(self.id, TrackId(track_id), stream_id, enabled, spatial, temporal))

    def unsubscribe(self, track_id: str) -> None:
        self._execute(control.Unsubscribe(self.id, TrackId(track_id)))

    def set_layers(self, track_id: str, *, spatial: int, temporal: int = 3, enabled: bool = True) -> None:
        self._execute(control.SetLayers(self.id, TrackId(track_id), enabled, spatial, temporal))

    def send_line(self, line: Line) -> None:
        """Add an m-line to send on, to the next offer."""
        self.lines.append(replace(line, direction="sendonly"))

    def receive_lines(self, *, audio: int = 0, video: int = 0, line: Line | None = None) -> None:
        """Add m-lines to receive on, to the next offer; ``line`` says what they are like."""
        for kind in ["audio"] * audio + ["video"] * video:
            like = line if line is not None else Line(kind, "")
            self.lines.append(replace(like, kind=kind, mid=str(len(self.lines)), direction="recvonly"))

    def offer(self) -> None:
        """Send an offer of all m-lines so far."""
        self.offers += 1
        text = write_offer(self.lines, self.ufrag, PWD, self.offers)
        self._execute(control.Offer(self.id, self.offers, text))

    def close(self) -> None:
        self._execute(control.CloseTransport(self.id))

    def on_event(self, event: Event) -> None:
        """Take an event of this transport."""
        self.events.append(event)
        if isinstance(event, control.AnswerReady):
            self.answers.append(self._parser.parse(event.sdp))
            self._note_streams(event)

    # --- packets ---

    def check(self) -> bytes:
        """A connectivity check that nominates the address it is sent from."""
        self._checks += 1
        transaction_id = self._checks.to_bytes(12, "big")
        return stun.binding_request(
            transaction_id,
            f"{self.answer.ice_ufrag}:{self.ufrag}",
            self.answer.ice_pwd.encode(),
            priority=1,
            controlling=1,
            use_candidate=True,
        )

    def is_confirmed(self, datagram: bytes) -> bool:
        """Whether this is the answer to one of our checks."""
        if not stun.is_stun(datagram):
            return False
        message = stun.parse(datagram)
        return message.type == stun.BINDING_SUCCESS and message.signed_by(self.answer.ice_pwd.encode())

    def _note_streams(self, event: control.AnswerReady) -> None:
        self.received.clear()
        for mid, track_id in event.mid_to_track.items():
            section = self.answer.section(mid)
            assert section is not None
            ssrc = section.ssrcs[0]
            stream = Received(track_id, mid, ssrc, section.rtx_ssrcs.get(ssrc, 0), section)
            self.received[ssrc] = stream
            if stream.rtx_ssrc:
                self.received[stream.rtx_ssrc] = stream


def _key(profile: SrtpProfile, name: str, way: str) -> bytes:
    return sha256(f"{name} {way}".encode()).digest()[: profile.key_size + profile.salt_size]
