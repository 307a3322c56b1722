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


def arrange(
    streams: Sequence[int], timestamps: Sequence[int], lengths: Sequence[int], *, pad: bool
) -> tuple[list[int], list[int]]:
    """The order to send packets in, as indices, and the size (by original index) each is to be padded to.

    Packets of equal stream and timestamp that follow each other in their stream are one frame. Only packets of a frame
    are padded, so audio never is.
    """
    frames: list[list[int]] = []
    turns: list[int] = []
    """How many frames of its stream went before each frame."""
    latest: dict[int, tuple[int, int, list[int]]] = {}
    """Of each stream: timestamp, turn and packets of its newest frame."""
    for index, (stream, timestamp) in enumerate(zip(streams, timestamps, strict=True)):
        before = latest.get(stream)
        if before is not None and before[0] == timestamp:
            before[2].append(index)
            continue
        frame = [index]
        turn = before[1] + 1 if before is not None else 0
        latest[stream] = (timestamp, turn, frame)
        frames.append(frame)
        turns.append(turn)
    padded = list(lengths)
    if pad:
        for frame in frames:
            if len(frame) > 1:
                _pad(frame, padded)
    if len(frames) == 1:
        return frames[0], padded
    keys = [
        (turn, -padded[frame[0]], number)
        for number, (turn, frame) in enumerate(zip(turns, frames, strict=True))
    ]
    keys.sort()
    return [index for _, _, number in keys for index in frames[number]], padded


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
