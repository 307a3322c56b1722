"""The dependency descriptor: how a frame hangs together with others, told in a header extension.

Layers can so be chosen without a look at the payload, for any codec, encrypted or not. Key frames carry a
structure of templates; later frames name one of them and tell where they differ. Nothing but the first three
bytes can be read before the first structure. Source: RTP Payload Format For AV1, appendix A.
"""

from enum import IntEnum
from typing import Final, NamedTuple

from sfu.codecs.bits import BitReader, OutOfBits

MANDATORY_LENGTH: Final = 3
MAX_TEMPLATES: Final = 64
MAX_SPATIAL: Final = 4
MAX_TEMPORAL: Final = 8


class Dti(IntEnum):
    """Decode target indication: what a frame is to a decode target."""

    NOT_PRESENT = 0
    DISCARDABLE = 1
    """Nothing of the target refers to it."""
    SWITCH = 2
    """The target can be decoded from this frame on."""
    REQUIRED = 3


class Mandatory(NamedTuple):
    """What every descriptor has."""

    frame_start: bool
    frame_end: bool
    template_id: int
    frame_number: int
    """16 bits, wraps."""
    has_structure: bool
    """A structure follows: on a frame's first packet this marks a key frame."""


class Template(NamedTuple):
    """Dependencies as many frames have them."""

    spatial: int
    temporal: int
    dtis: tuple[int, ...]
    """``Dti`` by decode target."""
    frame_diffs: tuple[int, ...]
    """How many frame numbers before this one the frames referred to are."""
    chain_diffs: tuple[int, ...]
    """By chain: how far back its last frame is; 0 for none."""


class DecodeTarget(NamedTuple):
    """A subset of frames that makes a decodable stream."""

    spatial: int
    """Highest spatial layer among its frames."""
    temporal: int
    chain: int
    """The chain whose frames must all arrive; -1 without chains."""


class Structure(NamedTuple):
    """What a key frame lays down for the frames until the next structure."""

    template_id_offset: int
    templates: tuple[Template, ...]
    targets: tuple[DecodeTarget, ...]
    chain_count: int
    resolutions: tuple[tuple[int, int], ...]
    """Width and height by spatial layer; empty if not told."""


class Descriptor(NamedTuple):
    """A frame's dependencies, worked out with its structure."""

    frame_start: bool
    frame_end: bool
    frame_number: int
    structure: Structure
    """To be kept, for parsing what follows."""
    attached: bool
    """The structure is new and came with this packet."""
    active_targets: int | None
    """Bit mask of the decode targets still sent, target 0 lowest; ``None`` if unchanged."""
    frame: Template
    """The named template, with the frame's own values in place."""


def peek(data: memoryview | bytes) -> Mandatory | None:
    """Read what needs no structure; ``None`` if truncated."""
    if len(data) < MANDATORY_LENGTH:
        return None
    first = data[0]
    return Mandatory(
        first & 0x80 != 0,
        first & 0x40 != 0,
        first & 0x3F,
        data[1] << 8 | data[2],
        len(data) > MANDATORY_LENGTH and data[3] & 0x80 != 0,
    )


def parse(data: memoryview | bytes, structure: Structure | None) -> Descriptor | None:
    """Read a whole descriptor.

    Args:
        data: value of the header extension.
        structure: the one last attached on this stream, ``None`` before the first.

    Returns:
        ``None`` if it is malformed, or names a template that its structure doesn't have.
    """
    mandatory = peek(data)
    if mandatory is None:
        return None
    try:
        return _parse(mandatory, BitReader(data[MANDATORY_LENGTH:]), structure, len(data) > MANDATORY_LENGTH)
    except OutOfBits:
        return None


def _parse(
    mandatory: Mandatory, bits: BitReader, structure: Structure | None, extended: bool
) -> Descriptor | None:
    attached = has_active = False
    customs = 0
    if extended:
        attached, has_active, customs = bool(bits.take(1)), bool(bits.take(1)), bits.take(3)
    if attached:
        structure = _structure(bits)
    if structure is None:
        return None
    active = (1 << len(structure.targets)) - 1 if attached else None
    if has_active:
        active = bits.take(len(structure.targets))
    index = (mandatory.template_id - structure.template_id_offset) % MAX_TEMPLATES
    if index >= len(structure.templates):
        return None
    frame = structure.templates[index]
    if customs:
        frame = _customized(bits, frame, customs, structure)
    return Descriptor(
        mandatory.frame_start,
        mandatory.frame_end,
        mandatory.frame_number,
        structure,
        attached,
        active,
        frame,
    )


def _customized(bits: BitReader, template: Template, customs: int, structure: Structure) -> Template:
    """Read the frame's own values in place of its template's."""
    spatial, temporal, dtis, frame_diffs, chain_diffs = template
    if customs & 4:
        dtis = tuple(bits.take(2) for _ in structure.targets)
    if customs & 2:
        diffs = []
        while size := bits.take(2):
            diffs.append(bits.take(4 * size) + 1)
        frame_diffs = tuple(diffs)
    if customs & 1:
        chain_diffs = tuple(bits.take(8) for _ in range(structure.chain_count))
    return Template(spatial, temporal, dtis, frame_diffs, chain_diffs)


def _structure(bits: BitReader) -> Structure | None:
    offset = bits.take(6)
    target_count = bits.take(5) + 1
    layers = _layers(bits)
    if layers is None:
        return None
    dtis = [tuple(bits.take(2) for _ in range(target_count)) for _ in layers]
    frame_diffs = [_template_frame_diffs(bits) for _ in layers]
    chain_count = bits.take_below(target_count + 1)
    chains = [bits.take_below(chain_count) if chain_count else -1 for _ in range(target_count)]
    chain_diffs = [tuple(bits.take(4) for _ in range(chain_count)) for _ in layers]
    templates = tuple(
        Template(*layer, *rest) for layer, *rest in zip(layers, dtis, frame_diffs, chain_diffs, strict=True)
    )
    targets = tuple(_target(templates, number, chain) for number, chain in enumerate(chains))
    resolutions: tuple[tuple[int, int], ...] = ()
    if bits.take(1):
        resolutions = tuple((bits.take(16) + 1, bits.take(16) + 1) for _ in range(layers[-1][0] + 1))
    return Structure(offset, templates, targets, chain_count, resolutions)


def _layers(bits: BitReader) -> list[tuple[int, int]] | None:
    """Read the spatial and temporal layer of every template; ``None`` if they pass their bounds."""
    spatial = temporal = 0
    layers = [(0, 0)]
    while (step := bits.take(2)) != 3:
        if step == 1:
            temporal += 1
        elif step == 2:
            spatial, temporal = spatial + 1, 0
        if spatial >= MAX_SPATIAL or temporal >= MAX_TEMPORAL or len(layers) == MAX_TEMPLATES:
            return None
        layers.append((spatial, temporal))
    return layers


def _template_frame_diffs(bits: BitReader) -> tuple[int, ...]:
    diffs = []
    while bits.take(1):
        diffs.append(bits.take(4) + 1)
    return tuple(diffs)


def _target(templates: tuple[Template, ...], number: int, chain: int) -> DecodeTarget:
    """Work out the layers of a decode target: the highest of its templates (appendix A.8.3.4)."""
    present = [template for template in templates if template.dtis[number] != Dti.NOT_PRESENT]
    return DecodeTarget(
        max((template.spatial for template in present), default=0),
        max((template.temporal for template in present), default=0),
        chain,
    )
