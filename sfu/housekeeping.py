"""What happens by the clock and not by the packet: feedback, reports, layer liveness, speakers, quality, dead peers.

Nothing here looks at all transports or all routers at once. What is urgent comes from the packets that made it so: a
gap or a subscriber who waits rings the transport's bell. Visits for the rest go round in turns.
"""

from collections.abc import Callable
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
"""Between rounds: how late NACKs, key frame requests and transport-wide feedback may be."""
SLOTS = 20
SLOT_S = 0.01
"""Each transport is visited once in SLOTS slots, so that a large room does not stall the loop at once."""
CATCH_UP = 2
"""Slots visited at most in one round; after a long one the rest has its turn later."""
LOOKS = 5
"""In one visit of so many a transport is looked at for what takes seconds anyway."""
ROUTERS = 16
ROUTER_ROUNDS = 20
"""Routers visited at most in one round: so many, or one in ROUTER_ROUNDS of all. Those made at once so come apart."""
QUALITY_S = 5.0
_ROUNDING_S = 1e-6


class Housekeeping:
    """Driven by the engine's timer."""

    def __init__(
        self, tick: Tick, outbox: Outbox, acknowledgements: Acknowledgements, emit: Callable[[Event], None]
    ) -> None:
        self._tick = tick
        self._outbox = outbox
        self._acknowledgements = acknowledgements
        self._emit = emit
        self._transports: dict[TransportId, Transport] = {}
        self._slots: list[dict[TransportId, tuple[Transport, Feedback]]] = [{} for _ in range(SLOTS)]
        self._visited = 0
        """Slots so far."""
        self._slot_at = 0.0
        self._ringing: list[Transport] = []
        """Whose bell was rung since the last round."""
        self._to_ask: Wheel[Transport] = Wheel(URGENT_S)
        self._failed: set[TransportId] = set()
        self._routers: dict[RouterId, Router] = {}
        self._visits: list[tuple[float, int, Router]] = []
        """When each router is due; a heap."""
        self._visit_numbers = count()

    def add_router(self, router: Router) -> None:
        self._routers[router.id] = router
        heappush(self._visits, (0.0, next(self._visit_numbers), router))

    def remove_router(self, router: Router) -> None:
        del self._routers[router.id]

    def add(self, transport: Transport) -> None:
        """Look after a transport from now on."""
        self._transports[transport.id] = transport
        self._slots[transport.row % SLOTS][transport.id] = transport, self._tick.feedback[transport]
        transport.ingress.attention.listen(partial(self._ringing.append, transport))

    def remove(self, transport: Transport) -> None:
        del self._transports[transport.id]
        del self._slots[transport.row % SLOTS][transport.id]
        self._to_ask.discard(transport)
        self._failed.discard(transport.id)

    def run(self, now: float, unix_now: float) -> None:
        """Do what is due and send the RTCP of it; the caller sends media afterwards."""
        try:
            self._round(now, unix_now)
        finally:
            self._outbox.flush()

    def _round(self, now: float, unix_now: float) -> None:
        self._announce_layers()
        self._acknowledgements.turn(now)
        self._ask(now)
        while now - self._slot_at > SLOT_S - _ROUNDING_S:
            self._slot_at = max(self._slot_at + SLOT_S, now - (CATCH_UP - 1) * SLOT_S)
            self._run_slot(now, unix_now)
            self._visited += 1
        for _ in range(max(ROUTERS, len(self._visits) // ROUTER_ROUNDS)):
            if not self._visits or self._visits[0][0] > now:
                break
            router = heappop(self._visits)[2]
            if self._routers.get(router.id) is router:
                heappush(self._visits, (now + router.interval_s, next(self._visit_numbers), router))
                self._visit(router, now)

    def _ask(self, now: float) -> None:
        """Ask for packets and key frames where something is missing."""
        ringing = [transport for transport in self._ringing if not transport.closed]
        self._ringing.clear()
        for transport in ringing:
            self._to_ask.discard(transport)
        overloaded = self._tick.overload.level > 0
        for transport in ringing + self._to_ask.take(now):
            again_at = self._tick.feedback[transport].ask(now, overloaded=overloaded)
            if again_at != inf:
                self._to_ask.put(transport, again_at)

    def _announce_layers(self) -> None:
        layers, self._tick.started_layers = self._tick.started_layers, []
        for layer in dict.fromkeys(layers):
            self._emit(LayerStarted(layer.track.track_id, layer.info))
            self._retarget(layer.track)

    def _run_slot(self, now: float, unix_now: float) -> None:
        """Visit one slot's transports: each has its turn five times a second, and once a second a closer look."""
        cycle, slot = divmod(self._visited, SLOTS)
        for transport, feedback in list(self._slots[slot].values()):
            if transport.connected:
                feedback.report(now, unix_now)
            for track in list(transport.publishing.tracks.values()):
                if len(track.layers) > 1:
                    self._check_layers(track)
            if (transport.row // SLOTS - cycle) % LOOKS == 0:
                self._look(transport, now)

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

    def _check_layers(self, track: UpTrack) -> None:
        stopped = [layer.stopped() for layer in reversed(track.layers)]
        if any(stopped):
            self._retarget(track)

    def _retarget(self, track: UpTrack) -> None:
        for transport_id, down in list(track.down_tracks.items()):
            transport = self._transports.get(transport_id)
            if transport is not None:
                transport.subscribing.retarget(down)

    def _visit(self, router: Router, now: float) -> None:
        if router.speakers.update(router.levels(now), now):
            self._emit(Speakers(router.id, router.speakers.speaking))
        if router.quality_due_at is None:
            router.quality_due_at = now + QUALITY_S
        elif now >= router.quality_due_at:
            router.quality_due_at = max(router.quality_due_at, now - router.interval_s) + QUALITY_S
            self._report_quality(router)

    def _report_quality(self, router: Router) -> None:
        scores = {}
        for transport in router.transports.values():
            if transport.connected:
                feedback = self._tick.feedback[transport]
                scores[transport.id] = feedback.quality.take(transport, feedback.rtt_s)
        if scores:
            self._emit(Quality(router.id, scores))
