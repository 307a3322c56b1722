"""Negotiation of a transport whose client offers (SINGLE and PUBLISHER).

Every offer gets exactly one answer. The server can't offer on such a transport: when a subscription needs an m-line,
or one is to be freed, it asks the client to offer again (SectionsNeeded) and waits.
"""

from collections.abc import Callable
from itertools import count

from sfu.control import AnswerReady, MediaKind, SectionsNeeded, TrackId, TransportId
from sfu.forwarding.downtrack import DownTrack
from sfu.peer.context import PeerContext
from sfu.peer.publishing import Publishing
from sfu.peer.subscribing import Subscribing
from sfu.sdp import codecs, extensions
from sfu.sdp.answer import LocalTransport, SectionAnswer, write_answer
from sfu.sdp.description import Description, Section

_SENDS = ("sendonly", "sendrecv")
MAX_FRUITLESS = 4
"""Offers without a usable m-line after which a client is no longer asked for more."""


class Answerer:
    """Turns offers into answers, and changes of subscriptions into requests for another offer."""

    def __init__(
        self,
        context: PeerContext,
        transport_id: TransportId,
        publishing: Publishing,
        subscribing: Subscribing,
        session_id: int,
        ask_soon: Callable[[], None],
    ) -> None:
        self._context = context
        self._transport_id = transport_id
        self._publishing = publishing
        self._subscribing = subscribing
        self._session_id = session_id
        self._versions = count(1)
        self._ask_soon = ask_soon
        self._mids: dict[str, DownTrack] = {}
        self._released: dict[str, MediaKind] = {}
        """M-lines answered as sending whose down track has gone since.

        They rest for one answer: a client only notices another track where the m-line was inactive in between.
        """
        self._resting: dict[str, MediaKind] = {}
        self._free = {MediaKind.AUDIO: 0, MediaKind.VIDEO: 0}
        self._sent_on: set[str] = set()
        """M-lines that the client has ever sent on."""
        self._answered = False
        self._asked = False
        self._fruitless = 0
        """Offers in a row that brought no m-line for those that wait."""

    def subscribed(self) -> None:
        """A down track was added and needs an m-line."""
        self._fruitless = 0
        if self._answered and not self._asked:
            self._ask_soon()

    def unsubscribed(self, down: DownTrack) -> None:
        """A down track is gone; the next answer frees its m-line."""
        if self._mids.pop(down.mid, None) is not None:
            self._released[down.mid] = down.track.kind
            if not self._asked:
                self._ask_soon()

    def ask(self) -> None:
        """Ask the client for an offer, if something still needs one."""
        if self._asked or not self._answered:
            return
        if self._waiting() or self._released:
            self._asked = True
            missing = {kind: self._missing(kind) for kind in MediaKind}
            self._context.emit(
                SectionsNeeded(self._transport_id, missing[MediaKind.AUDIO], missing[MediaKind.VIDEO])
            )

    def answer(self, offer_id: int, offer: Description, local: LocalTransport) -> AnswerReady:
        """Answer an offer."""
        self._asked = False
        self._resting, self._released = self._released, {}
        self._free = dict.fromkeys(self._free, 0)
        self._forget_missing(offer)
        placed = len(self._mids)
        sections = [self._section(section) for section in offer.sections]
        text = write_answer(offer, sections, local, self._session_id, next(self._versions))
        self._answered = True
        self._subscribing.bind_negotiated()
        self._fruitless = 0 if len(self._mids) > placed else self._fruitless + 1
        if self._waiting() and self._fruitless < MAX_FRUITLESS:
            self._ask_soon()
        mid_to_track: dict[str, TrackId] = {mid: down.track_id for mid, down in self._mids.items()}
        return AnswerReady(self._transport_id, offer_id, text, mid_to_track)

    def _section(self, section: Section) -> SectionAnswer:
        if section.rejected:
            self._publishing.withdrawn(section.mid)
            return SectionAnswer("inactive", (), {}, rejected=True)
        if section.kind == "application":
            return SectionAnswer("sendrecv", (), {})
        if section.direction in _SENDS:
            self._sent_on.add(section.mid)
            accepted = self._publishing.offered(section)
            if not accepted:
                return SectionAnswer("inactive", (), {}, rejected=True)
            ids = extensions.accept_publish(section, accepted[0].mime)
            return SectionAnswer("recvonly", accepted, ids, rids=section.rids)
        self._publishing.withdrawn(section.mid)
        return self._sending(section) if section.direction == "recvonly" else self._idle(section)

    def _sending(self, section: Section) -> SectionAnswer:
        down = self._mids.get(section.mid)
        if down is None and section.mid in self._sent_on:
            # The line still names the codec that the client sent, and the client may send again.
            return self._idle(section)
        if section.mid in self._resting:
            self._free[MediaKind(section.kind)] += 1
            return self._idle(section)
        while down is None:
            waiting = self._subscribing.unnegotiated(MediaKind(section.kind))
            candidate = next(waiting, None)
            if candidate is None:
                break
            if self._subscribing.accept(candidate, section):
                down = self._mids[section.mid] = candidate
        if down is None:
            self._free[MediaKind(section.kind)] += 1
            return self._idle(section)
        accepted = self._subscribing.accept(down, section)
        if not accepted:
            del self._mids[section.mid]
            return self._idle(section)
        return SectionAnswer(
            "sendonly",
            accepted,
            extensions.accept_subscribe(section),
            rids=section.rids,
            sending=self._subscribing.sending(down),
        )

    def _idle(self, section: Section) -> SectionAnswer:
        """Nothing flows for now; codecs and extensions are accepted all the same, or a later offer of it fails."""
        accepted = codecs.accept_idle(section)
        return SectionAnswer(
            "inactive",
            accepted,
            extensions.accept_subscribe(section),
            rids=section.rids,
            rejected=not accepted,
        )

    def _forget_missing(self, offer: Description) -> None:
        """M-lines that the client no longer receives on give their down tracks back to the queue."""
        receiving = {s.mid for s in offer.sections if s.direction == "recvonly" and not s.rejected}
        for mid in [mid for mid in self._mids if mid not in receiving]:
            down = self._mids.pop(mid)
            down.mid = ""
            down.bound = False
            down.stop()

    def _waiting(self) -> bool:
        return any(True for kind in MediaKind for _ in self._subscribing.unnegotiated(kind))

    def _missing(self, kind: MediaKind) -> int:
        waiting = sum(1 for _ in self._subscribing.unnegotiated(kind))
        released = sum(1 for freed in self._released.values() if freed is kind)
        return max(0, waiting - self._free[kind] - released)
