"""Hubbub: an SFU media server that speaks LiveKit's protocols.

::

    from hubbub import Server, configure

    async with Server(configure({"development": True, "port": 0})) as server:
        room = server.rooms.create("kitchen")
        print(server.url, room.token("ann"))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .config import Config as Config
    from .config import configure as configure
    from .hooks import Hooks as Hooks
    from .hooks import Refuse as Refuse
    from .server import Server as Server

__all__ = ["Config", "Hooks", "Refuse", "Server", "configure"]

_HOMES = {
    "Config": ".config",
    "configure": ".config",
    "Hooks": ".hooks",
    "Refuse": ".hooks",
    "Server": ".server",
}
"""Imported when they are first used: the command line must not wait for what it doesn't need."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)
