"""When the frames of a layer come: how its timestamps relate to real time, and how long a silence it may have.

A row of floats for each run of a layer: when its first frame came (inf before), when the window began that transits are
looked at in, the smallest transit in this one and in the one before, the clock rate; when its newest frame came (inf
before the first), and the mean interval. All in seconds.
"""

from math import inf

from sfu.compiled.arrays import Floats2
from sfu.compiled.jit import compiled

FIRST_AT, WINDOW_AT, FASTEST, FASTEST_BEFORE, CLOCK_RATE, SEEN_AT, INTERVAL_S = range(7)
FRAME_WORDS = 8

WINDOW_S = 1.0
"""The fastest packet of the last one to two of these stands for the path."""
MAX_INTERVAL_S = 2.0
"""The interval of a very slow screen share."""
SMOOTHING = 1 / 8


@compiled
def observe(frames: Floats2, row: int, timestamp: int, now: float) -> None:
    """Take a frame's extended timestamp as its first packet arrives."""
    if frames[row, FIRST_AT] == inf:
        frames[row, FIRST_AT] = frames[row, WINDOW_AT] = now
    elif now - frames[row, WINDOW_AT] >= WINDOW_S:
        frames[row, WINDOW_AT] = now
        frames[row, FASTEST_BEFORE], frames[row, FASTEST] = frames[row, FASTEST], inf
    transit_s = now - timestamp / frames[row, CLOCK_RATE]
    frames[row, FASTEST] = min(frames[row, FASTEST], transit_s)


@compiled
def follow(frames: Floats2, row: int, now: float) -> None:
    """Note the interval to the frame before, as the first packet of one comes."""
    if frames[row, SEEN_AT] != inf:
        interval_s = min(MAX_INTERVAL_S, max(0.0, now - frames[row, SEEN_AT]))
        frames[row, INTERVAL_S] += (interval_s - frames[row, INTERVAL_S]) * SMOOTHING
    frames[row, SEEN_AT] = now
