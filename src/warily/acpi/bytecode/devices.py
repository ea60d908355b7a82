"""Devices that make a kernel driver listen to the host.

Source: ACPI 6.5, 6.1.5 _HID; 19.3.4 EISAID encoding.
"""

from collections.abc import Iterator

from warily.acpi.bytecode.hotplug import DRIVERS_FED_BY_THE_HOST
from warily.acpi.bytecode.things import Text
from warily.acpi.bytecode.values import Value, points_of, things_of


def eisa_name(number: int) -> str:
    """The seven characters that a compressed identifier stands for."""
    swapped = int.from_bytes((number & 0xFFFF_FFFF).to_bytes(4, "little"), "big")
    letters = "".join(chr(0x40 + (swapped >> shift & 0x1F)) for shift in (26, 21, 16))
    return f"{letters}{swapped & 0xFFFF:04X}"


def identifiers(value: Value) -> Iterator[str]:
    """Every identifier that an evaluated `_HID` may be."""
    for number in sorted(points_of(value) or ()):
        yield eisa_name(number)
    yield from sorted(each.text for each in things_of(value) if isinstance(each, Text))


def fed_by_host(value: Value) -> Iterator[tuple[str, str]]:
    """Identifier and reason, for those whose driver takes its orders from the host."""
    for name in identifiers(value):
        if name in DRIVERS_FED_BY_THE_HOST:
            yield name, DRIVERS_FED_BY_THE_HOST[name]
