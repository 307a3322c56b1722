"""Deterministic publishers: cameras and microphones on a clock that the test moves.

A source is asked ``take(now)`` for all packets due by then. What it says of each (:class:`SentPacket`) is what
a test compares with what came out at the other end.
"""

from collections.abc import Callable
from random import Random

from tests.harness import rtp_payloads as payloads
from tests.harness.rtp_stream import ExtensionIds, RtpStream, SentPacket, StreamConfig, TransportCounter

TEMPORAL_PATTERN = {1: (0,), 2: (0, 1), 3: (0, 2, 1, 2)}
KEYFRAME_FACTOR = 4.0


class _Beat:
    """Evenly spaced instants, exact however many there were."""

    def __init__(self, start_at: float, interval_s: float) -> None:
        self._interval_s = interval_s
        self.restart(start_at)

    def restart(self, at: float) -> None:
        self._start_at = self.next_at = at
        self._beats = 0

    def advance(self) -> None:
        self._beats += 1
        self.next_at = self._start_at + self._beats * self._interval_s


class VideoSource:
    """An encoder and its packetiser: one simulcast layer, or an SVC stream when VP9 has spatial layers.

    Key frames come first, on request, and every ``keyframe_interval_s`` if given.
    """

    def __init__(
        self,
        config: StreamConfig,
        codec: str = "vp8",
        *,
        fps: float = 30.0,
        bitrate_bps: float = 500_000.0,
        temporal_layers: int = 1,
        spatial_layers: int = 1,
        width: int = 640,
        height: int = 360,
        keyframe_interval_s: float | None = None,
        start_at: float = 0.0,
        seed: int = 0,
    ) -> None:
        if codec not in ("vp8", "vp9", "h264", "av1"):
            raise ValueError(f"no such codec: {codec}")
        self.stream = RtpStream(config)
        self.codec = codec
        self.bitrate_bps = bitrate_bps
        self.fps = fps
        self.frames = 0
        self.keyframes = 0
        self.paused = False
        self._beat = _Beat(start_at, 1 / fps)
        self._pattern = TEMPORAL_PATTERN[temporal_layers]
        self._temporal_layers = temporal_layers
        self._spatial_layers = spatial_layers
        self._size = (width, height)
        self._keyframe_interval_s = keyframe_interval_s
        self._random = Random(seed)
        self._keyframe_wanted = True
        self._keyframe_at = start_at
        self._in_pattern = 0
        self._tl0 = self._random.randrange(256)
        self._picture_id = self._random.randrange(1 << 15)

    @property
    def next_at(self) -> float:
        """When the next frame is due."""
        return self._beat.next_at

    def keyframe(self) -> None:
        """Make the next frame a key frame, as after a PLI."""
        self._keyframe_wanted = True

    def pause(self) -> None:
        """Stop sending, as a publisher does with a layer it has no bandwidth for."""
        self.paused = True

    def resume(self, now: float) -> None:
        """Go on with a key frame."""
        self.paused = False
        self._beat.restart(max(self.next_at, now))
        self._keyframe_wanted = True

    def take(self, now: float) -> list[SentPacket]:
        """All packets of the frames due by ``now``."""
        packets: list[SentPacket] = []
        while not self.paused and self.next_at <= now:
            packets += self._frame(self.next_at)
            self._beat.advance()
        return packets

    def sender_report(self, now: float) -> bytes:
        return self.stream.sender_report(now)

    def resend(self, sequence: int, now: float) -> bytes | None:
        return self.stream.resend(sequence, now)

    def _frame(self, at: float) -> list[SentPacket]:
        key = self._takes_keyframe(at)
        temporal = self._pattern[self._in_pattern]
        if temporal == 0:
            self._tl0 += 1
        mean = self.bitrate_bps / 8 / self.fps / self._spatial_layers
        packets: list[SentPacket] = []
        for spatial in range(self._spatial_layers):
            size = int(mean * (KEYFRAME_FACTOR if key else self._random.uniform(0.7, 1.3)))
            parts = self._payloads(size, key, temporal, spatial)
            for n, part in enumerate(parts):
                last = n == len(parts) - 1
                extensions = self._dependency(key, temporal, n == 0, last)
                packets.append(
                    self.stream.packet(
                        part,
                        at,
                        marker=last and spatial == self._spatial_layers - 1,
                        frame=self.frames,
                        starts_frame=n == 0,
                        keyframe=key,
                        temporal=temporal,
                        spatial=spatial,
                        extensions=extensions,
                    )
                )
        self.frames += 1
        self._picture_id += 1
        self._in_pattern = (self._in_pattern + 1) % len(self._pattern)
        return packets

    def _takes_keyframe(self, at: float) -> bool:
        every = self._keyframe_interval_s
        key = self._keyframe_wanted or (every is not None and at - self._keyframe_at >= every - 1e-6)
        if key:
            self._keyframe_wanted = False
            self._keyframe_at = at
            self._in_pattern = 0
            self.keyframes += 1
        return key

    def _payloads(self, size: int, key: bool, temporal: int, spatial: int) -> list[bytes]:
        width, height = self._size
        # The first frame of each upper layer after a base frame refers to the base alone.
        sync = temporal > 0 and self._in_pattern <= 2
        if self.codec == "vp8":
            return payloads.vp8_frame(
                size,
                self._random,
                key=key,
                picture_id=self._picture_id,
                tl0=self._tl0,
                temporal=temporal,
                sync=sync,
                layered=self._temporal_layers > 1,
                width=width,
                height=height,
            )
        if self.codec == "vp9":
            return payloads.vp9_frame(
                size,
                self._random,
                key=key and spatial == 0,
                picture_id=self._picture_id,
                tl0=self._tl0,
                temporal=temporal,
                spatial=spatial,
                spatial_layers=self._spatial_layers,
                switch_up=sync,
                width=width,
                height=height,
            )
        make = payloads.h264_frame if self.codec == "h264" else payloads.av1_frame
        return make(size, self._random, key=key)

    def _dependency(self, key: bool, temporal: int, start: bool, end: bool) -> list[tuple[int, bytes]]:
        number = self.stream.config.ids.dependency
        if not number:
            return []
        descriptor = payloads.dependency_descriptor(
            self.frames,
            template=0 if key else 1 + temporal,
            start=start,
            end=end,
            temporal_layers=self._temporal_layers,
            key=key,
        )
        return [(number, descriptor)]


class AudioSource:
    """An Opus microphone: a packet each 20 ms with its RFC 6464 level."""

    def __init__(
        self,
        config: StreamConfig,
        *,
        level: Callable[[float], int] | int = 30,
        dtx: bool = False,
        bitrate_bps: float = 32_000.0,
        start_at: float = 0.0,
        seed: int = 0,
    ) -> None:
        """``level`` is -dBov, 0 to 127, or a function of time; 127 is silence, in which DTX sends little."""
        self.stream = RtpStream(config)
        self.level = level
        self.dtx = dtx
        self._beat = _Beat(start_at, 0.020)
        self.paused = False
        self._size = int(bitrate_bps / 8 / 50)
        self._random = Random(seed)
        self._frames = 0
        self._silent_for = 0

    def take(self, now: float) -> list[SentPacket]:
        """All packets due by ``now``; a pause skips time, as a muted microphone does."""
        packets = []
        while self.next_at <= now:
            if not self.paused:
                packets += self._packet(self.next_at)
            self._beat.advance()
        return packets

    @property
    def next_at(self) -> float:
        """When the next packet is due."""
        return self._beat.next_at

    def sender_report(self, now: float) -> bytes:
        return self.stream.sender_report(now)

    def resend(self, sequence: int, now: float) -> bytes | None:
        return self.stream.resend(sequence, now)

    def _packet(self, at: float) -> list[SentPacket]:
        level = self.level if isinstance(self.level, int) else self.level(at)
        silent = level >= 127 and self.dtx
        talk_begins = not silent and self._silent_for > 0
        self._silent_for = self._silent_for + 1 if silent else 0
        if silent and self._silent_for % 20 != 1:  # in DTX one packet each 400 ms
            return []
        ids = self.stream.config.ids
        value = bytes([(0 if level >= 127 else 0x80) | level & 0x7F])
        sent = self.stream.packet(
            payloads.opus_packet(self._size, self._random, dtx=silent),
            at,
            marker=talk_begins,
            frame=self._frames,
            extensions=[(ids.audio_level, value)] if ids.audio_level else (),
        )
        self._frames += 1
        return [sent]


class SimulcastSource:
    """One camera encoded several times over, smallest first. The layers capture together but count apart."""

    def __init__(self, layers: list[VideoSource]) -> None:
        self.layers = layers

    def take(self, now: float) -> list[SentPacket]:
        """All layers' packets due by ``now``, in the order they leave."""
        packets = [packet for layer in self.layers for packet in layer.take(now)]
        return sorted(packets, key=lambda packet: packet.sent_at)

    def by_ssrc(self, ssrc: int) -> VideoSource | None:
        """The layer that sends (or repairs with) this SSRC."""
        for layer in self.layers:
            if ssrc in (layer.stream.config.ssrc, layer.stream.config.rtx_ssrc):
                return layer
        return None

    def sender_reports(self, now: float) -> list[bytes]:
        return [layer.sender_report(now) for layer in self.layers if not layer.paused]


def simulcast(
    mid: str = "0",
    *,
    rids: tuple[str, ...] = ("q", "h", "f"),
    first_ssrc: int = 0x1000,
    payload_type: int = 96,
    rtx_payload_type: int = 97,
    codec: str = "vp8",
    temporal_layers: int = 3,
    transport: TransportCounter | None = None,
    ids: ExtensionIds | None = None,
    seed: int = 0,
) -> SimulcastSource:
    """A camera as browsers publish it: 150, 500 and 1700 kbps at 180, 360 and 720 lines, RTX for each layer.

    Empty ``rids`` entries make layers known by SSRC alone. Numbers begin at random places, some about to
    wrap.
    """
    random, transport = Random(seed), transport or TransportCounter()
    sizes = ((320, 180, 150_000.0), (640, 360, 500_000.0), (1280, 720, 1_700_000.0))
    layers = []
    for n, rid in enumerate(rids):
        width, height, bitrate_bps = sizes[n]
        config = StreamConfig(
            first_ssrc + 2 * n,
            payload_type,
            mid=mid,
            rid=rid,
            rtx_ssrc=first_ssrc + 2 * n + 1,
            rtx_payload_type=rtx_payload_type,
            first_sequence=random.choice((random.randrange(1 << 16), 65_500)),
            first_timestamp=random.choice((random.randrange(1 << 32), (1 << 32) - 90_000)),
            ids=ids or ExtensionIds(),
            transport=transport,
        )
        layers.append(
            VideoSource(
                config,
                codec,
                bitrate_bps=bitrate_bps,
                temporal_layers=temporal_layers,
                width=width,
                height=height,
                seed=random.randrange(1 << 30),
            )
        )
    return SimulcastSource(layers)
