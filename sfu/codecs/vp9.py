"""The VP9 payload descriptor (RFC 9628 section 4.2)."""

from typing import Final, NamedTuple

MAX_REFERENCES: Final = 3
"""P_DIFF fields of one picture (RFC 9628 section 4.2)."""


class Vp9Descriptor(NamedTuple):
    """What layer selection needs. Offsets are into the payload; -1 marks an absent field."""

    frame_start: bool
    """B: first packet of a layer frame."""
    frame_end: bool
    """E: last packet of a layer frame."""
    keyframe: bool
    """A key frame begins here, at its lowest spatial layer."""
    inter_picture: bool
    """P: predicted from earlier pictures."""
    flexible: bool
    """F: references are told per picture, and there is no TL0PICIDX."""
    not_reference: bool
    """Z: no higher spatial layer needs this frame."""
    picture_id: int
    picture_id_offset: int
    """Of the first byte, which also has the M bit."""
    picture_id_bits: int
    """0, 7 or 15."""
    has_layers: bool
    """L: the four fields below were present; they are 0 or False otherwise."""
    tid: int
    """Temporal layer."""
    switch_up: bool
    """U: a higher temporal layer may be switched to from here."""
    sid: int
    """Spatial layer."""
    inter_layer: bool
    """D: predicted from the next lower spatial layer."""
    tl0_index: int
    tl0_offset: int
    header_length: int
    spatial_layers: int
    """From the scalability structure that key frames carry; 0 without."""
    sizes: tuple[tuple[int, int], ...]
    """Width and height by spatial layer, if the structure tells."""


def parse(payload: memoryview | bytes) -> Vp9Descriptor | None:
    """Read the descriptor of one RTP payload; ``None`` if it is truncated or has no VP9 behind it."""
    try:
        first = payload[0]
        at = 1
        picture_id = picture_id_offset = tl0_index = tl0_offset = -1
        picture_id_bits = layers = 0
        if first & 0x80:
            picture_id_offset = 1
            picture_id, picture_id_bits, at = _picture_id(payload)
        if first & 0x20:
            layers = payload[at]
            at += 1
            if not first & 0x10:
                tl0_offset = at
                tl0_index = payload[at]
                at += 1
        if first & 0x50 == 0x50:
            at = _skip_references(payload, at)
        spatial_layers = 0
        sizes: tuple[tuple[int, int], ...] = ()
        if first & 0x02:
            spatial_layers, sizes, at = _scalability_structure(payload, at)
    except IndexError:
        return None
    if at >= len(payload):
        return None
    sid = layers >> 1 & 0x07
    return Vp9Descriptor(
        frame_start=first & 0x08 != 0,
        frame_end=first & 0x04 != 0,
        keyframe=first & 0x48 == 0x08 and not sid,
        inter_picture=first & 0x40 != 0,
        flexible=first & 0x10 != 0,
        not_reference=first & 0x01 != 0,
        picture_id=picture_id,
        picture_id_offset=picture_id_offset,
        picture_id_bits=picture_id_bits,
        has_layers=first & 0x20 != 0,
        tid=layers >> 5,
        switch_up=layers & 0x10 != 0,
        sid=sid,
        inter_layer=layers & 0x01 != 0,
        tl0_index=tl0_index,
        tl0_offset=tl0_offset,
        header_length=at,
        spatial_layers=spatial_layers,
        sizes=sizes,
    )


def is_keyframe_start(payload: memoryview | bytes) -> bool:
    """Tell whether a key frame begins in this packet."""
    descriptor = parse(payload)
    return descriptor is not None and descriptor.keyframe


def _picture_id(payload: memoryview | bytes) -> tuple[int, int, int]:
    """Read the picture id; gives it, its bits, and where the next field begins."""
    picture_id = payload[1]
    if picture_id & 0x80:
        return (picture_id & 0x7F) << 8 | payload[2], 15, 3
    return picture_id, 7, 2


def _skip_references(payload: memoryview | bytes, at: int) -> int:
    """Pass P_DIFF fields; gives where they end, which is past the payload if there are too many."""
    for end in range(at + 1, at + 1 + MAX_REFERENCES):
        if not payload[end - 1] & 1:
            return end
    return len(payload)


def _scalability_structure(
    payload: memoryview | bytes, at: int
) -> tuple[int, tuple[tuple[int, int], ...], int]:
    """Read the scalability structure; gives the number of spatial layers, their sizes, and where it ends."""
    head = payload[at]
    at += 1
    layers = (head >> 5) + 1
    sizes: tuple[tuple[int, int], ...] = ()
    if head & 0x10:
        sizes = tuple(
            (payload[place] << 8 | payload[place + 1], payload[place + 2] << 8 | payload[place + 3])
            for place in range(at, at + 4 * layers, 4)
        )
        at += 4 * layers
    if head & 0x08:
        pictures = payload[at]
        at += 1
        for _ in range(pictures):
            at += 1 + (payload[at] >> 2 & 0x03)
    return layers, sizes, at
