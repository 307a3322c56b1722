"""Beyond saturation: what is dropped, how much waits, and how soon all is well again.

Packets are sent at a pace the engine can't follow, then at half of what it can. A copy is known by its RTP timestamp,
which says when its picture or sound was sent, whatever was dropped around it.
"""

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sfu.config import MediaConfig
from sfu.control import MediaKind
from sfu.snapshot import Loss
from tests.bench.latency import Stopwatch
from tests.bench.loads import OVERLOAD
from tests.bench.measure import Saturation
from tests.bench.scene import Progress, Scene
from tests.bench.sockets import Floats, Ints
from tests.bench.tape import Tape

BEFORE_S, DURING_S, AFTER_S = 1.0, 4.0, 6.0
CALM, TOO_FAST = 0.5, 2.0
"""Of the speed at saturation."""
WELL_MS = 50.0
"""Delay up to which a copy counts as in time."""
STEADY_S, STEP_S = 0.5, 0.05
WHOLE = 0.99
_STEPS = round(AFTER_S / STEP_S)
KEYFRAME_S = 1.0
"""Media time between key frames: cameras of real calls send one when they are asked."""
LAST_S = 1.0
"""At the end, when everything should be well again."""


@dataclass(frozen=True, slots=True)
class Overload:
    """What an overload did."""

    offered: float
    """Times the saturation speed."""
    video_lost: float
    """Share of the video copies due during the overload that never came."""
    audio_lost: float
    drops: int
    """Datagrams that the kernel dropped because the engine's socket was full."""
    counted: dict[str, int]
    """What the engine itself says it dropped, by the reasons that ``sfu.snapshot.Loss`` has."""
    waiting_bytes: int
    """Kernel memory in the engine's socket, at most."""
    limit_bytes: int
    rss_growth_bytes: int
    delay_ms: float
    """Longest delay of a copy that came."""
    audio_p99_ms: float
    """99th percentile of the delay of audio that came during the overload."""
    recovery_s: float
    """From the end of the overload until copies were in time, 95 of 100 at least, for STEADY_S; AFTER_S if never."""
    whole_again_s: float
    """The same until WHOLE of the copies due came, sound and pictures; AFTER_S if never."""
    lost_at_last: float
    """Share of the copies due in the last second that never came."""


class _Watcher(Stopwatch):
    """Looks at the engine's socket while it sends."""

    waiting_bytes = 0

    def on_turn(self) -> None:
        self.waiting_bytes = max(self.waiting_bytes, self._scene.engine.waiting.octets)


def measure(config: MediaConfig, progress: Progress) -> Overload:
    """Set up calls with audio and video, find their saturation, and go beyond it."""
    with Scene(OVERLOAD, config, progress) as scene:
        saturation = Saturation(scene)
        saturation.calibrate()
        progress("beyond saturation")
        speed = saturation.speed
        media_s = speed * (CALM * (BEFORE_S + AFTER_S) + TOO_FAST * DURING_S)
        tape = scene.studio.record(media_s, feedback=True, keyframe_s=KEYFRAME_S)
        watcher = _Watcher(scene, tape, 1.0)
        watcher.due_s = _schedule((tape.at[tape.starts] - tape.at[0]) / speed).tolist()
        before, drops = scene.engine.stats(), scene.engine.waiting.drops
        scene.settle()
        scene.sink.record_arrivals()
        watcher.send()
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            scene.sink.drain()
        after = scene.engine.stats()
        found = _judge(scene, tape, watcher)
        result = Overload(
            offered=TOO_FAST,
            drops=scene.engine.waiting.drops - drops,
            counted={
                loss.value: count - before.lost[loss]
                for loss, count in after.lost.items()
                if loss is not Loss.RECEIVE_BUFFER and count > before.lost[loss]
            },
            waiting_bytes=watcher.waiting_bytes,
            limit_bytes=scene.engine.waiting.limit,
            rss_growth_bytes=after.rss_bytes - before.rss_bytes,
            **found,
        )
    progress("done")
    return result


def _schedule(work_s: Floats) -> Floats:
    """When to send what is due after so much work: calmly, too fast, calmly."""
    calm, fast = BEFORE_S * CALM, DURING_S * TOO_FAST
    return np.where(
        work_s < calm,
        work_s / CALM,
        np.where(
            work_s < calm + fast,
            BEFORE_S + (work_s - calm) / TOO_FAST,
            BEFORE_S + DURING_S + (work_s - calm - fast) / CALM,
        ),
    )


def _judge(scene: Scene, tape: Tape, watcher: Stopwatch) -> dict[str, float]:
    streams, timestamps, arrivals = scene.sink.arrivals()
    kinds = {
        source.stream.config.ssrc: track.kind
        for person in scene.crowd.publishers
        for track in person.tracks
        for source in track.sources
    }
    started_at = watcher.started_unix
    overload = (started_at + BEFORE_S, started_at + BEFORE_S + DURING_S)
    last_from = overload[1] + AFTER_S - LAST_S
    due: dict[tuple[MediaKind, str], int] = defaultdict(int)
    came: dict[tuple[MediaKind, str], int] = defaultdict(int)
    delays_s: list[Floats] = []
    sent_at: list[Floats] = []
    went_at: list[Floats] = []
    audio_s: list[Floats] = []
    order = np.argsort(streams, kind="stable")
    bounds = np.searchsorted(streams[order], np.arange(len(scene.sink.sources) + 1))
    for stream, source in enumerate(scene.sink.sources):
        mine = order[bounds[stream] : bounds[stream + 1]]
        packets = np.flatnonzero(tape.ssrcs == source)
        sent = sent_times(
            tape.timestamps[packets], watcher.sent_at[packets], timestamps[mine], arrivals[mine]
        )
        went_at.append(watcher.sent_at[packets])
        kind = kinds[source]
        for name, start, stop in (("overload", *overload), ("last", last_from, np.inf)):
            went = watcher.sent_at[packets]
            due[kind, name] += int(((went >= start) & (went < stop)).sum())
            came[kind, name] += int(((sent >= start) & (sent < stop)).sum())
        delay_s = arrivals[mine] - sent
        delays_s.append(delay_s)
        sent_at.append(sent)
        if kind is MediaKind.AUDIO:
            audio_s.append(delay_s[(sent >= overload[0]) & (sent < overload[1])])
    delay_s, sent = np.concatenate(delays_s), np.concatenate(sent_at)
    return {
        "video_lost": 1 - came[MediaKind.VIDEO, "overload"] / due[MediaKind.VIDEO, "overload"],
        "audio_lost": 1 - came[MediaKind.AUDIO, "overload"] / due[MediaKind.AUDIO, "overload"],
        "delay_ms": 1000 * float(delay_s.max()),
        "audio_p99_ms": 1000 * float(np.percentile(np.concatenate(audio_s), 99)),
        "recovery_s": recovery_s(sent - overload[1], delay_s),
        "whole_again_s": whole_again_s(np.concatenate(went_at) - overload[1], sent - overload[1]),
        "lost_at_last": 1
        - sum(came[kind, "last"] for kind in MediaKind)
        / max(1, sum(due[kind, "last"] for kind in MediaKind)),
    }


def recovery_s(sent_s: Floats, delay_s: Floats) -> float:
    """When delays became well, by when copies were sent, 0 being the overload's end; AFTER_S if they never did."""
    parts = (delay_s[_in_step(sent_s, step)] for step in range(_STEPS))
    return _steady_from([len(part) > 0 and np.percentile(part, 95) <= WELL_MS / 1000 for part in parts])


def whole_again_s(due_s: Floats, came_s: Floats) -> float:
    """When what was due came again, both by when it was sent, 0 being the overload's end; AFTER_S if it never did."""
    counts = ((_in_step(due_s, step).sum(), _in_step(came_s, step).sum()) for step in range(_STEPS))
    return _steady_from([due > 0 and came >= WHOLE * due for due, came in counts])


def _in_step(times_s: Floats, step: int) -> npt.NDArray[np.bool_]:
    return (times_s >= step * STEP_S) & (times_s < (step + 1) * STEP_S)


def _steady_from(well: Sequence[bool]) -> float:
    """Start of the first STEADY_S in which all steps are well."""
    wanted = round(STEADY_S / STEP_S)
    for step in range(len(well) - wanted + 1):
        if all(well[step : step + wanted]):
            return step * STEP_S
    return AFTER_S


def sent_times(sent_stamps: Ints, sent_at: Floats, came_stamps: Ints, came_at: Floats) -> Floats:
    """When each copy that came was sent, by its RTP timestamp; the first that was sent is the first that came."""
    if not len(came_stamps):
        return np.zeros(0)
    ours = (sent_stamps - sent_stamps[0]) & 0xFFFFFFFF
    theirs = (came_stamps - came_stamps[0]) & 0xFFFFFFFF
    return sent_at[np.minimum(np.searchsorted(ours, theirs), len(ours) - 1)]
