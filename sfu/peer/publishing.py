"""The publishing side of a transport: which m-line carries which track.

A client announces a track (ExpectTrack) and offers an m-line for it, in either order. Both are kept until the other
comes; an m-line is answered at once in any case, because a client that gets no answer sends no candidates.
"""

from collections.abc import Iterable, Sequence
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
from sfu.forwarding.binding import Binding
from sfu.forwarding.ingress import Ingress
from sfu.forwarding.uptrack import Layer, UpTrack
from sfu.peer.context import PeerContext
from sfu.sdp import codecs, extensions
from sfu.sdp.description import Codec, Description, Section
from sfu.streams.sender_report import PublisherClock

_RID_ORDER = {"q": 0, "h": 1, "f": 2, "0": 0, "1": 1, "2": 2}
"""Spatial order of the RIDs that LiveKit's clients use; others keep the order of the offer."""


@dataclass(slots=True)
class _Line:
    """An m-line that the client sends on."""

    section: Section
    codecs: tuple[Codec, ...]
    track: UpTrack | None = None

    @property
    def free(self) -> bool:
        """It could carry a track."""
        return self.track is None and bool(self.codecs)


class Publishing:
    """Matches announced tracks with m-lines; the tracks of one transport."""

    def __init__(self, context: PeerContext, transport_id: TransportId, ingress: Ingress) -> None:
        self._context = context
        self._transport_id = transport_id
        self._ingress = ingress
        self._expected: list[TrackSpec] = []
        self._matches: dict[str, TrackSpec] = {}
        """Announced tracks for m-lines of the offer at hand."""
        self._lines: dict[str, _Line] = {}
        self._extensions: dict[int, str] = {}
        self.tracks: dict[TrackId, UpTrack] = {}
        self.clock = PublisherClock()

    def expect(self, spec: TrackSpec) -> None:
        """A track was announced; it starts at once if its m-line came before."""
        if len(self.tracks) + len(self._expected) >= self._context.config.max_tracks_per_transport:
            return
        self._expected.append(spec)
        free = [line for line in self._lines.values() if line.free]
        mid = next(iter(_match((spec,), [line.section for line in free])), None)
        if mid is not None:
            self._start(spec, self._lines[mid])

    def drop(self, track_id: TrackId) -> None:
        """Forget a track, whether it has started or not."""
        self._expected = [spec for spec in self._expected if spec.track_id != track_id]
        self._end(track_id)

    def begin(self, offer: Description) -> None:
        """Look at a whole offer: end what it sends no longer, and find its new tracks among those announced."""
        sending = {section.mid: section for section in offer.sections if is_sent(section)}
        for mid, line in list(self._lines.items()):
            section = sending.get(mid)
            recycled = section is not None and line.track is not None and _cid(section) != _cid(line.section)
            if section is None or recycled:
                del self._lines[mid]
                if line.track is not None:
                    self._end(line.track.track_id)
        unbound = [
            s for s in sending.values() if s.mid not in self._lines or self._lines[s.mid].track is None
        ]
        self._matches = _match(self._expected, unbound)
        self._guess([s for s in unbound if s.mid not in self._lines and s.mid not in self._matches])

    def offered(self, section: Section) -> tuple[Codec, ...]:
        """Take an m-line that the client sends on; returns the codecs to answer with."""
        line = self._lines.get(section.mid)
        if line is not None and line.track is not None:
            if _streams(line.section) != _streams(section):
                self._bind(line.track, section)
            line.section = section
            return line.codecs
        spec = self._matches.pop(section.mid, None)
        line = self._lines[section.mid] = _Line(section, _accept(section, spec))
        if line.codecs:
            self._extensions.update(extensions.accept_publish(section, line.codecs[0].mime))
            if spec is not None:
                self._start(spec, line)
        return line.codecs

    def close(self) -> None:
        """End all tracks."""
        for track_id in list(self.tracks):
            self._end(track_id)
        self._lines.clear()
        self._expected.clear()

    def _guess(self, sections: Sequence[Section]) -> None:
        """Match by kind alone, where that is no choice: a client that has replaced a track between its announcement
        and its offer sends another id."""
        matched = {spec.track_id for spec in self._matches.values()}
        for kind in MediaKind:
            lines = [section for section in sections if section.kind == kind.value]
            specs = [spec for spec in self._expected if spec.kind is kind and spec.track_id not in matched]
            if len(lines) == len(specs) == 1:
                self._matches[lines[0].mid] = specs[0]

    def _start(self, spec: TrackSpec, line: _Line) -> None:
        self._expected.remove(spec)
        section = line.section
        track = line.track = UpTrack(self._transport_id, spec, line.codecs, self.clock)
        self.tracks[spec.track_id] = track
        self._context.tracks[spec.track_id] = track
        self._bind(track, section)
        layers = tuple(LayerInfo(layer.spatial, layer.rid, layer.ssrc) for layer in track.layers)
        self._context.emit(
            TrackStarted(self._transport_id, spec.track_id, track.mime, section.mid, _cid(section), layers)
        )

    def _bind(self, track: UpTrack, section: Section) -> None:
        """Expect the streams that an m-line names. When it names others later, layers that somebody still forwards
        stay until they fall silent."""
        history = self._context.config.history_packets if track.kind is MediaKind.VIDEO else 0
        before, track.layers = track.layers, []
        for spatial, (rid, ssrc) in enumerate(_encodings(section)):
            known = [layer for layer in before if layer.rid == rid][0 if rid else spatial :]
            layer = (
                known[0]
                if known
                else Layer(track, spatial, rid, ssrc, history, self._context.streams.forwarding)
            )
            layer.spatial = spatial
            track.layers.append(layer)
        track.layers += [layer for layer in before if layer not in track.layers and layer.renditions]
        binding = Binding(
            track=track,
            mid=section.mid,
            rids=section.rids,
            ssrcs=() if section.rids else section.sim_group or section.ssrcs[:1],
            rtx_ssrcs=section.rtx_ssrcs,
            nack="nack" in track.main.feedback,
        )
        self._ingress.bind(binding, self._extensions)

    def _end(self, track_id: TrackId) -> None:
        track = self.tracks.pop(track_id, None)
        if track is None:
            return
        for line in self._lines.values():
            if line.track is track:
                line.track = None
        self._ingress.unbind(track)
        del self._context.tracks[track_id]
        for subscriber in list(track.down_tracks):
            self._context.end_subscription(subscriber, track_id)
        for layer in track.layers:
            layer.forget_renditions()  # what they keep of the media is large, and layers and tracks hold each other
        self._context.emit(TrackEnded(self._transport_id, track_id))


def is_sent(section: Section) -> bool:
    """Whether the client sends on an m-line."""
    return section.is_media and not section.rejected and section.direction in ("sendonly", "sendrecv")


def _match(specs: Iterable[TrackSpec], sections: Sequence[Section]) -> dict[str, TrackSpec]:
    """Announced tracks by mid: by their client ids, and m-lines that name none in order of the announcements."""
    found: dict[str, TrackSpec] = {}
    rest = []
    for spec in specs:
        open_lines = [s for s in sections if s.kind == spec.kind.value and s.mid not in found]
        section = next((s for s in open_lines if _cid(s) and _cid(s) in spec.cids), None)
        if section is not None:
            found[section.mid] = spec
        else:
            rest.append(spec)
    for spec in rest:
        nameless = (s for s in sections if s.kind == spec.kind.value and s.mid not in found and not _cid(s))
        section = next(nameless, None)
        if section is not None:
            found[section.mid] = spec
    return found


def _cid(section: Section) -> str:
    """What LiveKit calls the client id: the track half of the m-line's msid."""
    return section.msid[1] if section.msid else ""


def _accept(section: Section, spec: TrackSpec | None) -> tuple[Codec, ...]:
    if spec is None:
        return codecs.accept_publish(section, preferred="", red=True, dtx=True, stereo=False)
    return codecs.accept_publish(
        section, preferred=spec.codec, red=spec.red, dtx=spec.dtx, stereo=spec.stereo
    )


def _streams(section: Section) -> object:
    """What an m-line says of its streams."""
    return section.rids, section.ssrcs, section.sim_group, section.rtx_ssrcs


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
