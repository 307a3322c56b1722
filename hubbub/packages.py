"""Make sure that our packages are ours.

Hubbub's packages have plain names, and somebody's own ``auth`` may come first on Python's path.
"""

from importlib.util import find_spec
from pathlib import Path

from .errors import ShadowedPackage

PACKAGES = ("auth", "media", "rooms", "sfu", "signaling")
HOME = Path(__file__).resolve().parent.parent
"""The directory that holds all of our packages."""


def check_packages() -> None:
    """Raises ShadowedPackage with the path of what took the name of one of our packages."""
    for name in PACKAGES:
        place = _place(name)
        if place != HOME / name:
            raise ShadowedPackage(
                f"Hubbub's package `{name}` should be {HOME / name}, but Python finds {place or 'nothing'}. "
                "Start it from another directory, without PYTHONPATH, or as `python -P -m hubbub`."
            )


def _place(name: str) -> Path | None:
    """Directory of a package, file of a module, None where there is neither."""
    try:
        spec = find_spec(name)
    except ValueError:  # loaded by hand, without a spec
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).resolve()
    return Path(spec.origin).resolve() if spec.origin else None
