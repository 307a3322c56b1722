"""The m-lines of one client and its turns of offer and answer.

Sans-IO. A client of ``/rtc/v1`` makes all offers: one with its join request, more when it publishes or when the server
asks for more lines to send on. One offer is under way at a time; what comes up meanwhile goes into the next.
"""

from collections.abc import Sequence

from hubbub.load import sdp
from hubbub.load.sdp import Credentials, Forwarded, Line
from sfu.sdp.description import Description
from sfu.sdp.parse import Parser

RECEIVING_LINES = 3
"""Lines for audio and as many for video in the first offer, as LiveKit's SDKs have it."""
MAX_LINES = 1000
"""More are not offered, whatever the server asks for; servers read no more."""


class Negotiation:
    """Offers and answers of one peer connection."""

    def __init__(self, credentials: Credentials, session_id: int) -> None:
        self.description: Description | None = None
        """The last answer."""
        self.offer_id = 0
        self._credentials = credentials
        self._session_id = session_id
        self._lines = [Line(kind) for kind in ("audio", "video") for _ in range(RECEIVING_LINES)]
        self._lines.append(Line("application"))
        self._parser = Parser()
        self._waiting = False
        self._wanted = True

    def publish(self, lines: Sequence[Line]) -> None:
        """Add lines to send on."""
        self._lines += lines
        self._wanted = True

    def require(self, audios: int, videos: int) -> None:
        """Add as many lines to receive on, and offer again even for none: the server has news."""
        room = MAX_LINES - len(self._lines)
        self._lines += ([Line("audio")] * audios + [Line("video")] * videos)[: max(room, 0)]
        self._wanted = True

    def next_offer(self) -> str | None:
        """The offer to send now, if there is one."""
        if self._waiting or not self._wanted:
            return None
        self._wanted = False
        self._waiting = True
        self.offer_id += 1
        return sdp.offer(self._lines, self._credentials, self._session_id, self.offer_id)

    def answer(self, text: str) -> list[Forwarded]:
        """Take an answer in; gives the streams that it announces. Raises SdpError."""
        self._waiting = False
        self.description = self._parser.parse(text)
        return sdp.forwarded(self.description)

    def mid(self, track: str) -> str:
        """The mid of a published track."""
        return str(next(place for place, line in enumerate(self._lines) if line.track == track))
