"""Hubbub: an SFU media server that speaks LiveKit's protocols.

::

    from hubbub import Config, Server

    async with Server(Config(development=True, port=0)) as server:
        print(server.url)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .config import Config as Config
    from .hooks import Hooks as Hooks
    from .hooks import Refuse as Refuse
    from .server import Server as Server

__all__ = ["Config", "Hooks", "Refuse", "Server"]

_HOMES = {"Config": ".config", "Hooks": ".hooks", "Refuse": ".hooks", "Server": ".server"}
"""Imported when they are first used: the command line must not wait for what it doesn't need."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)
