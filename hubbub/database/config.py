"""Settings of the database."""

import os
from dataclasses import dataclass
from pathlib import Path

MEMORY = ":memory:"
FILE_NAME = "hubbub.db"


@dataclass(frozen=True, slots=True)
class DatabaseConfig:
    """Where it is and how safe."""

    path: str = ""
    """SQLite file, made if need be; a relative one is below data_directory. Empty for hubbub.db there. ":memory:"
    keeps nothing beyond the process, which is the default with --dev."""
    durable: bool = True
    """Wait until the disk has what is written: what was accepted survives a power cut too, not only a crash."""


def database_path(config: DatabaseConfig, data_directory: str, *, development: bool) -> str:
    """The file that the database is in, or MEMORY."""
    if config.path == MEMORY or (development and not config.path):
        return MEMORY
    expanded = (
        Path(os.path.expandvars(part)).expanduser() for part in (data_directory, config.path or FILE_NAME)
    )
    directory, file = expanded
    return str(directory / file)
