"""Static tables as parts: all genuine ones are read whole; no bytes break a reader; no address field is missed."""

import inspect
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.acpi_tables import table
from warily.errors import FormatError
from warily.formats import acpi
from warily.formats.acpi import _parts
from warily.formats.acpi._parts import DeviceWindow, GenericAddress, MemoryPointer, SharedMemory, Structure
from warily.formats.acpi.iommu import ReservedMemory
from warily.formats.acpi.known import BYTECODE, READERS
from warily.formats.acpi_table import HEADER_SIZE, AcpiTable

ADDRESS = 0x1234000
ADDRESSES = (GenericAddress, MemoryPointer, SharedMemory, DeviceWindow, _parts.ConfigurationWindow)


def structures() -> Iterator[type[Structure]]:
    for module in iter_modules(acpi.__path__):
        found = vars(import_module(f"{acpi.__name__}.{module.name}")).values()
        yield from (
            each for each in found if inspect.isclass(each) and issubclass(each, Structure) and each is not Structure
        )


def test_every_genuine_table_is_read_to_its_end(vectors: Path) -> None:
    seen = set()
    for path in sorted((vectors / "acpi").glob("**/*.aml")):
        try:
            read = AcpiTable.parse(path.read_bytes())
        except FormatError:
            continue
        if read.signature in READERS:
            seen.add(read.signature)
            for part in READERS[read.signature](read):
                whole = part.value.pack()
                there = read.raw[part.offset : part.offset + len(whole)]
                assert part.name.startswith("register ") or whole.startswith(there), (path, part)
    assert len(seen) >= 35


@pytest.mark.parametrize("structure", sorted(set(structures()), key=str))
def test_every_address_field_is_an_area(structure: type[Structure]) -> None:
    """Whatever else a structure says: an address that is set shows up, with the address that was set."""
    for name, (place, kind) in structure.PLACES.items():
        if issubclass(kind, ADDRESSES):
            data = bytearray(structure.SIZE)
            at = place.offset + 4 if kind is GenericAddress else place.offset
            data[at : at + 4] = ADDRESS.to_bytes(4, "little")
            found = [each for each in structure.unpack(bytes(data)).areas() if each.field == name]
            assert found, name
            assert all(each.start == ADDRESS and each.size >= 1 for each in found)


def test_structures_name_sizes_that_exist() -> None:
    for structure in structures():
        for name, size in structure.SIZES.items():
            assert name in structure.PLACES, structure
            assert isinstance(size, int) or size in structure.PLACES, structure


def test_reserved_memory_counts_its_limit() -> None:
    data = b"\1\0\x18\0\0\0\0\0" + (0x1000).to_bytes(8, "little") + (0x1FFF).to_bytes(8, "little")
    assert [(each.start, each.size) for each in ReservedMemory.unpack(data).areas()] == [(0x1000, 0x1000)]


@settings(max_examples=400)
@given(
    signature=st.sampled_from(sorted(READERS)),
    body=st.binary(max_size=300) | st.lists(st.sampled_from([0, 1, 4, 8, 16, 24, 40, 255]), max_size=200).map(bytes),
)
def test_arbitrary_bodies_are_refused_or_read_in_bounded_time(signature: str, body: bytes) -> None:
    made = table(signature, body)
    began = time.process_time()
    try:
        parts = list(READERS[signature](made))
    except FormatError:
        parts = []
    assert time.process_time() - began < 0.5
    assert all(0 <= part.offset <= made.length for part in parts)


def test_bytecode_is_read_elsewhere() -> None:
    assert not BYTECODE & READERS.keys()
    assert HEADER_SIZE == 36
