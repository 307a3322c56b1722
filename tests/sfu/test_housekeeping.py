"""What the clock brings: to whom, how often, and at what cost when there are many."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from types import SimpleNamespace
from typing import Any, cast

import pytest
import pytest_asyncio

from hubbub.testing.netem import Conditions
from sfu import control
from sfu.control import Event, RouterId, TrackId, TransportId
from sfu.forwarding.shedding import Shedder
from sfu.housekeeping import QUALITY_S, ROUTER_SLOTS, SLOT_S, SLOTS, URGENT_S, Housekeeping
from sfu.net.outbox import Outbox
from sfu.net.peers import PeerTable
from sfu.overload import Overload
from sfu.peer.transport import Transport
from sfu.router import Router
from sfu.streams.acknowledgements import Acknowledgements
from sfu.streams.attention import Attention
from sfu.streams.speakers import SpeechSettings
from sfu.tick import Tick
from tests.harness.lab import Lab
from tests.harness.rtp_source import AudioSource, StreamConfig, simulcast

CYCLE_S = SLOTS * SLOT_S


@dataclass(eq=False)
class Peer:
    """As much of a transport as is looked at."""

    row: int
    reason: str = ""
    connected: bool = True
    closed: bool = False
    ingress: Any = field(default_factory=lambda: SimpleNamespace(levels={}, attention=Attention()))
    publishing: Any = field(default_factory=lambda: SimpleNamespace(tracks={}))
    looks: list[float] = field(default_factory=list)

    @property
    def id(self) -> TransportId:
        return TransportId(f"PC_{self.row}")

    def failed(self, now: float) -> str:
        self.looks.append(now)
        return self.reason


class Feedback:
    """Counts what is asked of it."""

    def __init__(self, score: float = 100.0) -> None:
        self.reports: list[float] = []
        self.calls: list[float] = []
        """When it was attended to."""
        self.again_s = inf
        """After so long it wants that again."""
        self.rtt_s = 0.0
        self.quality = SimpleNamespace(take=lambda transport, rtt_s: score)

    def report(self, now: float, unix_now: float) -> None:
        self.reports.append(now)

    def attend(self, now: float, unix_now: float, *, overloaded: bool) -> float:
        self.calls.append(now)
        self.overloaded = overloaded
        return now + self.again_s


class Clockwork:
    """Housekeeping over peers that only count."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.feedback: dict[Peer, Feedback] = {}
        self.overload = Overload()
        self.tick = SimpleNamespace(
            feedback=self.feedback,
            started_layers=[],
            overload=self.overload,
            shedder=Shedder(self.overload),
        )
        outbox = Outbox(PeerTable(), [], batch=False)
        self.turns: list[float] = []
        """When feedback on arrivals had one."""
        self.turner = SimpleNamespace(turn=self.turns.append, due_at=inf)
        self.hastened = 0
        self.housekeeping = Housekeeping(
            cast(Tick, self.tick),
            outbox,
            cast(Acknowledgements, self.turner),
            self.events.append,
            self._hasten,
        )
        self.now = 1000.0
        self.run(URGENT_S)
        self.turns.clear()

    def add(self, row: int, router: Router | None = None, **fields: Any) -> Peer:
        peer = Peer(row, **fields)
        self.feedback[peer] = Feedback(score=row)
        self.housekeeping.add(cast(Transport, peer))
        if router is not None:
            router.transports[peer.id] = cast(Transport, peer)
        return peer

    def add_router(self, name: str) -> Router:
        router = Router(RouterId(name), SpeechSettings())
        self.housekeeping.add_router(router)
        return router

    def run(self, duration_s: float) -> None:
        until = self.now + duration_s
        while self.now < until:
            self.now += URGENT_S
            self.housekeeping.run(self.now, self.now)

    def _hasten(self) -> None:
        self.hastened += 1

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def clockwork() -> Clockwork:
    return Clockwork()


@pytest_asyncio.fixture
async def lab() -> AsyncIterator[Lab]:
    made = Lab(seed=2)
    yield made
    made.close()


# --- taking turns ---


def test_every_transport_has_its_turn_once_a_second(clockwork: Clockwork) -> None:
    peers = [clockwork.add(row) for row in range(50)]
    clockwork.run(10.0)
    for peer in peers:
        times = clockwork.feedback[peer].reports
        assert times == peer.looks
        assert 9 <= len(times) <= 11
        assert all(abs(later - one - 1.0) < 2 * URGENT_S for one, later in pairwise(times))


def test_turns_are_spread(clockwork: Clockwork) -> None:
    peers = [clockwork.add(row) for row in range(1000)]
    clockwork.run(5 * CYCLE_S)
    visits = Counter(at for peer in peers for at in clockwork.feedback[peer].reports)
    assert sum(visits.values()) >= 4500
    assert set(visits.values()) == {1000 / SLOTS}


def test_after_a_stall_few_have_a_turn_and_nobody_two(clockwork: Clockwork) -> None:
    peers = [clockwork.add(row) for row in range(SLOTS)]
    clockwork.run(1.0)
    clockwork.now += 60.0
    stalled_until = clockwork.now
    clockwork.run(4 * URGENT_S)
    turns = [at for peer in peers for at in clockwork.feedback[peer].reports if at > stalled_until]
    assert 1 <= len(turns) <= 2
    assert len(set(turns)) == len(turns)


def test_what_is_not_connected_has_no_reports(clockwork: Clockwork) -> None:
    peer = clockwork.add(1, connected=False)
    clockwork.run(1.0)
    assert peer.looks
    assert clockwork.feedback[peer].reports == []


def test_who_has_gone_has_no_turn(clockwork: Clockwork) -> None:
    peer = clockwork.add(1)
    clockwork.housekeeping.remove(cast(Transport, peer))
    clockwork.run(1.0)
    assert peer.looks == []


# --- step by step ---


def test_a_round_goes_on_where_it_was_interrupted(clockwork: Clockwork) -> None:
    """However short the time, all have their turn, nobody has two of one round, and no round is begun in another."""
    clockwork.run(SLOT_S - URGENT_S)
    slot = (clockwork.housekeeping._slot + 1) % SLOTS
    peers = [clockwork.add(slot + number * SLOTS) for number in range(10)]
    ringing = [clockwork.add(slot + number * SLOTS) for number in range(100, 110)]
    for peer in ringing:
        peer.ingress.attention.ring()
    clockwork.add_router("RM")
    now, calls = clockwork.now, 0
    all_done = False
    while not all_done:
        now += URGENT_S
        all_done = clockwork.housekeeping.run(now, now, lambda: True)
        calls += 1
        assert sum(len(clockwork.feedback[peer].calls) for peer in ringing) == min(calls, 10)
    assert calls > 20
    reports = [len(clockwork.feedback[peer].reports) for peer in peers]
    assert set(reports) <= {0, 1}
    times = [at for peer in ringing for at in clockwork.feedback[peer].calls]
    assert times == sorted(set(times)), "each by the time of its own step"
    clockwork.now = now
    clockwork.run(2 * CYCLE_S)
    assert all(clockwork.feedback[peer].reports for peer in peers)


def test_who_goes_in_the_middle_of_a_round_is_left_alone(clockwork: Clockwork) -> None:
    router = clockwork.add_router("RM")
    peers = [clockwork.add(row, router, reason="ICE: silent") for row in range(200)]
    clockwork.run(QUALITY_S - 2 * CYCLE_S)
    reports = {peer.row: len(clockwork.feedback[peer].reports) for peer in peers}
    for peer in peers:
        peer.ingress.attention.ring()
    clockwork.housekeeping.run(clockwork.now + URGENT_S, 0.0, lambda: True)
    asked = [peer for peer in peers if clockwork.feedback[peer].calls]
    assert len(asked) == 1
    for peer in peers:
        peer.closed = True
        clockwork.housekeeping.remove(cast(Transport, peer))
        del clockwork.feedback[peer]
    clockwork.run(2 * QUALITY_S)
    assert sum(reports.values()) > 0


def test_a_fault_ends_a_round_and_no_more(clockwork: Clockwork, monkeypatch: pytest.MonkeyPatch) -> None:
    peer = clockwork.add(1)
    clockwork.run(CYCLE_S)
    with monkeypatch.context() as patch:
        patch.setattr(clockwork.feedback[peer], "report", None)
        with pytest.raises(TypeError):
            clockwork.run(2 * CYCLE_S)
    before = len(clockwork.feedback[peer].reports)
    clockwork.run(5 * CYCLE_S)
    assert len(clockwork.feedback[peer].reports) >= before + 4


def test_a_fault_leaves_those_who_ring_to_the_next_round(
    clockwork: Clockwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    peers = [clockwork.add(row) for row in range(3)]
    for peer in peers:
        peer.ingress.attention.ring()
    with monkeypatch.context() as patch:
        patch.setattr(clockwork.feedback[peers[0]], "attend", None)
        with pytest.raises(TypeError):
            clockwork.run(URGENT_S)
    clockwork.run(URGENT_S)
    assert [len(clockwork.feedback[peer].calls) for peer in peers] == [0, 1, 1]


# --- when there is something to do ---


def test_a_round_is_due_for_the_next_slot_or_turn_and_when_somebody_rings(clockwork: Clockwork) -> None:
    housekeeping, peer = clockwork.housekeeping, clockwork.add(1)
    clockwork.run(1.0)
    assert clockwork.now < housekeeping.due_at <= clockwork.now + SLOT_S
    clockwork.turner.due_at = clockwork.now + URGENT_S / 2
    assert housekeeping.due_at == clockwork.turner.due_at
    assert clockwork.hastened == 0
    peer.ingress.attention.ring()
    assert clockwork.hastened == 1
    assert housekeeping.due_at == clockwork.now
    clockwork.feedback[peer].again_s = 0.02
    clockwork.turner.due_at = inf
    clockwork.run(SLOT_S)
    assert housekeeping.due_at <= clockwork.now + 0.02 + URGENT_S
    clockwork.overload.level = 1
    assert not clockwork.tick.shedder.idle
    assert housekeeping.due_at == clockwork.now


# --- what is urgent ---


@pytest.mark.parametrize(("layers", "looks"), [(1, 0), (3, 5)])
def test_layers_are_looked_at_five_times_a_second_where_there_are_several(
    clockwork: Clockwork, layers: int, looks: int
) -> None:
    looked: list[float] = []
    layer = SimpleNamespace(stopped=lambda: looked.append(clockwork.now), renditions=[])
    peer = clockwork.add(1)
    peer.publishing.tracks["TR"] = SimpleNamespace(layers=[layer] * layers, down_tracks={})
    peer.ingress.attention.ring()
    clockwork.run(10.0)
    assert len(looked) == pytest.approx(10 * looks * layers, rel=0.05)


def test_who_rings_is_asked_in_the_next_round_and_again_when_due(clockwork: Clockwork) -> None:
    peer, quiet = clockwork.add(1), clockwork.add(2)
    feedback = clockwork.feedback[peer]
    clockwork.run(0.1)
    assert feedback.calls == []
    peer.ingress.attention.ring()
    peer.ingress.attention.ring()
    clockwork.run(1.0)
    assert len(feedback.calls) == 1
    peer.ingress.attention.lower()
    feedback.again_s = 0.1
    peer.ingress.attention.ring()
    clockwork.run(1.0 + URGENT_S)
    assert 9 <= len(feedback.calls) - 1 <= 11
    assert clockwork.feedback[quiet].calls == []


def test_who_is_asked_is_told_of_overload(clockwork: Clockwork) -> None:
    peer = clockwork.add(1)
    peer.ingress.attention.ring()
    clockwork.run(0.1)
    assert not clockwork.feedback[peer].overloaded
    clockwork.overload.level = 1
    peer.ingress.attention.lower()
    peer.ingress.attention.ring()
    clockwork.run(0.1)
    assert clockwork.feedback[peer].overloaded


def test_who_rings_while_it_waits_to_be_asked_again_is_asked_at_once(clockwork: Clockwork) -> None:
    peer = clockwork.add(1)
    feedback = clockwork.feedback[peer]
    feedback.again_s = 0.4
    peer.ingress.attention.ring()
    clockwork.run(0.1)
    peer.ingress.attention.lower()
    peer.ingress.attention.ring()
    clockwork.run(URGENT_S)
    assert len(feedback.calls) == 2
    clockwork.run(0.35)
    assert len(feedback.calls) == 2, "the wait begins anew"
    clockwork.run(0.1)
    assert len(feedback.calls) == 3


def test_feedback_on_arrivals_has_its_turns(clockwork: Clockwork) -> None:
    clockwork.run(1.0 - URGENT_S / 2)
    assert len(clockwork.turns) == 100


def test_who_has_gone_is_asked_for_nothing(clockwork: Clockwork) -> None:
    peer = clockwork.add(1)
    feedback = clockwork.feedback[peer]
    feedback.again_s = 0.05
    peer.ingress.attention.ring()
    clockwork.run(0.1)
    peer.ingress.attention.lower()
    peer.ingress.attention.ring()
    calls = len(feedback.calls)
    assert calls
    peer.closed = True
    clockwork.housekeeping.remove(cast(Transport, peer))
    clockwork.run(1.0)
    assert len(feedback.calls) == calls


# --- dead peers ---


def test_a_failure_is_told_once(clockwork: Clockwork) -> None:
    peer = clockwork.add(1, reason="ICE: silent")
    other = clockwork.add(2)
    clockwork.run(3.0)
    assert clockwork.of(control.TransportFailed) == [control.TransportFailed(peer.id, "ICE: silent")]
    peer.reason = ""
    clockwork.run(1.0)
    peer.reason = "ICE: silent again"
    clockwork.run(1.0)
    assert [event.reason for event in clockwork.of(control.TransportFailed)] == [
        "ICE: silent",
        "ICE: silent again",
    ]
    for one in (peer, other):
        clockwork.housekeeping.remove(cast(Transport, one))
    again = clockwork.add(1, reason="another of this name")
    clockwork.run(1.0)
    assert clockwork.of(control.TransportFailed)[-1] == control.TransportFailed(
        again.id, "another of this name"
    )


# --- routers ---


class Voices(Router):
    """A router with one speaker of a given level."""

    def __init__(self, name: str) -> None:
        super().__init__(RouterId(name), SpeechSettings())
        self.level = 0.0
        self.looks: list[float] = []

    def levels(self, now: float) -> Iterator[tuple[TrackId, float]]:
        self.looks.append(now)
        yield TrackId("TR"), self.level


def test_speakers_are_looked_for_at_the_interval(clockwork: Clockwork) -> None:
    router = Voices("RM")
    clockwork.housekeeping.add_router(router)
    clockwork.run(4.0)
    gaps = [later - one for one, later in pairwise(router.looks)]
    assert gaps
    assert all(abs(gap - 0.4) < 2 * URGENT_S for gap in gaps)
    assert clockwork.of(control.Speakers) == []
    router.level = 0.9
    clockwork.run(2.0)
    router.level = 0.0
    clockwork.run(2.0)
    assert [event.levels for event in clockwork.of(control.Speakers)] == [{"TR": 1.0}, {}]


def test_a_router_that_is_gone_is_forgotten(clockwork: Clockwork) -> None:
    router = Voices("RM")
    clockwork.housekeeping.add_router(router)
    clockwork.run(1.0)
    looks = len(router.looks)
    clockwork.housekeeping.remove_router(router)
    again = Voices("RM")
    clockwork.housekeeping.add_router(again)
    clockwork.run(1.0)
    assert len(router.looks) == looks
    assert again.looks
    clockwork.housekeeping.remove_router(again)
    clockwork.run(1.0)
    assert clockwork.housekeeping._visits == []


def test_quality_is_told_every_five_seconds(clockwork: Clockwork) -> None:
    full, empty = clockwork.add_router("RM_full"), clockwork.add_router("RM_empty")
    peers = [clockwork.add(row, full) for row in (80, 90)]
    clockwork.add(70, full, connected=False)
    assert empty.transports == {}
    clockwork.run(QUALITY_S + 0.5)
    scores = {peer.id: float(peer.row) for peer in peers}
    assert clockwork.of(control.Quality) == [control.Quality(full.id, scores)]
    clockwork.run(2 * QUALITY_S)
    assert len(clockwork.of(control.Quality)) == 3


def test_a_thousand_idle_routers_cost_little(clockwork: Clockwork) -> None:
    """None is looked at before it is due, so that the cost of a round does not grow with what is idle."""
    routers = [Voices(f"RM_{number}") for number in range(1000)]
    for number, router in enumerate(routers):
        clockwork.housekeeping.add_router(router)
        if number % 100 == 99:
            clockwork.run(URGENT_S)
    clockwork.run(4.0)
    looks = Counter(look for router in routers for look in router.looks)
    assert sum(looks.values()) <= 1000 * 12
    assert max(looks.values()) <= 200


def test_routers_made_at_once_are_not_visited_at_once(clockwork: Clockwork) -> None:
    routers = [Voices(f"RM_{number}") for number in range(400)]
    for router in routers:
        clockwork.housekeeping.add_router(router)
    clockwork.run(4.0)
    looks = Counter(look for router in routers for look in router.looks)
    assert max(looks.values()) == 400 / ROUTER_SLOTS
    assert all(8 <= len(router.looks) <= 11 for router in routers)


# --- in an engine ---


async def test_a_layer_that_comes_alive_is_told_and_taken(lab: Lab) -> None:
    alice, bob = lab.join("alice"), lab.join("bob")
    alice.publish("TR_camera", simulcast())
    alice.negotiate()
    bob.watch("TR_camera")
    lab.run(3.0)
    started = [event.layer.rid for event in lab.events if isinstance(event, control.LayerStarted)]
    assert sorted(started) == ["f", "h", "q"]
    down = lab.engine.transports[bob.peer.id].subscribing.down_tracks[TrackId("TR_camera")]
    assert down.rendition is not None
    assert down.rendition.layer.rid == "f"


async def test_a_layer_that_starts_again_and_again_is_told_once_a_round(lab: Lab) -> None:
    """A client may change its SSRC with every packet; each change would have all subscribers looked at."""
    alice = lab.join("alice")
    alice.publish("TR_camera", simulcast(rids=("f",)))
    alice.negotiate()
    lab.run(0.2)
    lab.events.clear()
    (layer,) = lab.engine.context.tracks[TrackId("TR_camera")].layers
    lab.engine.tick.started_layers += [layer] * 1000
    lab.engine._housekeeping.run(lab.now, lab.unix_now)
    assert lab.events == [control.LayerStarted(TrackId("TR_camera"), layer.info)]


async def test_publishers_hear_what_was_received_and_subscribers_what_was_sent(lab: Lab) -> None:
    alice, bob = lab.join("alice", up=Conditions(loss=0.05)), lab.join("bob")
    alice.publish("TR_voice", AudioSource(StreamConfig(0x77, 111, 48_000, mid="0")))
    alice.negotiate()
    bob.watch("TR_voice")
    lab.run(5.0)
    assert any(block.ssrc == 0x77 and block.cumulative_lost > 0 for block in alice.receiver_reports)
    assert alice.transport_feedback
    reports = [report for _, report in bob.sender_reports]
    assert {report.ssrc for report in reports} == {stream.ssrc for stream in bob.peer.received.values()}
    assert reports[-1].packet_count > reports[0].packet_count > 0


async def test_quality_reaches_those_above(lab: Lab) -> None:
    alice = lab.join("alice")
    alice.publish("TR_voice", AudioSource(StreamConfig(0x77, 111, 48_000, mid="0")))
    alice.negotiate()
    lab.run(QUALITY_S + 1.0)
    (quality,) = [event for event in lab.events if isinstance(event, control.Quality)]
    assert quality.scores == {alice.peer.id: pytest.approx(100, abs=5)}
