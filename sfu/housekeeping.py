"""What happens by the clock and not by the packet: feedback, reports, layer liveness, speakers, quality, dead peers.

Nothing here looks at all transports or all routers at once. What is urgent comes from whatever made it so: a gap, a
subscriber who waits, or another layer to be sent rings the transport's bell. Visits for the rest go round in turns. A
round is made of small steps, so that whoever drives it can let packets through in the middle of a long one.
"""

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from heapq import heappop, heappush
from itertools import count
from math import inf

from sfu.control import (
    Event,
    LayerStarted,
    Quality,
    RouterId,
    Speakers,
    TransportFailed,
    TransportId,
)
from sfu.forwarding.uptrack import UpTrack
from sfu.net.outbox import Outbox
from sfu.peer.feedback import Feedback
from sfu.peer.transport import Transport
from sfu.router import Router
from sfu.streams.acknowledgements import Acknowledgements
from sfu.tick import Tick
from sfu.wheel import Wheel

URGENT_S = 0.01
"""Between rounds, at least: how late NACKs and key frame requests may be."""
SLOTS = 20
SLOT_S = 0.05
"""Each transport is visited once in SLOTS slots: never all at once, but some, as the first of them is the slowest."""
LAYER_SLOTS = 4
"""Whether layers of a simulcast publisher have stopped is looked at in one slot of so many: each 0.2 s."""
ROUTERS = 64
ROUTER_SLOTS = 5
"""Routers visited at most in one slot: so many, or one in ROUTER_SLOTS of all. Those made at once so come apart."""
QUALITY_S = 5.0
_ROUNDING_S = 1e-6


class Housekeeping:
    """Does a round when it is told to; says when it wants one."""

    def __init__(
        self,
        tick: Tick,
        outbox: Outbox,
        acknowledgements: Acknowledgements,
        emit: Callable[[Event], None],
        hasten: Callable[[], None],
    ) -> None:
        """``hasten`` is called when something is urgent, whatever :attr:`due_at` was."""
        self._tick = tick
        self._outbox = outbox
        self._acknowledgements = acknowledgements
        self._emit = emit
        self._hasten = hasten
        self._transports: dict[TransportId, Transport] = {}
        self._slots: list[dict[TransportId, tuple[Transport, Feedback]]] = [{} for _ in range(SLOTS)]
        self._slot = 0
        """The one whose turn was last ..."""
        self._slot_at = 0.0
        """... and when that was."""
        self._layered: list[dict[TransportId, Transport]] = [{} for _ in range(LAYER_SLOTS)]
        """Who sends simulcast, by the slots in which that is looked at."""
        self._ringing: deque[Transport] = deque()
        """Whose bell was rung since the last round."""
        self._to_attend: Wheel[Transport] = Wheel(URGENT_S)
        self._failed: set[TransportId] = set()
        self._routers: dict[RouterId, Router] = {}
        self._visits: list[tuple[float, int, Router]] = []
        """When each router is due; a heap."""
        self._visit_numbers = count()
        self._now = self._unix_now = 0.0
        self._steps: Iterator[None] | None = None
        """What is left of a round."""

    def add_router(self, router: Router) -> None:
        self._routers[router.id] = router
        heappush(self._visits, (0.0, next(self._visit_numbers), router))

    def remove_router(self, router: Router) -> None:
        del self._routers[router.id]

    def add(self, transport: Transport) -> None:
        """Look after a transport from now on."""
        self._transports[transport.id] = transport
        self._slots[transport.row % SLOTS][transport.id] = transport, self._tick.feedback[transport]
        transport.ingress.attention.listen(partial(self._on_ring, transport))

    def remove(self, transport: Transport) -> None:
        del self._transports[transport.id]
        del self._slots[transport.row % SLOTS][transport.id]
        self._layered[transport.row % LAYER_SLOTS].pop(transport.id, None)
        self._to_attend.discard(transport)
        self._failed.discard(transport.id)

    def _on_ring(self, transport: Transport) -> None:
        self._ringing.append(transport)
        self._hasten()

    @property
    def due_at(self) -> float:
        """When a round has something to do if nobody rings until then; not to be asked in the midst of one."""
        if self._ringing or not self._tick.shedder.idle:
            return self._now
        return min(self._slot_at + SLOT_S, self._acknowledgements.due_at, self._to_attend.due_at)

    def run(self, now: float, unix_now: float, enough: Callable[[], bool] = lambda: False) -> bool:
        """Do what is due and send the RTCP of it; the caller sends media afterwards.

        Stops when it is ``enough`` for now, which is asked at each step. Returns whether all is done; the next call
        does the rest, and begins another round only after it.
        """
        self._now, self._unix_now = now, unix_now
        steps, self._steps = self._steps or self._round(), None
        try:
            for _ in steps:
                if enough():
                    self._steps = steps
                    return False
        finally:
            self._outbox.flush()
        return True

    def _round(self) -> Iterator[None]:
        """Everything that is due. In the middle of it time goes on, and transports and routers come and go."""
        began_at = self._now
        visits = began_at - self._slot_at > SLOT_S - _ROUNDING_S
        if visits:
            self._slot_at = max(self._slot_at + SLOT_S, began_at - SLOT_S)
            self._slot = (self._slot + 1) % SLOTS
        if not self._tick.shedder.idle:
            self._tick.shedder.settle()
        if self._tick.started_layers:
            yield from self._announce_layers()
        while self._acknowledgements.turn(began_at):
            yield
        yield from self._attend()
        if visits:
            yield from self._look_at_layers(self._layered[self._slot % LAYER_SLOTS])
            yield from self._visit_transports(list(self._slots[self._slot].values()))
            yield from self._visit_routers(began_at)

    def _attend(self) -> Iterator[None]:
        """Do what is urgent for those who have rung, and for those to whom that is due again."""
        ringing = self._ringing
        for transport in ringing:
            self._to_attend.discard(transport)
        ringing += self._to_attend.take(self._now)
        for _ in range(len(ringing)):
            transport = ringing.popleft()
            if transport.closed:
                continue
            overloaded = self._tick.overload.level > 0
            feedback = self._tick.feedback[transport]
            again_at = feedback.attend(self._now, self._unix_now, overloaded=overloaded)
            if _layered(transport):
                self._layered[transport.row % LAYER_SLOTS][transport.id] = transport
            if again_at != inf:
                self._to_attend.put(transport, again_at)
            yield

    def _announce_layers(self) -> Iterator[None]:
        layers, self._tick.started_layers = self._tick.started_layers, []
        for layer in dict.fromkeys(layers):
            self._emit(LayerStarted(layer.track.track_id, layer.info))
            yield from self._retarget(layer.track)

    def _look_at_layers(self, transports: dict[TransportId, Transport]) -> Iterator[None]:
        for transport in list(transports.values()):
            layered = _layered(transport)
            if transport.closed or not layered:
                transports.pop(transport.id, None)
                continue
            for track in layered:
                if _stopped(track):
                    yield from self._retarget(track)
            yield

    def _visit_transports(self, visited: list[tuple[Transport, Feedback]]) -> Iterator[None]:
        """What each transport needs once a second."""
        for transport, feedback in visited:
            if not transport.closed:
                if transport.connected:
                    feedback.report(self._now, self._unix_now)
                self._look(transport, self._now)
                yield

    def _look(self, transport: Transport, now: float) -> None:
        """See whether a transport still lives, and what of its tracks nobody uses any more."""
        reason = transport.failed(now)
        if not reason:
            if self._failed:
                self._failed.discard(transport.id)
        elif transport.id not in self._failed:
            self._failed.add(transport.id)
            self._emit(TransportFailed(transport.id, reason))
        for track in transport.publishing.tracks.values():
            for layer in track.layers:
                if any(rendition.unused for rendition in layer.renditions):
                    layer.sweep()

    def _retarget(self, track: UpTrack) -> Iterator[None]:
        for transport_id, down in list(track.down_tracks.items()):
            transport = self._transports.get(transport_id)
            if transport is not None and track.down_tracks.get(transport_id) is down:
                transport.subscribing.retarget(down)
                yield

    def _visit_routers(self, now: float) -> Iterator[None]:
        """Those that are due by the middle of the time until the next slot."""
        for _ in range(max(ROUTERS, len(self._visits) // ROUTER_SLOTS)):
            if not self._visits or self._visits[0][0] > now + SLOT_S / 2:
                break
            router = heappop(self._visits)[2]
            if self._routers.get(router.id) is router:
                heappush(self._visits, (now + router.interval_s, next(self._visit_numbers), router))
                yield from self._visit(router, now)

    def _visit(self, router: Router, now: float) -> Iterator[None]:
        if router.speakers.update(router.levels(now), now):
            self._emit(Speakers(router.id, router.speakers.speaking))
        yield
        if router.quality_due_at is None:
            router.quality_due_at = now + QUALITY_S
        elif now >= router.quality_due_at:
            router.quality_due_at = max(router.quality_due_at, now - router.interval_s) + QUALITY_S
            yield from self._report_quality(router)

    def _report_quality(self, router: Router) -> Iterator[None]:
        scores = {}
        for transport in list(router.transports.values()):
            if transport.connected and not transport.closed:
                feedback = self._tick.feedback[transport]
                scores[transport.id] = feedback.quality.take(transport, feedback.rtt_s)
                yield
        if scores:
            self._emit(Quality(router.id, scores))


def _layered(transport: Transport) -> list[UpTrack]:
    """Tracks of several layers."""
    return [track for track in transport.publishing.tracks.values() if len(track.layers) > 1]


def _stopped(track: UpTrack) -> bool:
    """Whether a layer of it has come to a stop since the last time."""
    stopped = [layer.stopped() for layer in reversed(track.layers)]  # all of them: it takes note
    return any(stopped)
