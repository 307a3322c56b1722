"""The fan-out of one room, as the data plane knows it: its transports, and who of them speaks."""

from collections.abc import Iterator

from sfu.control import RouterId, TrackId, TransportId
from sfu.forwarding.uptrack import UpTrack
from sfu.peer.transport import Transport
from sfu.streams.speakers import SpeakerBoard, SpeechSettings


class Router:
    """Transports by id. Tracks hang on the transports that publish them."""

    def __init__(self, router_id: RouterId, speech: SpeechSettings) -> None:
        self.id = router_id
        self.transports: dict[TransportId, Transport] = {}
        self.speakers: SpeakerBoard[TrackId] = SpeakerBoard(speech)
        self.interval_s = speech.window_s
        """Between looks at who speaks."""
        self.quality_due_at: float | None = None
        """When connection quality is to be told next; not before the first look."""

    def tracks(self) -> Iterator[UpTrack]:
        """Everything published in the room."""
        for transport in self.transports.values():
            yield from transport.publishing.tracks.values()

    def levels(self, now: float) -> Iterator[tuple[TrackId, float]]:
        """Level of each unmuted microphone."""
        for transport in self.transports.values():
            for track, meter in transport.ingress.levels.items():
                if not track.muted:
                    yield track.track_id, meter.level(now)
