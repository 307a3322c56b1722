"""The publishing side of a transport: which m-line carries which track.

A client announces a track (ExpectTrack) and offers an m-line for it, in either order. Both are kept until the other
comes; an m-line is answered at once in any case, because a client that gets no answer sends no candidates.
"""

from dataclasses import dataclass

from sfu.control import (
    LayerInfo,
    MediaKind,
    TrackEnded,
    TrackId,
    TrackSpec,
    TrackStarted,
    TransportId,
)
from sfu.forwarding.ingress import Binding, Ingress
from sfu.forwarding.uptrack import Layer, UpTrack
from sfu.peer.context import PeerContext
from sfu.sdp import codecs, extensions
from sfu.sdp.description import Codec, Section
from sfu.streams.sender_report import PublisherClock

_RID_ORDER = {"q": 0, "h": 1, "f": 2, "0": 0, "1": 1, "2": 2}
"""Spatial order of the RIDs that LiveKit's clients use; others keep the order of the offer."""


@dataclass(slots=True)
class _Line:
    """An m-line that the client sends on."""

    section: Section
    codecs: tuple[Codec, ...]
    track: UpTrack | None = None


class Publishing:
    """Matches announced tracks with m-lines; the tracks of one transport."""

    def __init__(self, context: PeerContext, transport_id: TransportId, ingress: Ingress) -> None:
        self._context = context
        self._transport_id = transport_id
        self._ingress = ingress
        self._expected: list[TrackSpec] = []
        self._lines: dict[str, _Line] = {}
        self._extensions: dict[int, str] = {}
        self.tracks: dict[TrackId, UpTrack] = {}
        self.clock = PublisherClock()

    def expect(self, spec: TrackSpec) -> None:
        """A track was announced; it starts at once if its m-line came before."""
        if len(self.tracks) + len(self._expected) >= self._context.config.max_tracks_per_transport:
            return
        self._expected.append(spec)
        for line in self._lines.values():
            if line.track is None and _matches(spec, line.section):
                self._start(spec, line)
                return

    def drop(self, track_id: TrackId) -> None:
        """Forget a track, whether it has started or not."""
        self._expected = [spec for spec in self._expected if spec.track_id != track_id]
        self._end(track_id)

    def offered(self, section: Section) -> tuple[Codec, ...]:
        """Take an offered m-line that the client sends on; returns the codecs to answer with."""
        line = self._lines.get(section.mid)
        if line is not None and line.track is not None and _cid(line.section) != _cid(section):
            self._end(line.track.track_id)  # the m-line was recycled for another track
            line = None
        if line is not None and line.track is not None:
            line.section = section
            return line.codecs
        spec = self._announced(section)
        line = _Line(section, _accept(section, spec))
        self._lines[section.mid] = line
        if line.codecs:
            self._extensions.update(extensions.accept_publish(section, line.codecs[0].mime))
        if spec is not None and line.codecs:
            self._start(spec, line)
        return line.codecs

    def withdrawn(self, mid: str) -> None:
        """The client sends on this m-line no longer."""
        line = self._lines.pop(mid, None)
        if line is not None and line.track is not None:
            self._end(line.track.track_id)

    def close(self) -> None:
        """End all tracks."""
        for track_id in list(self.tracks):
            self._end(track_id)
        self._lines.clear()
        self._expected.clear()

    def _announced(self, section: Section) -> TrackSpec | None:
        for spec in self._expected:
            if _matches(spec, section):
                return spec
        if _cid(section):
            return None
        return next((spec for spec in self._expected if spec.kind.value == section.kind), None)

    def _start(self, spec: TrackSpec, line: _Line) -> None:
        self._expected.remove(spec)
        section = line.section
        track = UpTrack(self._transport_id, spec, line.codecs, self.clock)
        history = self._context.config.history_packets if track.kind is MediaKind.VIDEO else 0
        for spatial, (rid, ssrc) in enumerate(_encodings(section)):
            track.layers.append(Layer(track, spatial, rid, ssrc, history))
        line.track = track
        self.tracks[spec.track_id] = track
        self._context.tracks[spec.track_id] = track
        media_ssrcs = section.sim_group or section.ssrcs[:1]
        binding = Binding(
            track=track,
            mid=section.mid,
            rids=section.rids,
            ssrcs=() if section.rids else media_ssrcs,
            rtx_ssrcs=section.rtx_ssrcs,
            nack="nack" in track.main.feedback,
        )
        self._ingress.bind(binding, self._extensions)
        layers = tuple(LayerInfo(layer.spatial, layer.rid, layer.ssrc) for layer in track.layers)
        self._context.emit(
            TrackStarted(self._transport_id, spec.track_id, track.mime, section.mid, _cid(section), layers)
        )

    def _end(self, track_id: TrackId) -> None:
        track = self.tracks.pop(track_id, None)
        if track is None:
            return
        for line in self._lines.values():
            if line.track is track:
                line.track = None
        self._ingress.unbind(track)
        del self._context.tracks[track_id]
        for down in list(track.down_tracks.values()):
            down.stop()
        self._context.emit(TrackEnded(self._transport_id, track_id))


def _matches(spec: TrackSpec, section: Section) -> bool:
    return spec.kind.value == section.kind and bool(_cid(section)) and _cid(section) in spec.cids


def _cid(section: Section) -> str:
    """What LiveKit calls the client id: the track half of the m-line's msid."""
    return section.msid[1] if section.msid else ""


def _accept(section: Section, spec: TrackSpec | None) -> tuple[Codec, ...]:
    if spec is None:
        return codecs.accept_publish(section, preferred="", red=True, dtx=True, stereo=False)
    return codecs.accept_publish(
        section, preferred=spec.codec, red=spec.red, dtx=spec.dtx, stereo=spec.stereo
    )


def _encodings(section: Section) -> list[tuple[str, int]]:
    """RID and SSRC of each layer, smallest first. Clients list RIDs in either order."""
    if section.rids:
        order = {rid: index for index, rid in enumerate(section.rids)}
        if all(rid in _RID_ORDER for rid in section.rids):
            order = _RID_ORDER
        return [(rid, 0) for rid in sorted(section.rids, key=order.__getitem__)]
    if section.sim_group:
        return [("", ssrc) for ssrc in section.sim_group]
    return [("", section.ssrcs[0] if section.ssrcs else 0)]
