"""One job: an agent that a room needs, from the wish for it to its end."""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

from livekit.protocol import agent, models

from rooms.timers import Waits

from .registration import Key
from .worker import Worker

if TYPE_CHECKING:
    from .dispatch import Dispatch

MAX_ERROR_CHARS = 1024
"""What is kept of a worker's explanation."""


class Wait(Enum):
    """What a job may be waiting for, each with a deadline."""

    WORKER = auto()
    ANSWER = auto()
    JOIN = auto()
    """Its agent to come in."""
    RETURN = auto()
    """Its agent to come back."""
    ADOPTION = auto()
    """Its worker to come back."""
    PARTICIPANT = auto()
    """The participant that it is for to come back."""


@dataclass(eq=False)
class Job:
    """Where it stands is seen from ``worker`` (asked or at work), ``identity`` (assigned) and ``ended``."""

    id: str
    room_name: str
    key: Key
    dispatch: "Dispatch | None" = None
    """None for one that a worker simulates."""
    participant: models.ParticipantInfo | None = None
    """Whom it is for; None when it is for the room."""
    restarts: int = 0
    room: models.Room = field(default_factory=models.Room)
    """The room when it was last offered."""
    state: agent.JobState = field(default_factory=agent.JobState)
    tried: set[str] = field(default_factory=set)
    """Workers that were asked, by id."""
    worker: Worker | None = None
    identity: str = ""
    """Of its agent, once it is assigned."""
    issuer: str = ""
    """The API key of the worker that took it."""
    abandoned: bool = False
    """Whether its worker has been given up, while its agent works on."""
    ended: bool = False
    waits: Waits[Wait] = field(default_factory=Waits)

    @property
    def simulated(self) -> bool:
        """Whether no dispatch asked for it."""
        return self.dispatch is None

    @property
    def assigned(self) -> bool:
        """Whether a worker took it."""
        return bool(self.identity)

    @property
    def target(self) -> str:
        """Identity of whom it is for; empty when it is for the room."""
        return self.participant.identity if self.participant is not None else ""

    def message(self) -> agent.Job:
        """As workers and the API are told."""
        message = agent.Job(
            id=self.id,
            type=self.key.kind,
            room=self.room,
            participant=self.participant,
            namespace=self.key.namespace,
            agent_name=self.key.agent_name,
            deployment=self.key.deployment,
            state=self.state,
        )
        if self.dispatch is not None:
            message.dispatch_id = self.dispatch.id
            message.metadata = self.dispatch.metadata
            message.attributes.update(self.dispatch.attributes)
        return message

    def touch(self, wall: float, status: agent.JobStatus | None = None) -> None:
        """Note a change at this time of day."""
        now_ns = int(wall * 1e9)
        self.state.updated_at = now_ns
        if status is not None:
            self.state.status = status
        if status == agent.JS_RUNNING and not self.state.started_at:
            self.state.started_at = now_ns
        if self.ended:
            self.state.ended_at = now_ns
