"""API keys while the server runs: a key file that changes, keys in the database, and a callback of the operator's.

The configuration's own keys (inline, or from the environment) hold for as long as the server runs.
"""

from .rotation import ROTATION_S
from .table import SCHEMA, KeyRow, KeyTable
from .watch import KeyWatch

__all__ = ["ROTATION_S", "SCHEMA", "KeyRow", "KeyTable", "KeyWatch"]
