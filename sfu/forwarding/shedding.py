"""Leaves out whole video layers while the engine is overloaded, without a hole in the numbers of what is forwarded.

A layer that was left out starts again with a key frame, for which the publisher is asked when it is wanted again.
"""

from sfu.control import MediaKind
from sfu.forwarding.packet import MediaPacket
from sfu.forwarding.uptrack import Layer
from sfu.overload import Overload


class Shedder:
    """Stands before the forwarder."""

    def __init__(self, overload: Overload) -> None:
        self._overload = overload
        self._cut: set[Layer] = set()
        self.packets = 0
        """Incoming packets of video that were not forwarded."""

    @property
    def idle(self) -> bool:
        """Nothing is left out."""
        return not self._cut and not self._overload.level

    def takes(self, layer: Layer, sequence: int, packet: MediaPacket, now: float) -> bool:
        """Whether to leave a packet out; ask for each packet while not :attr:`idle`."""
        if layer.track.kind is not MediaKind.VIDEO:
            return False
        cut = layer in self._cut
        if self._overload.sheds((layer.track.track_id, layer.spatial)):
            if not cut and any(packet.timestamp == rendition.timestamp for rendition in layer.renditions):
                return False  # the rest of a picture that has begun
            self._cut.add(layer)
        elif not cut:
            return False
        elif packet.keyframe:
            self._cut.discard(layer)
            return False
        else:
            layer.keyframes.request(now)
        self.packets += 1
        for rendition in layer.renditions:
            rendition.numbering.drop(sequence, new_picture=packet.picture_start)
        return True

    def settle(self) -> None:
        """Forget layers that nobody sends or wants any more; now and then."""
        self._cut = {layer for layer in self._cut if layer.renditions and layer in layer.track.layers}
