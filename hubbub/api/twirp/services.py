"""Which services there are: those with an implementation, and those whose calls are refused for want of one."""

from collections.abc import Callable

from google.protobuf.descriptor import ServiceDescriptor
from livekit.protocol import agent_dispatch, connector, egress, ingress, room, sip

from auth.keys import KeyRing
from hubbub.api.access import Caller
from hubbub.api.twirp.agent_dispatch_service import AgentDispatchService
from hubbub.api.twirp.room_service import RoomService
from hubbub.api.twirp.server import TwirpServer, Unimplemented
from rooms.administration import Administration
from rooms.agents.service import AgentService
from rooms.roles import RoleNamed

ROOM_SERVICE: ServiceDescriptor = room.DESCRIPTOR.services_by_name["RoomService"]
AGENT_DISPATCH_SERVICE: ServiceDescriptor = agent_dispatch.DESCRIPTOR.services_by_name["AgentDispatchService"]

UNIMPLEMENTED: tuple[tuple[ServiceDescriptor, Callable[[Caller], object]], ...] = (
    (egress.DESCRIPTOR.services_by_name["Egress"], Caller.require_room_record),
    (ingress.DESCRIPTOR.services_by_name["Ingress"], Caller.require_ingress_admin),
    (sip.DESCRIPTOR.services_by_name["SIP"], lambda by: by.require_sip("admin", "call")),
    (connector.DESCRIPTOR.services_by_name["Connector"], Caller.require_token),
)
"""With the grant that each asks for, which is checked all the same."""


def twirp(
    administration: Administration, keys: KeyRing, agents: AgentService, role_named: RoleNamed
) -> TwirpServer:
    """The server API of a server."""
    server = TwirpServer(keys, role_named=role_named)
    for descriptor, check in UNIMPLEMENTED:
        server.mount(descriptor, Unimplemented(check))
    server.mount(ROOM_SERVICE, RoomService(administration))
    server.mount(AGENT_DISPATCH_SERVICE, AgentDispatchService(agents))
    return server
