"""Feedback on arrivals of many transports: to whom, when, and the same by either way."""

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.compiled.feedback import MAX_ARRIVALS
from sfu.compiled.intake import BLOCK
from sfu.net.outbox import Outbox
from sfu.net.peers import PeerTable
from sfu.rtp.twcc import parse_feedback
from sfu.streams import acknowledgements
from sfu.streams.acknowledgements import (
    CATCH_UP,
    FEW,
    MOST,
    PHASE_S,
    PHASES,
    SLOW_INTERVAL_S,
    Acknowledgements,
)
from sfu.streams.feedback import LIMIT, MAX_INTERVAL_S, MIN_INTERVAL_S

ORIGIN_US = 1_700_000_000_000_000
ONE_OF_EACH = [phase * BLOCK for phase in range(PHASES)]
"""A row of each phase."""


class Post:
    """Takes what is sent, as a peer in our own process does."""

    def __init__(self, row: int, feedback: list[tuple[int, bytes]]) -> None:
        self._row, self._feedback = row, feedback

    def rtp(self, packet: bytes) -> None:
        raise AssertionError

    def rtcp(self, packet: bytes) -> None:
        self._feedback.append((self._row, packet))


class Desk:
    """Acknowledgements on a clock that the test moves."""

    def __init__(self, rows: int) -> None:
        peers = PeerTable()
        self.sent: list[tuple[int, bytes]] = []
        self.outbox = Outbox(peers, [], batch=False)
        self.acknowledgements = Acknowledgements(self.outbox, capacity=1)
        self.now = 1000.0
        self._round()
        self.record = {row: self.open(row) for row in range(rows)}
        peers.taps = {row: Post(row, self.sent) for row in range(rows)}
        for _ in range(rows):
            peers.allocate()

    def open(self, row: int) -> Callable[[int, int], None]:
        arrivals = self.acknowledgements.open(row, 100 + row)
        self.acknowledgements.describe(row, 7 * row, video=True)
        return lambda seq16, arrival_us: arrivals.record(row << 16 | seq16, arrival_us)

    def turn(self) -> list[tuple[int, bytes]]:
        """One round of the engine; returns (row, packet)."""
        self.now += PHASE_S
        self._round()
        self.outbox.flush()
        sent, self.sent[:] = self.sent[:], []
        return sent

    def _round(self) -> None:
        while self.acknowledgements.turn(self.now):
            pass

    def turns(self, count: int = PHASES) -> list[tuple[int, bytes]]:
        return [packet for _ in range(count) for packet in self.turn()]

    @property
    def now_us(self) -> int:
        return ORIGIN_US + int(self.now * 1e6)


@pytest.fixture(params=["singly", "together"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Either way of doing it."""
    if request.param == "singly":
        monkeypatch.setattr(acknowledgements, "LONGEST", 0)


def arrived(packet: bytes) -> list[int]:
    return [number for number, at in parse_feedback(packet, ORIGIN_US) if at is not None]


# --- what is told ---


@pytest.mark.usefixtures("way")
def test_each_is_told_what_came_of_it() -> None:
    desk = Desk(3)
    for numbers in ((5, 6, 8), (9, 11)):
        for row in range(3):
            for number in numbers:
                desk.record[row](number + 10 * row, desk.now_us)
        sent = dict(desk.turns(2 * PHASES))
        for row in range(3):
            assert sent[row][4:12] == (100 + row).to_bytes(4, "big") + (7 * row).to_bytes(4, "big")
            assert arrived(sent[row]) == [number + 10 * row for number in numbers]


@pytest.mark.usefixtures("way")
def test_messages_are_counted() -> None:
    desk = Desk(1)
    counts = []
    for number in range(300):
        desk.record[0](number, desk.now_us)
        counts += [packet[19] for _, packet in desk.turns(2 * PHASES)]
    assert counts == [number % 256 for number in range(300)]


@pytest.mark.usefixtures("way")
def test_a_late_packet_repeats_what_was_told_after_it() -> None:
    desk = Desk(2)
    for number in (1, 2, 4, 5):
        desk.record[0](number, desk.now_us)
    desk.turns(PHASES)
    for number in (6, 7):
        desk.record[0](number, desk.now_us)
    desk.turns(2 * PHASES)
    desk.record[0](8, desk.now_us)
    desk.record[0](3, desk.now_us)
    ((_, packet),) = desk.turns(2 * PHASES)
    assert arrived(packet) == [3, 4, 5, 6, 7, 8]


@pytest.mark.usefixtures("way")
def test_who_has_the_row_of_somebody_who_left_begins_anew() -> None:
    desk = Desk(1)
    for number in (1, 2, 3):
        desk.record[0](number, desk.now_us)
    desk.turns()
    desk.record[0](4, desk.now_us)
    desk.acknowledgements.close(0)
    record = desk.open(0)
    record(2, desk.now_us)
    ((_, packet),) = desk.turns()
    assert arrived(packet) == [2], "neither what waited nor what was told is his"
    assert packet[19] == 0


def test_a_flood_of_one_is_cut() -> None:
    desk = Desk(6)
    for number in range(2 * LIMIT):
        desk.record[0](number, desk.now_us)
    desk.record[5](1, desk.now_us)
    told = Counter[int]()
    for row, packet in desk.turns():
        told[row] += len(arrived(packet))
    assert told == {0: LIMIT, 5: 1}


ROWS = 12
SCRIPT = st.lists(
    st.tuples(
        st.integers(0, ROWS - 1),
        st.one_of(st.just(1), st.just(1), st.integers(-5, 8), st.integers(-3000, 3000), st.just(0x8000)),
        st.integers(1, 30),
        st.one_of(st.integers(0, 3000), st.integers(0, 300_000)),
        st.booleans(),
    ),
    max_size=60,
)


@given(st.lists(st.integers(0, 0xFFFF), min_size=ROWS, max_size=ROWS), SCRIPT)
def test_many_together_are_told_what_each_would_be_alone(
    numbers: list[int], script: list[tuple[int, int, int, int, bool]]
) -> None:
    singly, together = Desk(ROWS), Desk(ROWS)
    at_us = singly.now_us
    told: list[list[tuple[int, bytes]]] = [[], []]
    for row, step, run, wait_us, turns in script:
        numbers[row] += step - 1
        for _ in range(run):
            numbers[row] += 1
            at_us += 150
            for desk in (singly, together):
                desk.record[row](numbers[row] & 0xFFFF, at_us)
        at_us += wait_us
        if turns:
            for desk, longest, said in zip((singly, together), (0, MAX_ARRIVALS), told, strict=True):
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(acknowledgements, "LONGEST", longest)
                    said += desk.turns(PHASES + 1)
    meanings = [
        sorted((row, packet[4:20], parse_feedback(packet, ORIGIN_US)) for row, packet in said)
        for said in told
    ]
    assert meanings[0] == meanings[1]


# --- when ---


def test_how_often() -> None:
    desk = Desk(3)
    desk.acknowledgements.describe(2, 7, video=False)
    at: dict[int, list[float]] = {0: [], 1: [], 2: []}
    for n in range(1000):
        for row, packets in ((0, 5), (1, 1), (2, 1)):
            for k in range(packets):
                desk.record[row](packets * n + k & 0xFFFF, desk.now_us)
        for row, _ in desk.turn():
            at[row].append(desk.now)
    for row, interval_s in enumerate((MIN_INTERVAL_S, MAX_INTERVAL_S, SLOW_INTERVAL_S)):
        gaps = {round(later - one, 3) for one, later in zip(at[row][1:], at[row][2:], strict=False)}
        assert gaps == {interval_s}, row


@pytest.mark.parametrize(("few", "turns"), [(0, PHASES), (PHASES * BLOCK, 1)])
def test_many_have_their_turns_one_after_the_other_and_few_at_once(
    monkeypatch: pytest.MonkeyPatch, few: int, turns: int
) -> None:
    monkeypatch.setattr(acknowledgements, "FEW", few)
    desk = Desk(len(ONE_OF_EACH) * BLOCK)
    at = set()
    for n in range(20 * PHASES):
        for row in ONE_OF_EACH:
            desk.record[row](n, desk.now_us)
        at.update(n % PHASES for _ in desk.turn())
    assert len(at) == turns


@pytest.mark.usefixtures("way")
def test_silence_is_not_told() -> None:
    desk = Desk(2)
    desk.record[0](1, desk.now_us)
    assert [row for row, _ in desk.turns()] == [0]
    assert desk.turns(100) == []


def test_long_rounds_stretch_no_interval() -> None:
    """A busy engine has its rounds less often."""
    desk = Desk(PHASES)
    told = Counter[int]()
    for n in range(100):
        for row in range(PHASES):
            for k in range(30):
                desk.record[row](30 * n + k & 0xFFFF, desk.now_us)
        desk.now += 0.015
        told.update(row for row, _ in desk.turn())
    assert all(count == pytest.approx(100 * 0.025 / MIN_INTERVAL_S, abs=2) for count in told.values())


def test_after_a_stall_each_is_told_once_but_not_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acknowledgements, "FEW", 0)
    desk = Desk(len(ONE_OF_EACH) * BLOCK)
    desk.turn()
    for row in ONE_OF_EACH:
        desk.record[row](1, desk.now_us)
    desk.now += 60.0
    first = desk.turn()
    assert len(first) <= CATCH_UP
    assert sorted(row for row, _ in first + desk.turns()) == ONE_OF_EACH


def test_no_turn_is_long_and_nobody_is_forgotten() -> None:
    rows = 8 * MOST
    assert rows > FEW
    desk = Desk(rows)
    desk.turn()
    told = Counter[int]()
    for n in range(40):
        for row in range(rows):
            desk.record[row](n, desk.now_us)
        for _ in range(PHASES):
            sent = desk.turn()
            assert len(sent) <= MOST
            told.update(row for row, _ in sent)
    assert len(told) == rows
    assert max(told.values()) - min(told.values()) <= 1
