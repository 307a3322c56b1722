"""Wishes for agents of which there is no worker yet, kept for a while in case one comes."""

from livekit.protocol import agent

from .dispatch import Dispatch

_Kind = tuple[str, agent.JobType, str]
"""Agent name, job type, deployment."""


class Wishes:
    """By what they are for; no more than there are dispatches, and participants for each.

    Times are seconds of the clock's ``now``.
    """

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._wishes: dict[_Kind, dict[Dispatch, dict[str, float]]] = {}

    def __len__(self) -> int:
        return sum(len(wishes) for alike in self._wishes.values() for wishes in alike.values())

    def add(self, dispatch: Dispatch, kind: agent.JobType, identity: str, now: float) -> None:
        """Remember one for a participant, or for the room (no identity)."""
        if self._patience_s:
            alike = self._wishes.setdefault((dispatch.agent_name, kind, dispatch.deployment), {})
            alike.setdefault(dispatch, {})[identity] = now + self._patience_s

    def take(
        self, agent_name: str, kind: agent.JobType, deployment: str, now: float
    ) -> list[tuple[Dispatch, str]]:
        """All of a kind that are not too old; they are wishes no more."""
        alike = self._wishes.pop((agent_name, kind, deployment), {})
        return [
            (dispatch, identity)
            for dispatch, wishes in alike.items()
            for identity, until in wishes.items()
            if until > now
        ]

    def drop(self, dispatch: Dispatch, identity: str | None = None) -> None:
        """Forget those of a dispatch, or only those for one participant."""
        for job_type in (agent.JT_ROOM, agent.JT_PUBLISHER, agent.JT_PARTICIPANT):
            kind = (dispatch.agent_name, job_type, dispatch.deployment)
            alike = self._wishes.get(kind, {})
            wishes = alike.get(dispatch, {})
            if identity is None:
                wishes.clear()
            else:
                wishes.pop(identity, None)
            if not wishes:
                alike.pop(dispatch, None)
            if not alike:
                self._wishes.pop(kind, None)
