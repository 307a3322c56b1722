"""The way of a received packet from its stream on: what it says of its layer, and to whoever forwards it."""

from typing import Protocol

from sfu.compiled.relay import AUDIO_CLOCK
from sfu.forwarding.binding import InStream
from sfu.forwarding.layout import Layout
from sfu.forwarding.packet import MediaPacket
from sfu.forwarding.uptrack import Layer


class MediaSink(Protocol):
    """Where received packets go on."""

    def media(self, layer: Layer, sequence: int, packet: MediaPacket) -> None:
        """One packet of a layer, in the order of arrival."""

    def layer_started(self, layer: Layer) -> None:
        """The layer has come alive (again); its SSRC is known."""


class Delivery:
    """Hands packets that have been counted and numbered to the sink."""

    __slots__ = ("_sink",)

    def __init__(self, sink: MediaSink) -> None:
        self._sink = sink

    def sound(
        self,
        stream: InStream,
        sequence: int,
        timestamp: int,
        marker: int,
        slot: int,
        payload: memoryview,
        layout: Layout,
        block: int,
        now: float,
    ) -> None:
        """A packet of audio, where every one may be the first for somebody."""
        layer = stream.layer
        layer.last_packet_at = now
        if sequence % AUDIO_CLOCK == 0 or not stream.started:
            layer.clock.observe(timestamp, now)
        if not stream.started:
            stream.started = True
            if layer.liveness.keyframe(now):
                self._sink.layer_started(layer)
        if layer.renditions:
            packet = stream.reader.read(payload, timestamp, marker, slot, layout, block)
            self._sink.media(layer, sequence, packet)
        elif not layer.ready:
            layer.publish()

    def picture(
        self,
        stream: InStream,
        sequence: int,
        timestamp: int,
        marker: int,
        slot: int,
        payload: memoryview,
        layout: Layout,
        block: int,
        now: float,
    ) -> None:
        """A packet of video; its payload is kept where it may have to be sent again."""
        layer = stream.layer
        layer.last_packet_at = now
        if timestamp != stream.frame_timestamp:
            stream.frame_timestamp = timestamp
            layer.frame(timestamp, now)
        kept = payload.tobytes() if layer.history_packets else payload
        packet = stream.reader.read(kept, timestamp, marker, slot, layout, block)
        if packet.temporal > layer.top_temporal:
            layer.top_temporal = packet.temporal
        if packet.keyframe:
            layer.top_temporal = 0
            if layer.liveness.keyframe(now):
                self._sink.layer_started(layer)
            layer.keyframes.keyframe(now)
        elif not layer.liveness.live:
            layer.keyframes.request(now)
        self._sink.media(layer, sequence, packet)
