"""Leaves out whole video layers while the engine is overloaded, without a hole in the numbers of what is forwarded.

A layer that was left out starts again with a key frame, for which the publisher is asked when it is wanted again.
"""

from sfu.control import MediaKind
from sfu.forwarding.packet import MediaPacket
from sfu.forwarding.uptrack import Layer
from sfu.overload import Overload


class Shedder:
    """Stands before the forwarder. What it decides of a layer holds for as long as the level of overload stays;
    compiled loops act on it.
    """

    def __init__(self, overload: Overload) -> None:
        self._overload = overload
        self._cut: set[Layer] = set()
        self._decided: set[Layer] = set()
        """Of which something was decided for another level than 0."""
        self.packets = 0
        """Incoming packets of video that were not forwarded."""

    @property
    def idle(self) -> bool:
        """Nothing is left out."""
        return not self._cut and not self._decided and not self._overload.level

    def takes(self, layer: Layer, sequence: int, packet: MediaPacket, now: float) -> bool:
        """Whether to leave a packet out; ask for each packet while not :attr:`idle`."""
        if layer.track.kind is not MediaKind.VIDEO:
            return False
        cut = layer in self._cut
        if self._overload.sheds((layer.track.track_id, layer.spatial)):
            if not cut and any(packet.timestamp == rendition.timestamp for rendition in layer.renditions):
                return False  # the rest of a picture that has begun
            self._decide(layer, cut=True)
        elif not cut or packet.keyframe:
            self._decide(layer, cut=False)
            return False
        else:
            self._decide(layer, cut=True)
            layer.keyframes.request(now)
        self.packets += 1
        for rendition in layer.renditions:
            rendition.numbering.drop(sequence, new_picture=packet.picture_start)
        return True

    def settle(self) -> None:
        """Look again at what was decided once all is well, and forget layers that nobody sends or wants any more."""
        self._cut = {layer for layer in self._cut if layer.renditions and layer in layer.track.layers}
        if self._overload.level:
            self._decided = {layer for layer in self._decided if layer in layer.track.layers}
            return
        for layer in self._decided - self._cut:
            layer.decide(0, cut=False)
        self._decided &= self._cut

    def _decide(self, layer: Layer, *, cut: bool) -> None:
        level = self._overload.level
        if cut:
            self._cut.add(layer)
        else:
            self._cut.discard(layer)
        if level:
            self._decided.add(layer)
        else:
            self._decided.discard(layer)
        layer.decide(level, cut=cut)
