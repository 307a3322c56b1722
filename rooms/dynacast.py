"""Dynacast: publishers learn which layers anybody wants, so that they may stop sending the others.

An upgrade is told at once. A downgrade waits, because subscribers come back and key frames are dear.
"""

from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from .layers import OFF
from .timers import Timer
from .track_info import codec_name

if TYPE_CHECKING:
    from .publication import Publication

_DOWNGRADE_DELAY_S = 5.0
"""LiveKit's dynacast_pause_delay."""
_FIRST_SUBSCRIBER_S = 10.0
"""How long a new track keeps every layer while nobody has subscribed yet."""
_QUALITIES = (models.LOW, models.MEDIUM, models.HIGH)


class Dynacast:
    """The highest quality that the subscribers of one video track want."""

    def __init__(self, publication: "Publication") -> None:
        self._publication = publication
        self._told: int | None = None
        self._timer: Timer | None = None
        self._running = False

    def start(self) -> None:
        """The track flows: begin to follow its subscribers."""
        if self._publication.info.type != models.VIDEO:
            return
        self._running = True
        self.update()

    def stop(self) -> None:
        """The track is gone."""
        self._running = False
        self._cancel()

    def update(self) -> None:
        """A subscription came, went, or wants another quality."""
        if not self._running:
            return
        wanted = self._publication.wanted_quality()
        if self._told is None:
            if wanted > OFF:
                self._tell()
            else:
                self._later(_FIRST_SUBSCRIBER_S)
        elif wanted > self._told:
            self._tell()
        elif wanted < self._told:
            self._later(_DOWNGRADE_DELAY_S)
        else:
            self._cancel()

    def repeat(self) -> None:
        """Tell once more what holds: the client was away."""
        if self._running and self._told is not None:
            self._send(self._told)

    def _tell(self) -> None:
        self._cancel()
        wanted = self._publication.wanted_quality()
        if wanted != self._told:
            self._told = wanted
            self._send(wanted)

    def _send(self, highest: int) -> None:
        info = self._publication.info
        qualities = [
            rtc.SubscribedQuality(quality=quality, enabled=int(quality) <= highest) for quality in _QUALITIES
        ]
        update = rtc.SubscribedQualityUpdate(
            track_sid=info.sid,
            subscribed_qualities=qualities,
            subscribed_codecs=[rtc.SubscribedCodec(codec=codec_name(info.mime_type), qualities=qualities)],
        )
        self._publication.publisher.signal.send(rtc.SignalResponse(subscribed_quality_update=update))

    def _later(self, delay_s: float) -> None:
        if self._timer is None:
            context = self._publication.publisher.context
            self._timer = context.later(delay_s, self._tell)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
