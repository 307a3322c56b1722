"""A mutator without coverage: seeds, cut, spliced and damaged where parsers look."""

import random
from collections.abc import Iterator, Sequence

MAX_LENGTH = 2048
INTERESTING = (0x00, 0x01, 0x0F, 0x10, 0x7F, 0x80, 0xBE, 0xDE, 0xFE, 0xFF)


def mutations(seeds: Sequence[bytes], rng: random.Random) -> Iterator[bytes]:
    """Give seeds as they are, then damaged ones without end."""
    yield b""
    yield from seeds
    while True:
        data = bytearray(
            rng.choice(seeds) if seeds and rng.random() < 0.9 else rng.randbytes(rng.randrange(64))
        )
        for _ in range(rng.choice((1, 1, 2, 4, 8))):
            rng.choice(_DAMAGES)(data, rng, seeds)
        yield bytes(data[:MAX_LENGTH])


def _flip(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    if data:
        data[_place(data, rng)] ^= 1 << rng.randrange(8)


def _set(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    if data:
        data[_place(data, rng)] = rng.choice((*INTERESTING, rng.randrange(256)))


def _cut(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _remove(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    start = rng.randrange(len(data) + 1)
    del data[start : start + rng.randrange(1, 9)]


def _insert(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    start = rng.randrange(len(data) + 1)
    data[start:start] = rng.randbytes(rng.randrange(1, 9))


def _repeat(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    start = rng.randrange(len(data) + 1)
    data[start:start] = data[start : start + rng.randrange(1, 33)] * rng.randrange(1, 9)


def _splice(data: bytearray, rng: random.Random, seeds: Sequence[bytes]) -> None:
    if seeds:
        other = rng.choice(seeds)
        data[rng.randrange(len(data) + 1) :] = other[rng.randrange(len(other) + 1) :]


def _place(data: bytearray, rng: random.Random) -> int:
    """Pick a byte, mostly among the first: headers are there."""
    return rng.randrange(min(len(data), rng.choice((4, 16, 64, MAX_LENGTH))))


_DAMAGES = (_flip, _flip, _set, _set, _cut, _remove, _insert, _repeat, _splice)
