"""What each packet changes of a received stream and of a microphone's meter.

Both are rows of words; some words are floats, for which the same memory is passed a second time.
"""

import math

from sfu.compiled.arrays import Floats, Floats2, Words2
from sfu.compiled.jit import compiled, part

# A stream. Extended sequence number and timestamp of the newest packet (-1 before the first), when that timestamp was
# new (monotonic seconds, float), jitter (clock ticks, float), clock rate, payload type of the newest packet (-1
# before the first), row of the meter (0: none), up to four layouts that its packets had lately, 16 bits each; row of
# its layer, codec slot of its payload type, VP8's picture id and TL0PICIDX, extended, of the newest picture, and the
# timestamp of the frame that the newest packet was of (-1 before the first).
(
    HIGHEST,
    TIMESTAMP,
    TIMESTAMP_AT,
    JITTER,
    CLOCK_RATE,
    PAYLOAD_TYPE,
    METER,
    LAYOUTS,
    LAYER,
    SLOT,
    PICTURE,
    TL0,
    FRAME,
) = range(13)
STREAM_WORDS = 16
LAYOUT_BITS = 16

# A meter. When its newest packet came (float), milliseconds observed in this window, how many of them were speech, the
# level of the loudest packet (-dBov), and the smoothed linear level (float).
SEEN_AT, OBSERVED_MS, ACTIVE_MS, LOUDEST, SMOOTHED = range(5)
METER_WORDS = 8

# What counts as speech, all floats: the quietest level that does, milliseconds of a window, the share of it that must
# be speech, and the weight of the newest window in the mean.
ACTIVE_LEVEL, WINDOW_MS, ACTIVE_SHARE, SMOOTHING = range(4)
SPEECH_WORDS = 4

MAX_TRANSIT_STEP_S = 5.0
"""A transit change above this is a clock that jumped, not jitter."""
MAX_PACKET_MS = 120
"""The longest Opus packet; a longer timestamp step is a pause, not speech."""
SILENCE = 127


@compiled
def advance(streams: Words2, reals: Floats2, row: int, extended: int, timestamp32: int, now: float) -> int:
    """Note the newest packet of a stream (RFC 3550 appendix A.8); returns the step from the timestamp before."""
    streams[row, HIGHEST] = extended
    step = (timestamp32 - streams[row, TIMESTAMP]) & 0xFFFFFFFF
    if step:  # the first packet of a frame: the rest of it says only how it was paced
        if step >= 0x80000000:
            step -= 0x100000000
        rate = float(streams[row, CLOCK_RATE])
        change = abs((now - reals[row, TIMESTAMP_AT]) * rate - step)
        if change < MAX_TRANSIT_STEP_S * rate:
            reals[row, JITTER] += (change - reals[row, JITTER]) / 16
        streams[row, TIMESTAMP] += step
        reals[row, TIMESTAMP_AT] = now
    return step


@part
def _close_window(meters: Words2, reals: Floats2, row: int, speech: Floats) -> None:
    """Take what was observed as one window."""
    window_ms = speech[WINDOW_MS]
    active_ms = min(float(meters[row, ACTIVE_MS]), window_ms)
    if active_ms >= speech[ACTIVE_SHARE] * window_ms:
        decibels = max(0, meters[row, LOUDEST]) - 20 * math.log10(active_ms / window_ms)
        reals[row, SMOOTHED] += (10 ** (-decibels / 20) - reals[row, SMOOTHED]) * speech[SMOOTHING]
    else:
        reals[row, SMOOTHED] = 0.0
    meters[row, OBSERVED_MS] = meters[row, ACTIVE_MS] = 0
    meters[row, LOUDEST] = SILENCE


@compiled
def observe(
    meters: Words2, reals: Floats2, row: int, level: int, duration_ms: int, now: float, speech: Floats
) -> None:
    """Take one packet's level, 0 (loudest) to 127 (silence), and how much sound it holds."""
    reals[row, SEEN_AT] = now
    if duration_ms <= 0:
        return
    duration_ms = min(duration_ms, MAX_PACKET_MS)
    if level <= speech[ACTIVE_LEVEL]:
        meters[row, ACTIVE_MS] += duration_ms
        meters[row, LOUDEST] = min(meters[row, LOUDEST], level)
    meters[row, OBSERVED_MS] += duration_ms
    if meters[row, OBSERVED_MS] >= speech[WINDOW_MS]:
        _close_window(meters, reals, row, speech)
