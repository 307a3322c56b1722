"""What keeps the program from starting or doing what it was told; the text is for whoever runs it.

::

    HubbubError             exit code 1
    ├── ConfigError         exit code 2: the configuration or the command line
    └── StartError          something on this machine: a port in use, no public address, …
        └── ShadowedPackage another package took the name of one of ours
"""

from collections.abc import Sequence


class HubbubError(Exception):
    """Printed without a traceback."""

    exit_code = 1


class ConfigError(HubbubError):
    """Everything that is wrong with the configuration, one problem a line, each with its path."""

    exit_code = 2

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class StartError(HubbubError):
    """The server can't start here as configured."""


class ShadowedPackage(StartError):
    """A package with the name of one of ours comes first on Python's path."""
