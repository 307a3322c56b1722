"""Dependency descriptors, checked against a writer of their own."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.codecs import dependency_descriptor as dd
from sfu.codecs.dependency_descriptor import DecodeTarget, Structure, Template


class BitWriter:
    def __init__(self) -> None:
        self.bits = ""

    def put(self, value: int, count: int) -> None:
        self.bits += f"{value:0{count}b}" if count else ""

    def put_below(self, value: int, limit: int) -> None:
        width = limit.bit_length()
        short = (1 << width) - limit
        if value < short:
            self.put(value, width - 1)
        else:
            self.put(value + short, width)

    def get(self) -> bytes:
        padded = self.bits + "0" * (-len(self.bits) % 8)
        return int(padded, 2).to_bytes(len(padded) // 8, "big")


def put_structure(out: BitWriter, structure: Structure) -> None:
    out.put(structure.template_id_offset, 6)
    out.put(len(structure.targets) - 1, 5)
    templates = structure.templates
    for before, template in pairwise(templates):
        step = 2 if template.spatial > before.spatial else 1 if template.temporal > before.temporal else 0
        out.put(step, 2)
    out.put(3, 2)
    for template in templates:
        for dti in template.dtis:
            out.put(dti, 2)
    for template in templates:
        for diff in template.frame_diffs:
            out.put(0x10 | diff - 1, 5)
        out.put(0, 1)
    put_chains(out, structure)
    out.put(bool(structure.resolutions), 1)
    for width, height in structure.resolutions:
        out.put(width - 1, 16)
        out.put(height - 1, 16)


def put_chains(out: BitWriter, structure: Structure) -> None:
    out.put_below(structure.chain_count, len(structure.targets) + 1)
    if structure.chain_count:
        for target in structure.targets:
            out.put_below(target.chain, structure.chain_count)
        for template in structure.templates:
            for diff in template.chain_diffs:
                out.put(diff, 4)


def build(
    structure: Structure,
    template: int,
    *,
    attach: bool = False,
    active: int | None = None,
    dtis: tuple[int, ...] | None = None,
    frame_diffs: tuple[int, ...] | None = None,
    chain_diffs: tuple[int, ...] | None = None,
    frame_number: int = 0,
) -> bytes:
    """Write a descriptor of a whole frame that names a template by its index."""
    out = BitWriter()
    out.put(3, 2)
    out.put((template + structure.template_id_offset) % 64, 6)
    out.put(frame_number, 16)
    own = (active, dtis, frame_diffs, chain_diffs)
    if attach or any(value is not None for value in own):
        out.put(attach, 1)
        for value in own:
            out.put(value is not None, 1)
    if attach:
        put_structure(out, structure)
    if active is not None:
        out.put(active, len(structure.targets))
    for dti in dtis or ():
        out.put(dti, 2)
    if frame_diffs is not None:
        for diff in frame_diffs:
            size = 1 if diff <= 16 else 2 if diff <= 256 else 3
            out.put(size, 2)
            out.put(diff - 1, 4 * size)
        out.put(0, 2)
    for diff in chain_diffs or ():
        out.put(diff, 8)
    return out.get()


L1T1 = Structure(
    0,
    (Template(0, 0, (2,), (), (0,)), Template(0, 0, (2,), (1,), (1,))),
    (DecodeTarget(0, 0, 0),),
    1,
    ((640, 360),),
)


@st.composite
def structures(draw: st.DrawFn) -> Structure:
    layers = [(0, 0)]
    for step in draw(st.lists(st.sampled_from([0, 1, 2]), max_size=20)):
        spatial, temporal = layers[-1]
        layer = ((spatial, temporal), (spatial, temporal + 1), (spatial + 1, 0))[step]
        if layer[0] < dd.MAX_SPATIAL and layer[1] < dd.MAX_TEMPORAL:
            layers.append(layer)
    target_count = draw(st.integers(1, 32))
    chain_count = draw(st.integers(0, target_count))
    templates = tuple(
        Template(
            spatial,
            temporal,
            tuple(draw(st.integers(0, 3)) for _ in range(target_count)),
            tuple(draw(st.lists(st.integers(1, 16), max_size=4))),
            tuple(draw(st.integers(0, 15)) for _ in range(chain_count)),
        )
        for spatial, temporal in layers
    )
    targets = []
    for number in range(target_count):
        present = [template for template in templates if template.dtis[number]]
        targets.append(
            DecodeTarget(
                max((template.spatial for template in present), default=0),
                max((template.temporal for template in present), default=0),
                draw(st.integers(0, chain_count - 1)) if chain_count else -1,
            )
        )
    sizes = st.tuples(st.integers(1, 65536), st.integers(1, 65536))
    count = draw(st.sampled_from([0, layers[-1][0] + 1]))
    return Structure(
        draw(st.integers(0, 63)),
        templates,
        tuple(targets),
        chain_count,
        tuple(draw(sizes) for _ in range(count)),
    )


@given(structures(), st.data())
def test_round_trip_with_the_structure_attached(structure: Structure, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(structure.templates) - 1))
    parsed = dd.parse(memoryview(build(structure, index, attach=True, frame_number=77)), None)
    everything = (1 << len(structure.targets)) - 1
    assert parsed == dd.Descriptor(True, True, 77, structure, True, everything, structure.templates[index])


@given(structures(), st.data())
def test_round_trip_with_a_kept_structure(structure: Structure, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(structure.templates) - 1))
    number = data.draw(st.integers(0, 0xFFFF))
    targets = len(structure.targets)
    own = {
        "active": data.draw(st.none() | st.integers(0, (1 << targets) - 1)),
        "dtis": data.draw(st.none() | st.tuples(*[st.integers(0, 3)] * targets)),
        "frame_diffs": data.draw(st.none() | st.lists(st.integers(1, 4096), max_size=8).map(tuple)),
        "chain_diffs": data.draw(st.none() | st.tuples(*[st.integers(0, 255)] * structure.chain_count)),
    }
    parsed = dd.parse(build(structure, index, frame_number=number, **own), structure)
    assert parsed is not None
    assert (parsed.frame_number, parsed.attached, parsed.active_targets) == (number, False, own["active"])
    template = structure.templates[index]
    for name in ("dtis", "frame_diffs", "chain_diffs"):
        assert getattr(parsed.frame, name) == (getattr(template, name) if own[name] is None else own[name])


def test_mandatory_fields_need_no_structure() -> None:
    assert dd.peek(memoryview(b"\x85\x12\x34")) == dd.Mandatory(True, False, 5, 0x1234, False)
    assert dd.peek(b"\x45\x12\x34\x80") == dd.Mandatory(False, True, 5, 0x1234, True)
    assert dd.peek(b"\x45\x12\x34\x7f") == dd.Mandatory(False, True, 5, 0x1234, False)
    assert dd.peek(b"\x85\x12") is None


def test_nothing_more_can_be_read_before_the_first_structure() -> None:
    assert dd.parse(build(L1T1, 1), None) is None
    assert dd.parse(build(L1T1, 1), L1T1) is not None


def test_a_template_outside_the_structure_is_none() -> None:
    for template in range(2, 64):
        assert dd.parse(build(L1T1, template), L1T1) is None


@given(structures())
def test_cut_at_every_byte_is_none_or_short_of_padding(structure: Structure) -> None:
    whole = build(structure, 0, attach=True, dtis=(1,) * len(structure.targets), frame_diffs=(300,))
    for cut in range(len(whole)):
        assert dd.parse(whole[:cut], None) is None


@pytest.mark.parametrize(
    "steps",
    [[2] * dd.MAX_SPATIAL, [1] * dd.MAX_TEMPORAL, [0] * dd.MAX_TEMPLATES],
    ids=["spatial", "temporal", "templates"],
)
def test_layers_beyond_their_bounds_are_none(steps: list[int]) -> None:
    for used, accepted in ((steps[:-1], True), (steps, False)):
        out = BitWriter()
        out.put(0xC00000, 24)
        out.put(0b10000, 5)
        out.put(0, 11)
        for step in used:
            out.put(step, 2)
        out.put(3, 2)
        out.put(0, 8 * 200)
        assert (dd.parse(out.get(), None) is not None) == accepted


@given(st.binary(max_size=255), st.booleans())
def test_any_bytes_are_read_or_none(data: bytes, known: bool) -> None:
    parsed = dd.parse(data, L1T1 if known else None)
    if parsed is not None:
        assert len(parsed.frame.dtis) == len(parsed.structure.targets) <= 32
        assert len(parsed.structure.templates) <= dd.MAX_TEMPLATES
