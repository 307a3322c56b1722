"""A dispatch: the standing order that a room has an agent of some name."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from livekit.protocol import agent, agent_dispatch

from .job import Job


@dataclass(eq=False)
class Dispatch:
    """Made when its room is, or by the API while it lasts."""

    id: str
    room_name: str
    agent_name: str
    metadata: str = ""
    deployment: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    restart_policy: agent_dispatch.JobRestartPolicy = agent_dispatch.JRP_ON_FAILURE
    created_at: float = 0.0
    """Seconds since the epoch."""
    deleted_at: float = 0.0
    jobs: dict[str, Job] = field(default_factory=dict)
    """Those that have not ended, by id."""
    ended: deque[agent.Job] = field(default_factory=deque)
    """The last that have."""

    def serves(self, kind: agent.JobType, identity: str) -> bool:
        """Whether there is a job of this kind for the participant (or the room)."""
        return any(job.key.kind == kind and job.target == identity for job in self.jobs.values())

    def message(self) -> agent_dispatch.AgentDispatch:
        """As the API tells it."""
        jobs = [*self.ended, *(job.message() for job in self.jobs.values())]
        return agent_dispatch.AgentDispatch(
            id=self.id,
            agent_name=self.agent_name,
            room=self.room_name,
            metadata=self.metadata,
            restart_policy=self.restart_policy,
            deployment=self.deployment,
            attributes=self.attributes,
            state=agent_dispatch.AgentDispatchState(
                jobs=jobs, created_at=int(self.created_at * 1e9), deleted_at=int(self.deleted_at * 1e9)
            ),
        )
