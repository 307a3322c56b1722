"""Finding the hooks that the configuration names: ``module:function``."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from hubbub.errors import StartError

from .hooks import Hooks


def load_hooks(path: str) -> Hooks:
    """Call the function that ``module:function`` names; it returns a :class:`Hooks`.

    The module may be installed or lie in the working directory. Raises StartError.
    """
    module_name, colon, name = path.partition(":")
    if not (module_name and colon and name):
        raise StartError(f"hooks: {path!r} should be module:function")
    with _working_directory_last():
        try:
            made = getattr(import_module(module_name), name)()
        except Exception as error:
            raise StartError(f"hooks: {path} failed: {type(error).__name__}: {error}") from error
    if not isinstance(made, Hooks):
        raise StartError(f"hooks: {path} should return a hubbub.Hooks, not {type(made).__name__}")
    return made


@contextmanager
def _working_directory_last() -> Iterator[None]:
    """Behind everything that is installed, so that nothing there takes the name of one of our packages."""
    here = str(Path.cwd())
    sys.path.append(here)
    try:
        yield
    finally:
        sys.path.remove(here)
