"""A pin: the tables that a machine is to have, as JSON, and how those of a running machine differ from it.

Where firmware writes into a table (its checksum, addresses of other tables) both sides are zero before they are
compared. The roots RSDT and XSDT are not in a pin: firmware makes them, Linux does not show them, and what they
list is compared as a set.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self

from warily.errors import FormatError
from warily.formats._json import JsonObject, b64url
from warily.formats.acpi_table import CHECKSUM_OFFSET, MAX_TABLES, AcpiTable

FORMAT: Final = "warily-acpi-pin/1"
LIMIT: Final = 8 << 20
MAX_RANGES: Final = 4096
ROOTS: Final = frozenset(("RSDT", "XSDT"))
CHECKSUM: Final = (CHECKSUM_OFFSET, CHECKSUM_OFFSET + 1)
FACS_LIVES: Final = ((8, 32), (36, 40))
"""Of a FACS: hardware signature, waking vectors, global lock and flags, which change while the machine runs."""

Ranges = tuple[tuple[int, int], ...]


def zero(raw: bytes, ranges: Iterable[tuple[int, int]]) -> bytes:
    """The bytes with every half-open range of offsets set to zero. Ranges past the end count as far as they reach."""
    data = bytearray(raw)
    for start, end in ranges:
        stop = min(end, len(data))
        data[start:stop] = bytes(max(stop - start, 0))
    return bytes(data)


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedTable:
    """One table: `content` with the `zeroed` ranges set to zero, and digests of that in hexadecimal."""

    signature: str
    zeroed: Ranges
    content: bytes
    sha256: str
    sha384: str

    def is_same(self, table: AcpiTable) -> bool:
        """Whether the table is the pinned one."""
        return self.signature == table.signature and zero(table.raw, self.zeroed) == self.content

    def differing(self, table: AcpiTable) -> Ranges:
        """The ranges of offsets in which the table is not the pinned one; none where it is."""
        return _differing(self.content, zero(table.raw, self.zeroed))


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedBlob:
    """One file as firmware measures it: name, size and digests in hexadecimal."""

    name: str
    size: int
    sha256: str
    sha384: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One table that is `changed` (in `ranges` of offsets), `added`, or `missing`."""

    table: str
    kind: str
    ranges: Ranges = ()

    def __str__(self) -> str:
        if self.kind == "added":
            return f"{self.table} is not in the pin"
        if self.kind == "missing":
            return f"{self.table} is in the pin and not there"
        places = ", ".join(f"{start:#x}-{end:#x}" for start, end in self.ranges[:8])
        more = f" and {len(self.ranges) - 8} more places" if len(self.ranges) > 8 else ""
        return f"{self.table} differs at {places}{more}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AcpiPin:
    """The tables of one machine shape: made by `qemu` (its version) with `arguments`."""

    qemu: str
    arguments: tuple[str, ...]
    blobs: tuple[PinnedBlob, ...]
    tables: tuple[PinnedTable, ...]

    def differences(self, tables: Sequence[AcpiTable]) -> list[Difference]:
        """How the tables differ from the pinned ones, each table once. Equal tables are matched first."""
        left = list(self.tables)
        odd = []
        for table in (each for each in tables if each.signature not in ROOTS):
            same = next((pin for pin in left if pin.is_same(table)), None)
            if same is None:
                odd.append(table)
            else:
                left.remove(same)
        return list(self._unmatched(odd, left))

    @staticmethod
    def _unmatched(odd: Sequence[AcpiTable], left: list[PinnedTable]) -> Iterator[Difference]:
        for table in odd:
            near = next((pin for pin in left if pin.signature == table.signature), None)
            if near is None:
                yield Difference(table=f"{table.signature} {table.oem_table_id}".rstrip(), kind="added")
            else:
                left.remove(near)
                yield Difference(table=table.signature, kind="changed", ranges=near.differing(table))
        for pin in left:
            yield Difference(table=pin.signature, kind="missing")

    def encode(self) -> bytes:
        """The pin as JSON, the same bytes for the same pin."""
        found = {
            "format": FORMAT,
            "qemu": self.qemu,
            "arguments": list(self.arguments),
            "blobs": [
                {"name": each.name, "size": each.size, "sha256": each.sha256, "sha384": each.sha384}
                for each in self.blobs
            ],
            "tables": [
                {
                    "signature": each.signature,
                    "sha256": each.sha256,
                    "sha384": each.sha384,
                    "zeroed": [list(place) for place in each.zeroed],
                    "content": b64url(each.content),
                }
                for each in self.tables
            ],
        }
        return json.dumps(found, indent=1).encode() + b"\n"

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """The pin that `data` encodes. Raises `FormatError`. The digests are not recomputed; see `acpi.pin`."""
        top = JsonObject.parse(data, what="ACPI pin", limit=LIMIT)
        if top.text("format") != FORMAT:
            msg = f"ACPI pin: its format is not {FORMAT}"
            raise FormatError(msg)
        made = cls(
            qemu=top.text("qemu"),
            arguments=tuple(top.texts("arguments")),
            blobs=tuple(_blob(each) for each in top.objects("blobs")),
            tables=tuple(_table(each) for each in top.objects("tables")),
        )
        top.finish()
        if len(made.tables) > MAX_TABLES:
            msg = f"ACPI pin: over {MAX_TABLES} tables"
            raise FormatError(msg)
        return made


def _blob(found: JsonObject) -> PinnedBlob:
    made = PinnedBlob(
        name=found.text("name"),
        size=found.number("size"),
        sha256=found.text("sha256", limit=64),
        sha384=found.text("sha384", limit=96),
    )
    found.finish()
    return made


def _table(found: JsonObject) -> PinnedTable:
    made = PinnedTable(
        signature=found.text("signature", limit=4),
        sha256=found.text("sha256", limit=64),
        sha384=found.text("sha384", limit=96),
        zeroed=tuple(_ranges(found)),
        content=found.octets("content", limit=LIMIT),
    )
    found.finish()
    if zero(made.content, made.zeroed) != made.content:
        msg = f"ACPI pin: {made.signature}: bytes that are said to be zeroed are not zero"
        raise FormatError(msg)
    return made


def _ranges(found: JsonObject) -> Iterator[tuple[int, int]]:
    places = found.array("zeroed", limit=MAX_RANGES)
    for place in places:
        if not isinstance(place, list) or len(place) != 2 or not all(type(number) is int for number in place):
            raise FormatError("ACPI pin: a zeroed range is not two integers")
        start, end = place
        if not 0 <= start < end <= 1 << 24:
            msg = f"ACPI pin: {start}-{end} is no range of offsets"
            raise FormatError(msg)
        yield start, end


def _differing(one: bytes, other: bytes) -> Ranges:
    """Ranges of offsets in which the bytes differ; what only one of them has, differs."""
    if one == other:
        return ()
    shorter = min(len(one), len(other))
    found: list[tuple[int, int]] = []
    for at in (at for at in range(shorter) if one[at] != other[at]):
        if found and found[-1][1] == at:
            found[-1] = (found[-1][0], at + 1)
        else:
            found.append((at, at + 1))
    if len(one) != len(other):
        found.append((shorter, max(len(one), len(other))))
    return tuple(found)
