"""Memory by its address, for what is compiled."""

from typing import Any

import numpy.typing as npt
from llvmlite import ir
from numba import int64, types
from numba.core import cgutils
from numba.extending import intrinsic

from sfu.compiled.jit import part


@part
def address(array: npt.NDArray[Any]) -> int:
    """Where in memory an array begins."""
    return int64(array.ctypes.data)


@intrinsic  # type: ignore[untyped-decorator]
def pointer(typing_context: Any, address: Any) -> Any:
    """What ``numba.carray`` wants, of an address as int64."""
    del typing_context, address

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        del signature
        return builder.inttoptr(arguments[0], context.get_value_type(types.voidptr))

    return types.voidptr(types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def copy(typing_context: Any, target: Any, source: Any, size: Any) -> Any:
    """Copy so many bytes from address to address; what doesn't overlap."""
    del typing_context, target, source, size

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        del context, signature
        octet = ir.IntType(8).as_pointer()
        to, of = (builder.inttoptr(argument, octet) for argument in arguments[:2])
        cgutils.raw_memcpy(builder, to, of, arguments[2], 1)

    return types.void(types.int64, types.int64, types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def borrowed(typing_context: Any, array: Any) -> Any:
    """An array that somebody else keeps alive: nobody counts its references, which costs more than most of its uses."""
    del typing_context

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.return_type
        made = context.make_array(kind)(context, builder, value=arguments[0])
        made.meminfo = cgutils.get_null_value(made.meminfo.type)
        made.parent = cgutils.get_null_value(made.parent.type)
        return made._getvalue()  # noqa: SLF001

    return array(array), generate
