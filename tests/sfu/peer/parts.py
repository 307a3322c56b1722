"""Transports without a network: the negotiating parts of each, over real tables, driven by real SDP."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count

from sfu import control
from sfu.config import MediaConfig
from sfu.control import Event, MediaKind, TrackId, TrackSpec, TransportId
from sfu.forwarding.downtrack import DownTrack
from sfu.forwarding.downtracks import DownTrackTable
from sfu.forwarding.ingress import Ingress
from sfu.forwarding.packet import MediaPacket
from sfu.forwarding.profile import ProfileRegistry
from sfu.forwarding.uptrack import Layer, UpTrack
from sfu.net.outbox import Outbox
from sfu.net.peers import PeerTable
from sfu.peer.answerer import Answerer
from sfu.peer.context import PeerContext
from sfu.peer.offerer import Offerer
from sfu.peer.publishing import Publishing
from sfu.peer.subscribing import Subscribing
from sfu.sdp import codecs, extensions
from sfu.sdp.answer import LocalTransport, SectionAnswer, write_answer
from sfu.sdp.description import Codec, Description, Section
from sfu.sdp.parse import parse
from sfu.streams.acknowledgements import Acknowledgements
from sfu.streams.speakers import SpeechSettings
from tests.harness.offers import Line, write_offer

LOCAL = LocalTransport(
    ice_ufrag="serverUfrag",
    ice_pwd="serverPasswordOfThirtyTwoLetters",
    fingerprint=("sha-256", ":".join(["AB"] * 32)),
    candidates=("candidate:1 1 udp 2130706431 127.0.0.1 7882 typ host",),
    setup="passive",
)
CLIENT = replace(LOCAL, ice_ufrag="clientUfrag", setup="active", ice_lite=False)


class Silence:
    """A sink for media that nobody sends."""

    def media(self, layer: Layer, sequence: int, packet: MediaPacket) -> None:
        raise AssertionError

    def layer_started(self, layer: Layer) -> None:
        raise AssertionError


class World:
    """What transports share, and the events they emit."""

    def __init__(self, config: MediaConfig | None = None) -> None:
        self.events: list[Event] = []
        self.sides: dict[TransportId, Side] = {}
        ssrcs = count(1000)
        self.context = PeerContext(
            config=config or MediaConfig(),
            emit=self.events.append,
            peers=PeerTable(),
            down_tracks=DownTrackTable(),
            acknowledgements=Acknowledgements(Outbox(PeerTable(), [], batch=False)),
            profiles=ProfileRegistry(),
            new_ssrc=lambda: next(ssrcs),
            speech=SpeechSettings(),
            end_subscription=self._end_subscription,
        )

    def of(self, kind: type[Event]) -> list[Event]:
        """The events of a kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    def clear(self) -> None:
        self.events.clear()

    def published(self, track_id: str, line: Line, **spec: object) -> UpTrack:
        """A track that somebody publishes."""
        publisher = Client(self, f"publisher of {track_id}")
        cid = line.cid or f"cid of {track_id}"
        publisher.expect(track_id, line.kind, cid, **spec)
        publisher.offer([replace(line, mid="0", direction="sendonly", cid=cid)])
        return self.context.tracks[TrackId(track_id)]

    def _end_subscription(self, transport_id: TransportId, track_id: TrackId) -> None:
        side = self.sides.get(transport_id)
        if side is not None:
            side.unsubscribe(track_id)


class Side:
    """One transport's parts, and what a client does to them."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.id = TransportId(name)
        self.asks = 0
        """How often a negotiation was asked for."""
        context = world.context
        self.row = context.peers.allocate()
        arrivals = context.acknowledgements.open(self.row, 1)
        self.ingress = Ingress(Silence(), context.profiles.source, context.speech, arrivals, self.row)
        self.publishing = Publishing(context, self.id, self.ingress)
        self.subscribing = Subscribing(context, self.id, self.row, "PA_me", None, self.ingress.attention)
        world.sides[self.id] = self

    def subscribe(self, track_id: str, **wishes: object) -> DownTrack | None:
        command = control.Subscribe(self.id, TrackId(track_id), f"PA_x|{track_id}", **wishes)  # type: ignore[arg-type]
        down = self.subscribing.subscribe(command)
        if down is not None:
            self._changed()
        return down

    def unsubscribe(self, track_id: str) -> None:
        down = self.subscribing.unsubscribe(TrackId(track_id))
        if down is not None:
            self._released(down)

    def down(self, track_id: str) -> DownTrack:
        return self.subscribing.down_tracks[TrackId(track_id)]

    def events(self, kind: type[Event]) -> list[Event]:
        """Its own events of a kind."""
        return [event for event in self.world.of(kind) if getattr(event, "transport_id", None) == self.id]

    def close(self) -> None:
        self.publishing.close()
        self.subscribing.close()
        self.world.context.peers.release(self.row)
        del self.world.sides[self.id]

    def _ask(self) -> None:
        self.asks += 1

    def _changed(self) -> None:
        raise NotImplementedError

    def _released(self, down: DownTrack) -> None:
        raise NotImplementedError


class Client(Side):
    """A transport whose client offers."""

    def __init__(self, world: World, name: str = "client") -> None:
        super().__init__(world, name)
        self.answerer = Answerer(world.context, self.id, self.publishing, self.subscribing, 1, self._ask)
        self.offers = 0
        self.answer_ready: control.AnswerReady | None = None

    def expect(self, track_id: str, kind: str, *cids: str, **spec: object) -> None:
        self.publishing.expect(
            TrackSpec(TrackId(track_id), MediaKind(kind), cids, **spec)  # type: ignore[arg-type]
        )

    def offer(self, lines: Sequence[Line]) -> Description:
        """Offer m-lines; returns the answer."""
        return self.offer_text(write_offer(lines, "ufrag", "passwordOfTwentyTwoLetters", self.offers + 1))

    def offer_text(self, text: str) -> Description:
        offer = parse(text)
        self.answerer.check(offer)
        self.offers += 1
        self.answer_ready = self.answerer.answer(self.offers, offer, LOCAL)
        answer = parse(self.answer_ready.sdp)
        assert [section.mid for section in answer.sections] == [section.mid for section in offer.sections]
        return answer

    def ask(self) -> control.SectionsNeeded | None:
        """What the client is asked for when the time has come."""
        before = len(self.events(control.SectionsNeeded))
        self.answerer.ask()
        after = self.events(control.SectionsNeeded)
        return after[-1] if len(after) > before else None  # type: ignore[return-value]

    def _changed(self) -> None:
        self.answerer.subscribed()

    def _released(self, down: DownTrack) -> None:
        self.answerer.unsubscribed(down)


class Subscriber(Side):
    """A transport whose client answers."""

    def __init__(self, world: World, name: str = "subscriber", first_offer_id: int = 1) -> None:
        super().__init__(world, name)
        self.offerer = Offerer(world.context, self.id, self.subscribing, 1, first_offer_id, self._ask)

    def next_offer(self) -> tuple[control.OfferReady, Description] | None:
        event = self.offerer.offer(LOCAL)
        return (event, parse(event.sdp)) if event is not None else None

    def answer(self, offer: Description, **sections: SectionAnswer) -> None:
        """Answer an offer the way clients do: everything is taken, but for what ``sections`` says (``mid_0=…``)."""
        answers = [sections.get(f"mid_{section.mid}", accepting(section)) for section in offer.sections]
        self.answer_text(write_answer(offer, answers, CLIENT, 1, 1))

    def answer_text(self, text: str) -> None:
        answer = parse(text)
        self.offerer.check(answer)
        self.offerer.answered(answer)

    def negotiate(self) -> Description:
        """One whole round; returns the offer."""
        made = self.next_offer()
        assert made is not None
        self.answer(made[1])
        return made[1]

    def _changed(self) -> None:
        self.offerer.changed()

    def _released(self, down: DownTrack) -> None:
        self.offerer.unsubscribed(down)


def accepting(section: Section, only: Sequence[str] = ()) -> SectionAnswer:
    """A client's answer to an m-line; ``only`` names the codecs that it knows."""
    if not section.is_media:
        return SectionAnswer("sendrecv")
    known: tuple[Codec, ...] = tuple(c for c in section.codecs if not only or c.name.lower() in only)
    direction = "recvonly" if section.direction == "sendonly" else "inactive"
    return SectionAnswer(direction, known, extensions.accept_subscribe(section), rejected=not known)


def names(section: Section | None) -> list[str]:
    """The codecs of an m-line, by name."""
    assert section is not None
    return [codec.name for codec in section.codecs]


__all__ = ["CLIENT", "LOCAL", "Client", "Line", "Subscriber", "World", "accepting", "codecs", "names"]
