"""Output numbers to sources and back (invariants 1 and 6 of the media plane)."""

from hypothesis import given
from hypothesis import strategies as st

from sfu.streams.sequence_map import NO_LAYER, SequenceMap


def test_one_stretch_maps_both_ways():
    numbers = SequenceMap()
    numbers.switch(1000, 500, 2)
    assert numbers.source_of(1000) == (2, 1500)
    assert numbers.source_of(1234) == (2, 1734)
    assert numbers.out_of(2, 1734) == 1234
    assert numbers.source_of(999) is None
    assert numbers.out_of(2, 1499) is None
    assert numbers.out_of(1, 1734) is None


def test_a_dropped_packet_leaves_no_hole():
    numbers = SequenceMap()
    numbers.switch(10, 0, 0)
    assert numbers.drop(13) == 1
    assert numbers.source_of(12) == (0, 12)
    assert numbers.source_of(13) == (0, 14)
    assert numbers.out_of(0, 13) is None
    assert numbers.out_of(0, 12) == 12
    assert numbers.out_of(0, 14) == 13


def test_a_run_of_drops_takes_one_stretch():
    numbers = SequenceMap()
    numbers.switch(10, 0, 0)
    for source in range(13, 20):
        numbers.drop(source)
    assert len(numbers) == 2
    assert numbers.source_of(13) == (0, 20)
    assert [numbers.out_of(0, source) for source in range(13, 20)] == [None] * 7


def test_a_drop_after_a_loss_keeps_the_hole_open():
    numbers = SequenceMap()
    numbers.switch(10, 0, 0)  # 10 and 11 forwarded, 12 and 13 lost, 14 filtered, 15 forwarded
    numbers.drop(14)
    assert numbers.out_of(0, 15) == 14
    assert [numbers.out_of(0, source) for source in (12, 13)] == [12, 13]


def test_after_a_switch_late_packets_of_the_old_layer_fill_only_their_holes():
    numbers = SequenceMap()
    numbers.switch(100, 0, 0)
    numbers.switch(110, 890, 1)
    assert numbers.out_of(0, 109) == 109
    assert numbers.out_of(0, 110) is None
    assert numbers.out_of(1, 1000) == 110
    assert numbers.out_of(1, 999) is None


def test_back_on_a_layer_what_passed_in_between_was_not_forwarded():
    numbers = SequenceMap()
    numbers.switch(100, 0, 0)
    numbers.switch(110, 890, 1)
    numbers.switch(120, 80, 0)
    assert numbers.out_of(0, 105) == 105
    assert numbers.out_of(0, 150) is None
    assert numbers.out_of(0, 200) == 120


def test_padding_has_no_source():
    numbers = SequenceMap()
    numbers.switch(100, 0, 0)
    numbers.switch(105, 0, NO_LAYER)
    numbers.switch(108, -3, 0)
    assert [numbers.source_of(out) for out in (104, 105, 107, 108)] == [(0, 104), None, None, (0, 105)]
    assert numbers.out_of(0, 105) == 108


def test_a_switch_before_anything_was_sent_replaces_the_last():
    numbers = SequenceMap()
    numbers.switch(100, 0, 0)
    numbers.switch(100, 7, 1)
    assert len(numbers) == 1
    assert numbers.source_of(100) == (1, 107)


def test_the_oldest_stretch_is_forgotten():
    numbers = SequenceMap(limit=4)
    for n in range(10):
        numbers.switch(n * 10, n, n % 2)
    assert len(numbers) == 4
    assert numbers.source_of(59) is None
    assert numbers.source_of(60) == (0, 66)
    assert numbers.out_of(0, 5) is None


class Track:
    """A down track reduced to its numbers: what it sent, and what it was sent from."""

    def __init__(self) -> None:
        self.map = SequenceMap(limit=10_000)
        self.layer = -2
        self.offset = 0
        self.last_out = 999
        self.highest: dict[int, int] = {}
        self.sent: dict[int, tuple[int, int]] = {}
        self.filtered: set[tuple[int, int]] = set()

    def forward(self, layer: int, source: int, keep: bool) -> None:
        late = source <= self.highest.get(layer, -1)
        self.highest[layer] = max(source, self.highest.get(layer, -1))
        if late or layer != self.layer:
            out = self.map.out_of(layer, source)
        elif keep:
            out = source - self.offset
            self.last_out = max(self.last_out, out)
        else:
            self.offset = self.map.drop(source)
            self.last_out = max(self.last_out, source - self.offset)
            self.filtered.add((layer, source))
            out = None
        if out is not None:
            assert out not in self.sent, "an output number used twice"
            self.sent[out] = (layer, source)

    def switch(self, layer: int, source: int) -> None:
        self.layer = layer
        self.offset = source - self.last_out - 1
        self.map.switch(self.last_out + 1, self.offset, layer)
        self.highest[layer] = source - 1


events = st.lists(
    st.tuples(
        st.sampled_from(["send", "send", "send", "send", "filter", "lose", "delay", "arrive", "switch"]),
        st.integers(0, 2),
    ),
    max_size=200,
)


class Script:
    """Plays random events to a Track; ``missing`` are the packets that it never saw."""

    def __init__(self) -> None:
        self.track = Track()
        self.nexts = [5_000, 70_000, 300]
        self.delayed: list[tuple[int, int]] = []
        self.lost: set[tuple[int, int]] = set()
        self.track.switch(0, self.nexts[0])

    @property
    def missing(self) -> set[tuple[int, int]]:
        return self.lost | set(self.delayed)

    def play(self, event: str, layer: int) -> None:
        if event == "arrive":
            if self.delayed:
                self.track.forward(*self.delayed.pop(layer % len(self.delayed)), keep=True)
            return
        if event == "switch" and layer == self.track.layer:
            return
        source = self.nexts[layer]
        self.nexts[layer] += 1
        if event == "lose":
            self.lost.add((layer, source))
        elif event == "delay":
            self.delayed.append((layer, source))
        else:
            if event == "switch":
                self.track.switch(layer, source)
            self.track.forward(layer, source, keep=event != "filter")


@given(events)
def test_every_hole_is_a_loss_and_every_number_finds_its_source(events: list[tuple[str, int]]):
    script = Script()
    for event, layer in events:
        script.play(event, layer)
    track = script.track
    for out in range(1000, track.last_out + 1):  # invariant 1
        found = track.map.source_of(out)
        assert found is not None
        if out in track.sent:
            assert found == track.sent[out]  # invariant 6: a NACK gets the packet that was sent
            assert track.map.out_of(*found) == out
        else:
            assert found in script.missing, "a hole that nobody can fill"
    for packet in track.filtered:
        assert track.map.out_of(*packet) is None
