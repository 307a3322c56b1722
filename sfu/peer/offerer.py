"""Negotiation of a SUBSCRIBER transport: the server offers, one offer at a time, and m-lines are reused."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from sfu.control import MediaKind, OfferReady, TrackId, TransportId
from sfu.forwarding.downtrack import DownTrack
from sfu.peer.context import PeerContext
from sfu.peer.subscribing import Subscribing, mimes
from sfu.sdp import codecs, extensions
from sfu.sdp.answer import LocalTransport
from sfu.sdp.continuity import check_answer
from sfu.sdp.description import Codec, Description, Section
from sfu.sdp.errors import SdpError
from sfu.sdp.offer import OfferSection, write_offer

DATA_MID = "data"
MAX_FREE = 16
"""Unused m-lines of a kind above which any is reused."""


@dataclass(slots=True)
class _Line:
    kind: MediaKind
    mid: str
    down: DownTrack | None = None
    codecs: tuple[Codec, ...] = ()
    offered_idle: bool = False
    reusable: bool = False
    """The client has agreed that nothing flows: only then it notices another track on this m-line."""
    last: TrackId | None = None
    """The track that it carried last."""


class Offerer:
    """Keeps the m-lines of one subscriber peer connection."""

    def __init__(
        self,
        context: PeerContext,
        transport_id: TransportId,
        subscribing: Subscribing,
        session_id: int,
        first_offer_id: int,
        offer_soon: Callable[[], None],
    ) -> None:
        self._context = context
        self._transport_id = transport_id
        self._subscribing = subscribing
        self._session_id = session_id
        self._versions = count(1)
        self._offer_ids = count(first_offer_id)
        self._offer_soon = offer_soon
        self._lines: list[_Line] = []
        self._offered: list[OfferSection] = []
        self._outstanding: int | None = None
        self._changed = True

    def changed(self) -> None:
        """Something needs a new offer."""
        self._changed = True
        if self._outstanding is None:
            self._offer_soon()

    def unsubscribed(self, down: DownTrack) -> None:
        """A down track is gone; its m-line becomes free."""
        for line in self._lines:
            if line.down is down:
                line.down = None
                line.offered_idle = line.reusable = False
                self.changed()

    def offer(self, local: LocalTransport) -> OfferReady | None:
        """The next offer; None while one is outstanding or nothing changed."""
        if self._outstanding is not None or not self._changed:
            return None
        self._changed = False
        for kind in MediaKind:
            for down in self._subscribing.unnegotiated(kind):
                self._place(down)
        for line in self._lines:
            line.offered_idle = line.down is None
        self._offered = [self._section(line) for line in self._lines]
        self._outstanding = next(self._offer_ids)
        text = write_offer(self._offered, local, self._session_id, next(self._versions), DATA_MID)
        mid_to_track = {line.mid: line.down.track_id for line in self._lines if line.down is not None}
        return OfferReady(self._transport_id, self._outstanding, text, mid_to_track)

    def check(self, answer: Description) -> None:
        """Raise SdpError when an answer is none to the outstanding offer; nothing has changed then."""
        if self._outstanding is None:
            raise SdpError("no offer is waiting for an answer")
        check_answer(self._offered, DATA_MID, answer)

    def answered(self, answer: Description) -> None:
        """Take the client's answer, which was checked."""
        self._outstanding = None
        for line in self._lines:
            section = answer.section(line.mid)
            assert section is not None
            if line.down is None:
                line.reusable = line.offered_idle and not section.rejected
            elif not self._accept(line.down, section):
                self.unsubscribed(line.down)
        self._subscribing.bind_negotiated()
        if self._changed:
            self._offer_soon()

    def _accept(self, down: DownTrack, section: Section) -> bool:
        if section.rejected or section.direction != "recvonly":
            self._subscribing.refuse(down)
            return False
        return bool(self._subscribing.accept(down, section))

    def _place(self, down: DownTrack) -> None:
        if any(line.down is down for line in self._lines):
            return
        kind = down.track.kind
        free = [line for line in self._lines if line.reusable and line.kind is kind]
        # The Rust SDKs don't notice a track that comes back on an m-line that it has left.
        line = next((line for line in free if line.last != down.track_id or len(free) > MAX_FREE), None)
        if line is None:
            line = _Line(kind, str(len(self._lines)))
            self._lines.append(line)
        line.down, line.last = down, down.track_id
        line.reusable = False
        line.codecs = codecs.offer_codecs(mimes(down.track), down.track.main.fmtp, down.track.spec.stereo)
        down.rtx_payload_type = next((c.payload_type for c in line.codecs if c.mime.endswith("/rtx")), 0)

    def _section(self, line: _Line) -> OfferSection:
        sending = self._subscribing.sending(line.down) if line.down is not None else None
        return OfferSection(
            kind=line.kind.value,
            mid=line.mid,
            direction="sendonly" if sending is not None else "inactive",
            codecs=line.codecs,
            extensions=extensions.offered(line.kind.value),
            sending=sending,
        )
