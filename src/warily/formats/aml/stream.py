"""Reading AML's small parts: names, package lengths, constants, field lists. Never past a given end.

Source: ACPI 6.5, 20.2.2 Name Objects, 20.2.4 Package Length, 20.2.5.2 Named Objects (FieldList).
"""

import re
from typing import Final

from warily.formats.aml.terms import AmlError, FieldUnit, NamePath

_SEGMENT: Final = re.compile(rb"[A-Z_][A-Z0-9_]{3}")
_DUAL, _MULTI = 0x2E, 0x2F
_ROOT, _PARENT = 0x5C, 0x5E
NAME_STARTS: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ_\\^") | {_DUAL, _MULTI}
NULL_NAME: Final = NamePath(())


class Stream:
    """A table's bytes and a position. `end` is where the innermost package ends."""

    def __init__(self, data: bytes, start: int) -> None:
        self.data: Final = data
        self.at = start
        self.end = len(data)
        self.overrun: int | None = None
        """Where the first package length stood that leaves the table."""
        self._names: dict[bytes, NamePath] = {}

    def need(self, count: int, what: str) -> int:
        """The offset of the next `count` bytes, which are then behind. Raises `AmlError` where they are not there."""
        at = self.at
        if at + count > self.end:
            raise self.short(what)
        self.at = at + count
        return at

    def short(self, what: str) -> AmlError:
        """The error for running out of bytes: cut off, or a package shorter than what it holds."""
        if self.end == len(self.data):
            return AmlError("TRUNCATED", self.at, f"the table ends within {what}")
        return AmlError("PKGLENGTH", self.at, f"the package ends at {self.end:#x}, within {what}")

    def number(self, width: int) -> int:
        """The next `width` bytes, little-endian."""
        at = self.need(width, "a constant")
        return int.from_bytes(self.data[at : at + width], "little")

    def package_end(self) -> int:
        """Where the package ends whose length stands here (20.2.4).

        A length past the table is noted in `overrun` and cut.
        """
        start = self.at
        length = self.bit_length("a package length")
        end = start + length
        if end < self.at:
            raise AmlError("PKGLENGTH", start, f"package length {length} is shorter than itself")
        if end > len(self.data):
            self.overrun = start if self.overrun is None else self.overrun
            end = len(self.data)
        return end

    def bit_length(self, what: str) -> int:
        """One PkgLength: six bits, or four and up to three bytes more; reserved bits are passed over, as kernels do."""
        lead = self.data[self.need(1, what)]
        more = lead >> 6
        if not more:
            return lead & 0x3F
        at = self.need(more, what)
        return lead & 0x0F | int.from_bytes(self.data[at : at + more], "little") << 4

    def string(self) -> str:
        """A null-terminated string. Bytes above 0x7F, which the grammar forbids, are kept as Latin-1."""
        stop = self.data.find(0, self.at, self.end)
        if stop < 0:
            raise self.short("a string")
        text = self.data[self.at : stop].decode("latin-1")
        self.at = stop + 1
        return text

    def segment(self) -> NamePath:
        """One name of four characters."""
        raw = self.data[self.at : self.at + 4]
        if self.at + 4 > self.end:
            raise self.short("a name")
        found = self._names.get(raw)
        if found is None:
            if not _SEGMENT.fullmatch(raw):
                raise AmlError("NAME", self.at, f"{raw.hex(' ')} is no name")
            found = self._names[raw] = NamePath((raw.decode("ascii"),))
        self.at += 4
        return found

    def name(self) -> NamePath:
        """A NameString (20.2.2); a lone zero byte is NullName."""
        data = self.data
        root, ups = False, 0
        first = data[self.need(1, "a name")]
        if first == _ROOT:
            root = True
            first = data[self.need(1, "a name")]
        else:
            while first == _PARENT:
                ups += 1
                if ups > 255:
                    raise AmlError("NAME", self.at, "over 255 parent prefixes")
                first = data[self.need(1, "a name")]
        if first == 0:
            return NamePath((), ups, root) if root or ups else NULL_NAME
        if first == _DUAL:
            count = 2
        elif first == _MULTI:
            count = data[self.need(1, "a name")]
        else:
            self.at -= 1
            single = self.segment()
            return single if not root and not ups else NamePath(single.parts, ups, root)
        return NamePath(tuple(self.segment().parts[0] for _ in range(count)), ups, root)

    def fields(self, access: int) -> tuple[FieldUnit, ...]:
        """A field list up to the package's end: the named units, with their place in bits."""
        units = []
        bit = 0
        while self.at < self.end:
            at = self.at
            lead = self.data[at]
            if lead == 0x00:
                self.at += 1
                bit += self.bit_length("a field offset")
            elif lead in (0x01, 0x03):
                self.at += 1
                access = self.data[self.need(2 if lead == 1 else 3, "an access field")] & 0x0F
            elif lead == 0x02:
                self.at += 1
                self._connection()
            else:
                name = self.segment()
                bits = self.bit_length("a field's width")
                units.append(FieldUnit(name, bit, bits, access, at))
                bit += bits
        return tuple(units)

    def _connection(self) -> None:
        """A connection: the name of a resource, or a Buffer that holds its descriptor."""
        if self.at < self.end and self.data[self.at] == 0x11:
            self.at += 1
            self.at = min(self.package_end(), self.end)
        else:
            self.name()
