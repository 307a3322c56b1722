"""Compiling, and calling C functions by address from what is compiled."""

import hashlib
import logging
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_SCALARS = {int: "int64", float: "float64", bool: "boolean", type(None): "void"}

_F = TypeVar("_F", bound=Callable[..., Any])

logger = logging.getLogger(__name__)


def compiled(function: _F) -> _F:
    """Compile a function for the types in its annotations, now or from disk.

    Arrays must have exactly that type, shape and order: others raise TypeError, so nothing is ever compiled between two
    packets. Indices are not checked (but with NUMBA_BOUNDSCHECK=1), division by zero gives no error.
    """
    hints = get_type_hints(function, include_extras=True)
    returned = _type_of(hints.pop("return"))
    signature = f"{returned}({', '.join(map(_type_of, hints.values()))})"
    place = _cache()
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(place)
    try:
        return numba.njit(signature, cache=place is not None, nogil=True, error_model="numpy")(function)
    finally:
        numba.config.CACHE_DIR = before


def part(function: _F) -> _F:
    """A part of compiled functions, compiled into them: handing arrays on would cost more than most parts do."""
    return numba.njit(error_model="numpy", forceinline=True)(function)


def _type_of(hint: Any) -> str:
    return _SCALARS[hint] if hint in _SCALARS else str(get_args(hint)[1])


@cache
def _cache() -> Path | None:
    """Where machine code is kept: beside this package, or with the user's caches where that can't be written."""
    here = Path(__file__).parent
    checked = os.environ.get("NUMBA_BOUNDSCHECK", "").encode()
    text = b"\0".join([checked, *(source.read_bytes() for source in sorted(here.glob("*.py")))])
    digest = hashlib.sha256(text).hexdigest()[:16]
    user = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111
    places = [here / "__pycache__" / digest, user / "hubbub" / digest]
    known = [place for place in places if place.is_dir()]
    found = next((place for place in places if _usable(place)), None)
    if found is None:
        logger.warning(
            "compiling the packet path at each start: neither %s nor %s can be written",
            *(p.parent for p in places),
        )
    elif found not in known:
        logger.warning("compiling the packet path: this takes some seconds, and happens once")
    return found


def _usable(place: Path) -> bool:
    """Whether something can be kept there; even what has been kept is only read if so."""
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(place, os.W_OK)


@intrinsic  # type: ignore[untyped-decorator]
def call(typing_context: Any, address: Any, arguments: Any) -> Any:
    """Call ``int f(...)`` by its address, with a tuple of pointers and integers."""
    del typing_context, address

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        word = ir.IntType(64)
        given = [
            context.cast(builder, builder.extract_value(values[1], number), kind, types.int64)
            for number, kind in enumerate(signature.args[1])
        ]
        function = ir.FunctionType(ir.IntType(32), [word] * len(given)).as_pointer()
        return builder.call(builder.inttoptr(values[0], function), given)

    return types.int32(types.int64, arguments), generate
