"""``livekit.AgentDispatchService``: which agents a room is to have."""

from livekit.protocol import agent_dispatch as messages

from hubbub.api.access import Caller
from rooms.agents.service import AgentService


class AgentDispatchService:
    """Handlers for :class:`hubbub.api.twirp.server.TwirpServer`. All need roomAdmin for the room."""

    def __init__(self, agents: AgentService) -> None:
        self._agents = agents

    def create_dispatch(
        self, by: Caller, request: messages.CreateAgentDispatchRequest
    ) -> messages.AgentDispatch:
        """Order an agent for a room."""
        by.require_room_admin(request.room)
        return self._agents.create_dispatch(request, by.require_token().issuer)

    def delete_dispatch(
        self, by: Caller, request: messages.DeleteAgentDispatchRequest
    ) -> messages.AgentDispatch:
        """Cancel an order, and end what came of it."""
        by.require_room_admin(request.room)
        return self._agents.delete_dispatch(request.room, request.dispatch_id)

    def list_dispatch(
        self, by: Caller, request: messages.ListAgentDispatchRequest
    ) -> messages.ListAgentDispatchResponse:
        """The orders of a room, and their jobs."""
        by.require_room_admin(request.room)
        found = self._agents.list_dispatches(request.room, request.dispatch_id)
        return messages.ListAgentDispatchResponse(agent_dispatches=found)
