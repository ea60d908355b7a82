"""CBOR (RFC 8949), the part of it that attestation uses: read strictly and bounded, written deterministically.

Read are integers, byte and text strings, arrays, maps, true, false, null and tags. Heads are minimal; maps and
arrays may be of indefinite length, since AWS Nitro writes them so. Keys are integers or strings and appear once.
Floating point, other simple values, and strings in pieces are refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from warily.errors import FormatError

MAX_DEPTH: Final = 12
_INDEFINITE: Final = 31
_BREAK: Final = 0xFF
_SIMPLE: Final[dict[int, bool | None]] = {0xF4: False, 0xF5: True, 0xF6: None}


@dataclass(frozen=True, slots=True)
class Tag:
    """A tagged value."""

    number: int
    value: Any


def decode(data: bytes, *, what: str, limit: int) -> Any:  # noqa: ANN401  # CBOR is what it is; callers narrow it
    """The one value that `data` (at most `limit` bytes) encodes. Raises `FormatError`, also for bytes after it."""
    if len(data) > limit:
        msg = f"{what}: {len(data)} bytes are over the limit of {limit}"
        raise FormatError(msg)
    reader = _Reader(data, what)
    value = reader.value(0)
    if reader.at != len(data):
        reader.refuse(f"{len(data) - reader.at} unexpected bytes at the end")
    return value


def encode(value: object) -> bytes:
    """The value in CBOR: minimal heads, definite lengths, map members in the order of the mapping."""
    match value:
        case None | bool():
            return b"\xf6" if value is None else (b"\xf5" if value else b"\xf4")
        case int():
            return _head(0, value) if value >= 0 else _head(1, -1 - value)
        case bytes():
            return _head(2, len(value)) + value
        case str():
            text = value.encode()
            return _head(3, len(text)) + text
        case Tag():
            return _head(6, value.number) + encode(value.value)
        case Mapping():
            return _head(5, len(value)) + b"".join(encode(key) + encode(entry) for key, entry in value.items())
        case Sequence():
            return _head(4, len(value)) + b"".join(map(encode, value))
        case _:
            msg = f"CBOR: {type(value).__name__} cannot be encoded"
            raise TypeError(msg)


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major << 5 | argument])
    for info, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << 8 * width:
            return bytes([major << 5 | info]) + argument.to_bytes(width, "big")
    msg = "CBOR: an integer of over 64 bits"
    raise TypeError(msg)


class _Reader:
    """Reads forward through `data`; every item takes at least one byte, so that time and memory are linear."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._what = what
        self.at = 0

    def refuse(self, why: str) -> NoReturn:
        msg = f"{self._what}: CBOR: {why} (at offset {self.at:#x})"
        raise FormatError(msg)

    def value(self, depth: int) -> Any:  # noqa: ANN401  # see decode
        """The next value."""
        if depth > MAX_DEPTH:
            self.refuse(f"nested over {MAX_DEPTH} deep")
        first = self._byte()
        if first in _SIMPLE:
            return _SIMPLE[first]
        major, info = first >> 5, first & 0x1F
        if major == 7:
            self.refuse(f"simple value or floating point {first:#04x}")
        if info == _INDEFINITE:
            return self._open(major, depth)
        return self._closed(major, self._argument(info), depth)

    def _closed(self, major: int, argument: int, depth: int) -> Any:  # noqa: ANN401  # see decode
        """The value that a head announces."""
        match major:
            case 0 | 1:
                return argument if major == 0 else -1 - argument
            case 2:
                return self._take(argument)
            case 3:
                return self._text(argument)
            case 4:
                return [self.value(depth + 1) for _ in range(self._bounded(argument))]
            case 5:
                return self._map(depth, self._bounded(argument))
            case _:
                return Tag(argument, self.value(depth + 1))

    def _open(self, major: int, depth: int) -> list[Any] | dict[Any, Any]:
        """An array or a map of indefinite length."""
        if major == 5:
            return self._map(depth, None)
        if major != 4:
            self.refuse("a string in pieces, or an indefinite length where none can be")
        found = []
        while not self._ends():
            found.append(self.value(depth + 1))
        return found

    def _map(self, depth: int, count: int | None) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        while (len(found) < count) if count is not None else not self._ends():
            key = self.value(depth + 1)
            if isinstance(key, bool) or not isinstance(key, int | str | bytes):
                self.refuse("a key that is neither integer nor string")
            if key in found:
                self.refuse("a key appears twice")
            found[key] = self.value(depth + 1)
        return found

    def _ends(self) -> bool:
        """Whether the open array or map ends here; the mark is passed over."""
        if self._data[self.at : self.at + 1] == bytes([_BREAK]):
            self.at += 1
            return True
        return False

    def _byte(self) -> int:
        return self._take(1)[0]

    def _take(self, count: int) -> bytes:
        if count > len(self._data) - self.at:
            self.refuse(f"{count} bytes wanted, {len(self._data) - self.at} remain")
        part = self._data[self.at : self.at + count]
        self.at += count
        return part

    def _text(self, count: int) -> str:
        try:
            return self._take(count).decode("utf-8")
        except UnicodeDecodeError:
            self.refuse("a text that is not UTF-8")

    def _argument(self, info: int) -> int:
        if info < 24:
            return info
        if info > 27:
            self.refuse("a reserved head")
        width = 1 << info - 24
        argument = int.from_bytes(self._take(width), "big")
        if argument < (24 if width == 1 else 1 << 4 * width):
            self.refuse("a head that is not minimal")
        return argument

    def _bounded(self, count: int) -> int:
        """A count that the remaining bytes could hold."""
        if count > len(self._data) - self.at:
            self.refuse(f"{count} items in {len(self._data) - self.at} bytes")
        return count
