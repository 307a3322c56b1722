"""The subscribing side of a transport: its down tracks, what each may send, and what it should forward now."""

from collections.abc import Iterator

from sfu.control import (
    MediaKind,
    SetLayers,
    Subscribe,
    SubscriptionRefused,
    TrackBound,
    TrackId,
    TransportId,
)
from sfu.forwarding.downtrack import DownTrack
from sfu.forwarding.downtracks import UNSUPPORTED
from sfu.forwarding.profile import playout_delay
from sfu.forwarding.uptrack import UpTrack
from sfu.peer.context import PeerContext
from sfu.sdp import codecs, extensions
from sfu.sdp.answer import SendingTrack
from sfu.sdp.description import Codec, Section
from sfu.streams.attention import Attention
from sfu.streams.keyframes import RequestLimiter


class Subscribing:
    """Down tracks of one transport, by track. Negotiation gives them m-lines; this decides what flows."""

    def __init__(
        self,
        context: PeerContext,
        transport_id: TransportId,
        peer: int,
        cname: str,
        delay_ms: tuple[int, int] | None,
        attention: Attention,
    ) -> None:
        """``delay_ms``: see :meth:`tell_playout_delay`. ``attention`` is the transport's."""
        self._context = context
        self._transport_id = transport_id
        self._peer = peer
        self._cname = cname
        self._playout_delay = b""
        self.tell_playout_delay(delay_ms)
        self._connected = False
        self.down_tracks: dict[TrackId, DownTrack] = {}
        self.by_ssrc: dict[int, DownTrack] = {}
        self.keyframe_limits: dict[TrackId, RequestLimiter] = {}
        self._attention = attention
        self.aimed = False
        """Some of them have been aimed, for which ``attention`` is rung; whoever comes takes note and sets it back."""

    def tell_playout_delay(self, delay_ms: tuple[int, int] | None) -> None:
        """What receivers are told of playing out video that is negotiated from now on; None for nothing."""
        self._playout_delay = b"" if delay_ms is None else playout_delay(*delay_ms)

    def subscribe(self, command: Subscribe) -> DownTrack | None:
        """Make a down track; None when there is nothing (more) to subscribe to."""
        track = self._context.tracks.get(command.track_id)
        if track is None or track.owner == self._transport_id or command.track_id in self.down_tracks:
            return None
        if len(self.down_tracks) >= self._context.config.max_subscriptions_per_transport:
            return None
        ssrcs = (self._context.new_ssrc(), self._context.new_ssrc())
        down = DownTrack(
            self._context.down_tracks, self._transport_id, self._peer, track, command.stream_id, ssrcs
        )
        down.enabled, down.spatial, down.temporal = command.enabled, command.spatial, command.temporal
        self.down_tracks[command.track_id] = down
        self.by_ssrc[down.ssrc] = down
        track.down_tracks[self._transport_id] = down
        self.keyframe_limits[command.track_id] = RequestLimiter()
        return down

    def unsubscribe(self, track_id: TrackId) -> DownTrack | None:
        """Drop a down track and return it, so that its m-line can be freed."""
        down = self.down_tracks.pop(track_id, None)
        if down is None:
            return None
        del self.by_ssrc[down.ssrc]
        del self.keyframe_limits[track_id]
        down.track.down_tracks.pop(self._transport_id, None)
        down.release()
        for ssrc in (down.ssrc, down.rtx_ssrc):
            self._context.peers.srtp.forget_sent(self._peer, ssrc)
        return down

    def set_layers(self, command: SetLayers) -> None:
        """What the subscriber wants of a track has changed."""
        down = self.down_tracks.get(command.track_id)
        if down is not None:
            down.enabled, down.spatial, down.temporal = command.enabled, command.spatial, command.temporal
            self.retarget(down)

    def unnegotiated(self, kind: MediaKind) -> Iterator[DownTrack]:
        """Down tracks that still need an m-line."""
        return (d for d in self.down_tracks.values() if not d.negotiated and d.track.kind is kind)

    def accept(self, down: DownTrack, section: Section) -> tuple[Codec, ...]:
        """Put a down track on the client's m-line; returns the codecs to send.

        Empty when the client can't take the track's codec; then the down track is dropped.
        """
        accepted = codecs.accept_subscribe(
            section, mimes(down.track), down.track.main.fmtp, down.track.spec.stereo
        )
        if not accepted:
            self.refuse(down)
            return ()
        self.configure(down, section.mid, accepted, extensions.accept_subscribe(section))
        return accepted

    def refuse(self, down: DownTrack) -> None:
        """Drop a down track that the client won't have."""
        self.unsubscribe(down.track_id)
        self._context.emit(SubscriptionRefused(self._transport_id, down.track_id))

    def configure(
        self, down: DownTrack, mid: str, accepted: tuple[Codec, ...], extension_ids: dict[int, str]
    ) -> None:
        """Set what negotiation decided: m-line, payload types, retransmission, header extensions."""
        main = next((c for c in accepted if c.mime == down.track.main.mime), None)
        red = next((c for c in accepted if c.mime == "audio/red"), None)
        down.plain = down.track.redundant and red is None
        if main is not None:
            rtx = next((c for c in accepted if c.mime.endswith("/rtx") and c.apt == main.payload_type), None)
            down.rtx_payload_type = rtx.payload_type if rtx is not None else 0
        slots = [UNSUPPORTED if codec is None else codec.payload_type for codec in (main, red)]
        self._context.down_tracks.set_payload_types(down.row, slots)
        ids = {uri: id_ for id_, uri in extension_ids.items()}
        down.profile = self._context.profiles.profile(ids, self._playout_delay)
        down.mid = mid
        self.retarget(down)

    def sending(self, down: DownTrack) -> SendingTrack:
        """How SDP names a down track."""
        rtx_ssrc = down.rtx_ssrc if down.rtx_payload_type else None
        return SendingTrack(down.stream_id, down.track_id, down.ssrc, rtx_ssrc, self.cname(down))

    def cname(self, down: DownTrack) -> str:
        """One name for all streams of a publisher, so that the subscriber plays them in step."""
        return down.stream_id.partition("|")[0] or self._cname

    def connected(self) -> None:
        """The transport can carry media now."""
        self._connected = True
        self.bind_negotiated()

    def bind_negotiated(self) -> None:
        """Start what has an m-line, once the transport is connected."""
        if not self._connected:
            return
        for down in list(self.down_tracks.values()):
            if down.negotiated and not down.bound:
                down.bound = True
                self.retarget(down)
                self._context.emit(TrackBound(self._transport_id, down.track_id))

    def retarget(self, down: DownTrack) -> None:
        """Aim a down track at the best layer that it may have now."""
        self.aimed = True
        self._attention.ring()
        track = down.track
        if track.muted or not (down.bound and down.enabled):
            down.aim(None, muted=track.muted)
            return
        layer = track.best(down.spatial)
        if layer is None:  # wait for the first key frame where it usually comes, so as not to need another
            layer = down.target.layer if down.target is not None else track.layers[0]
        down.aim(layer.rendition(temporal=down.temporal, plain=down.plain))

    def close(self) -> None:
        """Drop all down tracks."""
        self._connected = False
        for track_id in list(self.down_tracks):
            self.unsubscribe(track_id)


def mimes(track: UpTrack) -> tuple[str, ...]:
    """What a subscriber may be sent for a track, best first."""
    return ("audio/red", track.main.mime) if track.redundant else (track.main.mime,)
