"""The order in which a tick's packets go to each destination, and their padding: what makes long runs for UDP GSO.

The kernel takes one message for several datagrams to one destination if all are of equal size but the last, which
may be shorter. Encoders split a frame into packets that differ by a few bytes, and packets of different streams come
mixed. So frames are kept together and their packets padded to equal size where that is cheap (RFC 3550 section 5.1, the
P bit), and larger packets go before smaller ones, of which each run takes one more.

Packets of one stream never change places. Between streams there is no order within a tick.
"""

from collections.abc import Sequence

PADDING_SHARE = 32
"""Padding may take one byte in so many."""
MAX_PADDING = 32
_LONGER = 1 << 16
"""Than any packet."""


def arrange(
    streams: Sequence[int], timestamps: Sequence[int], lengths: Sequence[int], *, pad: bool
) -> tuple[list[int], list[int]]:
    """The order to send packets in, as indices, and the size (by original index) each is to be padded to.

    Packets of equal stream and timestamp that follow each other in their stream are one frame. Only packets of a frame
    are padded, so audio never is.
    """
    if len(set(streams)) == len(streams):  # all frames are of one packet, and all first
        return sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True), list(lengths)
    frames: list[list[int]] = []
    stamps: list[int] = []
    turns: list[int] = []
    """How many frames of its stream went before each frame."""
    latest: dict[int, int] = {}
    """Of each stream: which is its newest frame."""
    for index, (stream, timestamp) in enumerate(zip(streams, timestamps, strict=True)):
        before = latest.get(stream)
        if before is None:
            turns.append(0)
        elif stamps[before] == timestamp:
            frames[before].append(index)
            continue
        else:
            turns.append(turns[before] + 1)
        latest[stream] = len(frames)
        frames.append([index])
        stamps.append(timestamp)
    padded = list(lengths)
    if pad and len(frames) < len(lengths):
        for frame in frames:
            if len(frame) > 1:
                _pad(frame, padded)
    if len(frames) == 1:
        return frames[0], padded
    keys = [_LONGER * turn - padded[frame[0]] for turn, frame in zip(turns, frames, strict=True)]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return [index for number in order for index in frames[number]], padded


def _pad(frame: list[int], lengths: list[int]) -> None:
    """Lengthen packets of a frame to the largest of those around it, as far as the limits allow."""
    sizes = [lengths[index] for index in frame]
    high = max(sizes)
    if high - min(sizes) <= min(MAX_PADDING, high // PADDING_SHARE):  # as in nearly all frames: one run
        for index in frame:
            lengths[index] = high
        return
    run: list[int] = []
    smallest = largest = 0
    for index in frame:
        length = lengths[index]
        low, high = min(smallest, length), max(largest, length)
        if run and high - low <= min(MAX_PADDING, high // PADDING_SHARE):
            run.append(index)
            smallest, largest = low, high
            continue
        for other in run:
            lengths[other] = largest
        run = [index]
        smallest = largest = length
    for other in run:
        lengths[other] = largest
