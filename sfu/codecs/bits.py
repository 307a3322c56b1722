"""Reading of bit fields, most significant bit first."""


class OutOfBits(ValueError):
    """More bits were read than there are."""


class BitReader:
    """Takes bits off the front of some bytes."""

    __slots__ = ("_left", "_value")

    def __init__(self, data: memoryview | bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = len(data) * 8

    def take(self, count: int) -> int:
        """Read the next ``count`` bits as an unsigned number.

        Raises:
            OutOfBits: fewer are left.
        """
        left = self._left - count
        if left < 0:
            raise OutOfBits("field reaches past the end")
        self._left = left
        return self._value >> left & (1 << count) - 1

    def take_below(self, limit: int) -> int:
        """Read a number below ``limit`` in the non-symmetric code ns(n) (AV1 specification section 4.10.7).

        Raises:
            OutOfBits: the bits end inside.
        """
        width = limit.bit_length()
        short = (1 << width) - limit
        value = self.take(width - 1)
        return value if value < short else (value << 1) - short + self.take(1)
