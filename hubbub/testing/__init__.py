"""A real Hubbub for tests: the pytest plugin's fixtures, and what they are made of.

This package is imported into other people's test processes. It therefore imports none of Hubbub's flat packages;
the server runs in a process of its own.
"""

from .netem import BurstLoss, Conditions
from .network import Network
from .server import HubbubServer, ServerFailed

__all__ = ["BurstLoss", "Conditions", "HubbubServer", "Network", "ServerFailed"]
