"""Numbers in the order of the network."""

from numba import int64

from sfu.compiled.arrays import Bytes
from sfu.compiled.jit import part


@part
def read16(memory: Bytes, at: int) -> int:
    return int64(memory[at]) << 8 | int64(memory[at + 1])


@part
def read32(memory: Bytes, at: int) -> int:
    return read16(memory, at) << 16 | read16(memory, at + 2)


@part
def write16(memory: Bytes, at: int, number: int) -> None:
    """The low bits of a number."""
    memory[at] = number >> 8 & 0xFF
    memory[at + 1] = number & 0xFF


@part
def write32(memory: Bytes, at: int, number: int) -> None:
    write16(memory, at, number >> 16)
    write16(memory, at + 2, number)
