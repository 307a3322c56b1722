"""What a worker says of itself when it registers, and which jobs that makes it fit for."""

from dataclasses import dataclass
from typing import NamedTuple

from livekit.protocol import agent, models

from auth.grants import VideoGrant
from rooms.permissions import grant_of

from .errors import WorkerRefused

MAX_NAME_CHARS = 256
"""Longest agent name and namespace."""
MAX_DEPLOYMENT_BYTES = 64
"""As LiveKit has it."""


class Key(NamedTuple):
    """Workers of one key are alike: each may get any job of it."""

    agent_name: str
    kind: agent.JobType
    deployment: str
    namespace: str
    """Deprecated in the protocol; a job is launched once in each."""


@dataclass(frozen=True, slots=True)
class Registration:
    """One worker's RegisterWorkerRequest."""

    key: Key
    permission: models.ParticipantPermission
    version: str

    @classmethod
    def read(cls, request: agent.RegisterWorkerRequest) -> "Registration":
        """Raises WorkerRefused."""
        if request.type not in agent.JobType.values():
            raise WorkerRefused("unknown job type")
        if max(len(request.agent_name), len(request.namespace)) > MAX_NAME_CHARS:
            raise WorkerRefused(f"agent name is longer than {MAX_NAME_CHARS} characters")
        problem = deployment_problem(request.deployment)
        if problem:
            raise WorkerRefused(problem)
        permission = models.ParticipantPermission(
            can_subscribe=True, can_publish=True, can_publish_data=True, can_update_metadata=True
        )
        if request.HasField("allowed_permissions"):
            permission.CopyFrom(request.allowed_permissions)
        key = Key(request.agent_name, request.type, request.deployment, request.namespace)
        return cls(key, permission, request.version[:MAX_NAME_CHARS])

    def grant(self, room: str) -> VideoGrant:
        """What its agents may do in a room. They are agents whatever the worker says, and never recorders."""
        permission = models.ParticipantPermission()
        permission.CopyFrom(self.permission)
        permission.agent, permission.recorder, permission.can_manage_agent_session = True, False, False
        return grant_of(permission, VideoGrant(room_join=True, room=room))


def deployment_problem(deployment: str) -> str:
    """Why this can't be the name of a deployment; empty if it can."""
    raw = deployment.encode()
    if len(raw) > MAX_DEPLOYMENT_BYTES:
        return f"deployment exceeds {MAX_DEPLOYMENT_BYTES} bytes"
    if "_" in deployment:
        return "deployment contains reserved character '_'"
    if any(byte <= 0x20 or byte == 0x7F for byte in raw):
        return "deployment contains whitespace or control byte"
    return ""
