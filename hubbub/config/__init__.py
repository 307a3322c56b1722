"""The configuration: one YAML file in LiveKit's shape, environment variables over it, flags over both.

Each package has its settings in a frozen dataclass of its own; this one puts them together. What each setting
does is its docstring there, from which ``hubbub config print-default`` is made.
"""

from .load import configure, load, load_database, load_keys, load_url
from .model import DEV_KEY, DEV_SECRET, Config, LoggingConfig, MetricsConfig

__all__ = [
    "DEV_KEY",
    "DEV_SECRET",
    "Config",
    "LoggingConfig",
    "MetricsConfig",
    "configure",
    "load",
    "load_database",
    "load_keys",
    "load_url",
]
