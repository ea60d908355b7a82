"""A strict, bounded reader of DER (ITU-T X.690): definite minimal lengths, single-byte tags, nothing skipped."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from warily.errors import FormatError

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
OID: Final = 0x06
IA5_STRING: Final = 0x16
UTC_TIME: Final = 0x17
GENERALIZED_TIME: Final = 0x18
SEQUENCE: Final = 0x30
SET: Final = 0x31
EXPLICIT: Final = 0xA0  # [0], constructed; add the number

MAX_OID: Final = 64


class Element(NamedTuple):
    """One element: its tag, its content, and the whole encoding as received."""

    tag: int
    content: bytes
    raw: bytes


class DerReader:
    """Reads the elements of one constructed content, in order. `what` names it in errors, after `above` if given.

    A reader of what is inside another looks at the same bytes, between bounds of its own: nothing is copied.
    """

    __slots__ = ("_above", "_at", "_data", "_end", "_name")

    def __init__(
        self, data: bytes, *, what: str, above: "DerReader | None" = None, start: int = 0, end: int | None = None
    ) -> None:
        self._data = data
        self._at = start
        self._end = len(data) if end is None else end
        self._name = what
        self._above = above

    @property
    def _what(self) -> str:
        """The names from the outermost reader to this one: put together where something is wrong, and only there."""
        return self._name if self._above is None else f"{self._above._what}: {self._name}"  # noqa: SLF001  # its own kind

    @property
    def empty(self) -> bool:
        """Whether everything was read."""
        return self._at == self._end

    @property
    def rest(self) -> bytes:
        """What was not read yet."""
        return self._data[self._at : self._end]

    def has(self, tag: int) -> bool:
        """Whether the next element has this tag."""
        return self._at < self._end and self._data[self._at] == tag

    def take(self, tag: int, field: str) -> Element:
        """The next element, which must have this tag."""
        at = self._at
        start = self._pass(tag, field)
        return Element(tag, self._data[start : self._at], self._data[at : self._at])

    def content(self, tag: int, field: str) -> bytes:
        """The content of the next element, which must have this tag."""
        start = self._pass(tag, field)
        return self._data[start : self._at]

    def raw(self, tag: int, field: str) -> bytes:
        """The whole encoding of the next element, which must have this tag."""
        at = self._at
        self._pass(tag, field)
        return self._data[at : self._at]

    def any(self, field: str) -> Element:
        """The next element, whatever its tag."""
        tag = self._data[self._at] if self._at < self._end else 0x1F
        if tag & 0x1F == 0x1F:
            self._head(field)
        return self.take(tag, field)

    def _pass(self, tag: int, field: str) -> int:
        """Where the content of the next element begins, which must have this tag. The reader then stands behind it."""
        data, at, end = self._data, self._at, self._end
        start = at + 2
        if start > end or data[at] != tag or (length := data[at + 1]) >= 0x80:  # no element, or of more than 127 bytes
            if not self.has(tag):
                msg = f"{self._what}: {field} is missing or of another type"
                raise FormatError(msg)
            head, length = self._head(field)
            start = at + head
        if start + length > end:
            msg = f"{self._what}: {field} runs over the end"
            raise FormatError(msg)
        self._at = start + length
        return start

    def _head(self, field: str) -> tuple[int, int]:
        """How long the header of the next element is, and the length it announces."""
        head = self._data[self._at : min(self._at + 6, self._end)]
        if len(head) < 2 or head[0] & 0x1F == 0x1F:
            msg = f"{self._what}: {field}: the header is cut short or has a long tag"
            raise FormatError(msg)
        if head[1] == 0x82 and len(head) > 3 and head[2]:  # what most long ones have
            return 4, head[2] << 8 | head[3]
        count = head[1] & 0x7F
        length = int.from_bytes(head[2 : 2 + count], "big")
        minimal = 1 <= count <= 4 and len(head) >= 2 + count and length >= max(0x80, 1 << (8 * (count - 1)))
        if not minimal:
            msg = f"{self._what}: {field}: the length is not minimal, indefinite or cut short"
            raise FormatError(msg)
        return 2 + count, length

    def inside(self, tag: int, field: str) -> "DerReader":
        """A reader of the next element's content."""
        start = self._pass(tag, field)
        return DerReader(self._data, what=field, above=self, start=start, end=self._at)

    def each(self, tag: int, field: str) -> Iterator["DerReader"]:
        """A reader of the content of every element that remains, one after the other; each must be read whole."""
        inside = DerReader(self._data, what=field, above=self)
        while self._at != self._end:
            inside._at, inside._end = self._pass(tag, field), self._at  # its own kind
            yield inside
            inside.finish()

    def integer(self, field: str, *, limit: int = 64) -> int:
        """The next element as a non-negative INTEGER of at most `limit` content bytes."""
        content = self.content(INTEGER, field)
        if not is_unsigned(content, limit=limit):
            msg = f"{self._what}: {field} is not a small non-negative integer"
            raise FormatError(msg)
        return int.from_bytes(content, "big")

    def oid(self, field: str) -> str:
        """The next element as a dotted OBJECT IDENTIFIER."""
        content = self.content(OID, field)
        try:
            return _dotted(content)
        except ValueError:
            msg = f"{self._what}: {field} is not an object identifier"
            raise FormatError(msg) from None

    def finish(self) -> None:
        """Nothing may follow."""
        if self._at != self._end:
            msg = f"{self._what}: {self._end - self._at} unexpected bytes at the end"
            raise FormatError(msg)


def is_unsigned(content: bytes, *, limit: int) -> bool:
    """Whether the content of an INTEGER is not negative, minimal, and of at most `limit` bytes."""
    size = len(content)
    return 0 < size <= limit and content[0] < 0x80 and (size == 1 or content[0] > 0 or content[1] >= 0x80)


def unsigned(content: bytes, *, what: str, limit: int = 64) -> int:
    """The value of a non-negative, minimally encoded INTEGER."""
    if not is_unsigned(content, limit=limit):
        msg = f"{what} is not a small non-negative integer"
        raise FormatError(msg)
    return int.from_bytes(content, "big")


@lru_cache(maxsize=1024)  # there are few, and each certificate has the same ones again
def _dotted(content: bytes) -> str:
    """An OBJECT IDENTIFIER as text. Raises `ValueError`."""
    if not content or len(content) > MAX_OID or content[-1] >= 0x80:
        raise ValueError
    arcs: list[int] = []
    value = 0
    for byte in content:
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(str(arc) for arc in (first, arcs[0] - 40 * first, *arcs[1:]))


def only(data: bytes, tag: int, *, what: str) -> DerReader:
    """A reader of the content of the one element that `data` is."""
    outer = DerReader(data, what=what)
    inner = outer.inside(tag, "outer element")
    outer.finish()
    return inner
