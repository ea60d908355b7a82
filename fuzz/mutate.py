"""Mutants of a seed, the same ones each time: for the short run in the tests, where nothing measures coverage."""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Final

_EDGES: Final = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, (1 << 64) - 1)
_WIDTHS: Final = (1, 2, 4, 8)
_LONGEST: Final = 64

Mutation = Callable[[random.Random, bytes, bytes], bytes]


def _flip(chance: random.Random, data: bytes, _: bytes) -> bytes:
    """One bit differs."""
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def _cut(chance: random.Random, data: bytes, _: bytes) -> bytes:
    """The end is missing."""
    return data[: chance.randrange(len(data))]


def _leave_out(chance: random.Random, data: bytes, _: bytes) -> bytes:
    """A piece from the middle is missing."""
    at = chance.randrange(len(data))
    return data[:at] + data[at + chance.randrange(1, _LONGEST) :]


def _repeat(chance: random.Random, data: bytes, _: bytes) -> bytes:
    """A piece is there twice."""
    at = chance.randrange(len(data))
    end = at + chance.randrange(1, _LONGEST)
    return data[:end] + data[at:end] + data[end:]


def _number(chance: random.Random, data: bytes, _: bytes) -> bytes:
    """A number at the edge of its range, in either order of bytes."""
    width, order = chance.choice(_WIDTHS), chance.choice(("little", "big"))
    at = chance.randrange(len(data))
    value = chance.choice(_EDGES) & ((1 << 8 * width) - 1)
    return data[:at] + value.to_bytes(width, "little" if order == "little" else "big") + data[at + width :]


def _splice(chance: random.Random, data: bytes, other: bytes) -> bytes:
    """The end is that of another seed."""
    return data[: chance.randrange(len(data))] + other[chance.randrange(len(other) + 1) :]


_MUTATIONS: Final[tuple[Mutation, ...]] = (_flip, _flip, _cut, _leave_out, _repeat, _number, _number, _splice)


def mutants(seeds: Sequence[bytes], count: int, *, name: str) -> Iterator[bytes]:
    """So many mutants, each one to four changes away from a seed; `name` alone decides which."""
    chance = random.Random(name)  # noqa: S311  # the same each time, on purpose
    for _ in range(count):
        data = chance.choice(seeds)
        for _ in range(chance.randrange(1, 5)):
            data = chance.choice(_MUTATIONS)(chance, data or b"\0", chance.choice(seeds))
        yield data
