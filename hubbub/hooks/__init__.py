"""Hooks: Python code of yours that the server asks before somebody joins, publishes a track or sends data.

::

    from hubbub import Hooks, Refuse

    class House(Hooks):
        async def on_join(self, join):
            if not await paid(join.identity):
                raise Refuse("please renew your subscription")

Give them to ``Server(config, hooks=House())``, or name a function that makes them in the configuration:
``hooks: my_module:make_hooks``.
"""

from .hooks import DataAttempt, Hooks, JoinAttempt, PublishAttempt, Refuse
from .load import load_hooks
from .runner import HookRunner

__all__ = [
    "DataAttempt",
    "HookRunner",
    "Hooks",
    "JoinAttempt",
    "PublishAttempt",
    "Refuse",
    "load_hooks",
]
