"""Negotiation of a transport whose client offers (SINGLE and PUBLISHER).

Every offer gets exactly one answer. The server can't offer on such a transport: when a subscription needs an m-line,
or one is to be freed, it asks the client to offer again (SectionsNeeded) and waits.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count

from sfu.control import AnswerReady, MediaKind, SectionsNeeded, TrackId, TransportId
from sfu.forwarding.downtrack import DownTrack
from sfu.peer.context import PeerContext
from sfu.peer.publishing import Publishing, is_sent
from sfu.peer.subscribing import Subscribing
from sfu.sdp import codecs, extensions
from sfu.sdp.answer import LocalTransport, SectionAnswer, write_answer
from sfu.sdp.continuity import check_next_offer
from sfu.sdp.description import Codec, Description, Section

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
        self._before: Description | None = None
        """The offer answered last; what was answered as rejected is so in it."""
        self._asked = False
        self._fruitless = 0
        """Offers in a row that were asked for and brought no m-line for those that wait."""

    def subscribed(self) -> None:
        """A down track was added and needs an m-line."""
        self._fruitless = 0
        if self._before is not None and not self._asked:
            self._ask_soon()

    def unsubscribed(self, down: DownTrack) -> None:
        """A down track is gone; the next answer frees its m-line."""
        if self._mids.pop(down.mid, None) is not None:
            self._released[down.mid] = down.track.kind
            if not self._asked:
                self._ask_soon()

    def ask(self) -> None:
        """Ask the client for an offer, if something still needs one."""
        if self._asked or self._before is None:
            return
        if self._waiting() or self._released:
            self._asked = True
            missing = {kind: self._missing(kind) for kind in MediaKind}
            self._context.emit(
                SectionsNeeded(self._transport_id, missing[MediaKind.AUDIO], missing[MediaKind.VIDEO])
            )

    def check(self, offer: Description) -> None:
        """Raise SdpError when an offer does not follow from the one before it; nothing has changed then."""
        if self._before is not None:
            check_next_offer(self._before, offer)

    def answer(self, offer_id: int, offer: Description, local: LocalTransport) -> AnswerReady:
        """Answer an offer that was checked."""
        asked, self._asked = self._asked, False
        self._resting, self._released = self._released, {}
        self._free = dict.fromkeys(self._free, 0)
        self._forget_missing(offer)
        self._publishing.begin(offer)
        placed = len(self._mids)
        sections = [self._section(section) for section in offer.sections]
        text = write_answer(offer, sections, local, self._session_id, next(self._versions))
        self._before = _with_rejections(offer, sections)
        self._subscribing.bind_negotiated()
        if asked or len(self._mids) > placed:
            self._fruitless = 0 if len(self._mids) > placed else self._fruitless + 1
        if self._waiting() and self._fruitless < MAX_FRUITLESS:
            self._ask_soon()
        mid_to_track: dict[str, TrackId] = {mid: down.track_id for mid, down in self._mids.items()}
        return AnswerReady(self._transport_id, offer_id, text, mid_to_track)

    def _section(self, section: Section) -> SectionAnswer:
        if section.rejected:
            return SectionAnswer("inactive", (), {}, rejected=True)
        if section.kind == "application":
            return SectionAnswer("sendrecv", (), {})
        if is_sent(section):
            self._sent_on.add(section.mid)
            accepted = self._publishing.offered(section)
            if not accepted:
                return SectionAnswer("inactive", (), {}, rejected=True)
            ids = extensions.accept_publish(section, accepted[0].mime)
            return SectionAnswer("recvonly", accepted, ids, rids=section.rids)
        return self._sending(section) if section.direction == "recvonly" else self._idle(section)

    def _sending(self, section: Section) -> SectionAnswer:
        if section.mid in self._sent_on and section.mid not in self._mids:
            # The line still names the codec that the client sent, and the client may send again.
            return self._idle(section)
        accepted = () if section.mid in self._resting else self._place(section)
        if not accepted:
            self._free[MediaKind(section.kind)] += 1
            return self._idle(section)
        return SectionAnswer(
            "sendonly",
            accepted,
            extensions.accept_subscribe(section),
            rids=section.rids,
            sending=self._subscribing.sending(self._mids[section.mid]),
        )

    def _place(self, section: Section) -> tuple[Codec, ...]:
        """Put a down track on an m-line: the one that it carries, else the first that waits and that the client takes.

        Returns the codecs to send.
        """
        down = self._mids.pop(section.mid, None)
        while True:
            if down is None:
                down = next(self._subscribing.unnegotiated(MediaKind(section.kind)), None)
            if down is None:
                return ()
            accepted = self._subscribing.accept(down, section)
            if accepted:
                self._mids[section.mid] = down
                return accepted
            down = None

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
        self._sent_on &= {section.mid for section in offer.sections}
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


def _with_rejections(offer: Description, answers: Sequence[SectionAnswer]) -> Description:
    """An offer as answered: an m-line that either side rejected may be recycled in the next."""
    return replace(
        offer,
        sections=tuple(
            replace(section, rejected=True) if answer.rejected else section
            for section, answer in zip(offer.sections, answers, strict=True)
        ),
    )
