"""A bounds-checked reader for structures whose length depends on their content.

Every step names what it reads, so that an error says which field of which structure ran out.
"""

from typing import TypeVar

from warily.errors import FormatError
from warily.formats._layout import Layout

_L = TypeVar("_L", bound=Layout)


class Cursor:
    """Reads forward through `data` and never past its end."""

    def __init__(self, data: bytes | memoryview, *, what: str) -> None:
        self._data = memoryview(data)
        self._what = what
        self.offset = 0

    @property
    def remaining(self) -> int:
        """How many bytes are still unread."""
        return len(self._data) - self.offset

    def take(self, count: int, field: str) -> bytes:
        """The next `count` bytes."""
        start, end = self.offset, self.offset + count
        if count < 0 or end > len(self._data):
            msg = f"{self._what}: {field}: {count} bytes at offset {self.offset:#x}, {self.remaining} remain"
            raise FormatError(msg)
        self.offset = end
        return bytes(self._data[start:end])

    def number(self, width: int, field: str, *, big: bool = False) -> int:
        """The next `width` bytes as an unsigned integer, little-endian unless `big`."""
        return int.from_bytes(self.take(width, field), "big" if big else "little")

    def read(self, kind: type[_L], field: str) -> _L:
        """The next bytes as one declared structure."""
        return kind.unpack(self.take(kind.SIZE, field))

    def counted(self, width: int, field: str, *, limit: int, big: bool = False) -> bytes:
        """A byte string preceded by its length, which may be at most `limit`."""
        count = self.number(width, f"length of {field}", big=big)
        if count > limit:
            msg = f"{self._what}: {field}: length {count} is over the limit of {limit}"
            raise FormatError(msg)
        return self.take(count, field)

    def finish(self) -> None:
        """Nothing may follow."""
        if self.remaining:
            msg = f"{self._what}: {self.remaining} unexpected bytes at offset {self.offset:#x}"
            raise FormatError(msg)
