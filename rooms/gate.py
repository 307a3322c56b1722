"""Asking somebody outside before something happens, who may take time to answer: hooks.

The model stays synchronous: a gate is given a function to call with its decision, at once or later. Until it has
decided on a track, the participant's further requests wait, so that they are carried out in their order.
"""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from livekit.protocol import models, rtc

if TYPE_CHECKING:
    from .session import Session

Decide = Callable[[str | None], None]
"""Called once, with why it is refused or None. Late calls, for who has left meanwhile, do nothing."""


class Gate(Protocol):
    """Lets things pass or not."""

    def publish(self, session: "Session", request: rtc.AddTrackRequest, decide: Decide) -> None:
        """Whether a participant may publish a track that its token allows."""

    def data(self, session: "Session", packet: models.DataPacket, label: str, decide: Decide) -> None:
        """Whether a data packet is sent on. Decisions on one participant's packets come in their order."""


class OpenGate:
    """Nobody wants to be asked."""

    def publish(self, session: "Session", request: rtc.AddTrackRequest, decide: Decide) -> None:  # noqa: ARG002
        """Yes."""
        decide(None)

    def data(
        self,
        session: "Session",  # noqa: ARG002
        packet: models.DataPacket,  # noqa: ARG002
        label: str,  # noqa: ARG002
        decide: Decide,
    ) -> None:
        """Yes."""
        decide(None)


class HeldRequests:
    """A participant's requests that wait for a decision on an earlier one."""

    def __init__(self, session: "Session", limit: int) -> None:
        self._session = session
        self._limit = limit
        self._undecided = 0
        self._requests: deque[rtc.SignalRequest] = deque()

    @property
    def holding(self) -> bool:
        """Whether a request must wait."""
        return self._undecided > 0

    def hold(self, request: rtc.SignalRequest) -> bool:
        """Keep a request for later; False when too many wait already."""
        if len(self._requests) >= self._limit:
            return False
        copy = rtc.SignalRequest()
        copy.CopyFrom(request)
        self._requests.append(copy)
        return True

    def until(self, then: Decide) -> Decide:
        """A decision to be waited for: ``then`` is called with it, and what has waited is carried out after it."""
        self._undecided += 1
        decided = False

        def decide(refusal: str | None) -> None:
            nonlocal decided
            if decided:
                return
            decided = True
            self._undecided -= 1
            if not self._session.ended:
                then(refusal)
                self._release()

        return decide

    def _release(self) -> None:
        while self._requests and not self.holding and not self._session.ended:
            self._session.handle(self._requests.popleft())
