"""When which packet of a track is due: paced VP8 frames, and Opus every 20 ms."""

from itertools import accumulate
from random import Random
from typing import Protocol

from hubbub.load.rtp import RtpStream
from hubbub.load.vp8 import Frame, descriptor

PACING_FACTOR = 2.5
"""The pacer sends so much faster than the bitrate (libwebrtc's default) ..."""
BURST_S = 0.040
"""... and may be so far ahead of itself (Chromium's pacer_burst_interval): only large frames are spread."""
MAX_LAG_S = 0.5
"""A source that is called this late leaves out what it missed."""
KEYFRAME_MIN_INTERVAL_S = 0.3
"""Requests closer together than this make one key frame, as libwebrtc limits it."""

OPUS_INTERVAL_S = 0.020
OPUS_BITRATE_BPS = 32_000
TALK_S = 4.0
"""Every speaker talks for so long ..."""
TALK_EVERY_S = 12.0
"""... in each period of this length."""

_SILENCE = 127
_SPEECH = 0x80 | 25
_OPUS_TOC = 0x78
"""CELT, full band, 20 ms, mono, one frame (RFC 6716 section 3.1)."""


class Source(Protocol):
    """One encoding of a track."""

    stream: RtpStream
    next_at: float
    """When :meth:`take` has something."""
    missed: int
    """Frames left out because :meth:`take` was called too late."""

    def take(self, now: float) -> list[bytes]:
        """RTP packets that are due."""

    def timestamp(self, now: float) -> int:
        """The stream's RTP time."""


class VideoSource:
    """Sends a group of pictures over and over, and begins it anew when a key frame is asked for."""

    def __init__(self, stream: RtpStream, frames: tuple[Frame, ...], fps: float, start_at: float) -> None:
        self.stream = stream
        self.next_at = start_at
        self.missed = 0
        self.keyframes_requested = 0
        self._frames = frames
        octets = sum(len(piece) for frame in frames for piece in frame.pieces)
        self._paced_octets_per_s = PACING_FACTOR * octets * fps / len(frames)
        self._offsets_s = self._paced(frames[0])
        self._interval_s = 1 / fps
        self._start_at = self._frame_at = start_at
        self._frame = 0  # index in the group
        self._piece = 0
        self._picture_id = stream.config.ssrc & 0x7FFF
        self._tl0_index = 0
        self._timestamp = stream.timestamp(0.0)
        self._keyframe_wanted = False
        self._keyframe_at = start_at

    def request_keyframe(self) -> None:
        """Answer PLI or FIR: the next frame is a key frame, unless there was one just now."""
        self.keyframes_requested += 1
        self._keyframe_wanted = True

    def timestamp(self, now: float) -> int:
        return self.stream.timestamp(now - self._start_at)

    def take(self, now: float) -> list[bytes]:
        packets: list[bytes] = []
        if now - self.next_at > MAX_LAG_S:
            self._skip_to(now)
        while self.next_at <= now:
            packets.append(self._packet())
        return packets

    def _packet(self) -> bytes:
        pieces = self._frames[self._frame].pieces
        piece = self._piece
        last = piece == len(pieces) - 1
        payload = descriptor(self._picture_id, self._tl0_index, start=piece == 0) + pieces[piece]
        packet = self.stream.packet(payload, self._timestamp, marker=last)
        if last:
            self._next_frame()
        else:
            self._piece += 1
            self.next_at = self._frame_at + self._offsets_s[self._piece]
        return packet

    def _next_frame(self) -> None:
        self._frame_at += self._interval_s
        self._frame = (self._frame + 1) % len(self._frames)
        if self._keyframe_wanted and self._frame_at - self._keyframe_at >= KEYFRAME_MIN_INTERVAL_S:
            self._frame = 0
        if self._frame == 0:
            self._keyframe_wanted = False
            self._keyframe_at = self._frame_at
        self._piece = 0
        self._offsets_s = self._paced(self._frames[self._frame])
        self._picture_id += 1
        self._tl0_index += 1
        self._timestamp = self.stream.timestamp(self._frame_at - self._start_at)
        self.next_at = self._frame_at

    def _paced(self, frame: Frame) -> list[float]:
        """When each packet of a frame is sent, in seconds since the frame was there."""
        before = accumulate((len(piece) for piece in frame.pieces[:-1]), initial=0)
        return [max(octets / self._paced_octets_per_s - BURST_S, 0.0) for octets in before]

    def _skip_to(self, now: float) -> None:
        """Leave frames out, but never the rest of one that was begun."""
        behind = int((now - self._frame_at) / self._interval_s)
        self.missed += behind
        self._frame_at += behind * self._interval_s
        if self._piece == 0:
            self._timestamp = self.stream.timestamp(self._frame_at - self._start_at)
        self.next_at = now


class AudioSource:
    """Sends Opus frames of one size, with levels of somebody who talks now and then."""

    def __init__(self, stream: RtpStream, random: Random, start_at: float) -> None:
        self.stream = stream
        self.next_at = start_at
        self.missed = 0
        size = round(OPUS_BITRATE_BPS / 8 * OPUS_INTERVAL_S)
        self._payload = bytes((_OPUS_TOC,)) + random.randbytes(size - 1)
        self._start_at = start_at
        self._talk_offset_s = random.uniform(0, TALK_EVERY_S)
        self._talked = False

    def timestamp(self, now: float) -> int:
        return self.stream.timestamp(now - self._start_at)

    def take(self, now: float) -> list[bytes]:
        packets: list[bytes] = []
        if now - self.next_at > MAX_LAG_S:
            behind = int((now - self.next_at) / OPUS_INTERVAL_S)
            self.missed += behind
            self.next_at += behind * OPUS_INTERVAL_S
        while self.next_at <= now:
            packets.append(self._packet())
            self.next_at += OPUS_INTERVAL_S
        return packets

    def _packet(self) -> bytes:
        elapsed_s = self.next_at - self._start_at
        talks = (elapsed_s + self._talk_offset_s) % TALK_EVERY_S < TALK_S
        # The marker is for the first packet of a talk spurt (RFC 3551 section 4.1).
        marker = talks and not self._talked
        self._talked = talks
        level = _SPEECH if talks else _SILENCE
        return self.stream.packet(self._payload, self.stream.timestamp(elapsed_s), marker=marker, level=level)
