"""What firmware and stub measure of the SMBIOS tables that QEMU hands over.

OVMF installs QEMU's structures in their order, adds one about itself (type 0) where there is none, ends the table, and
measures a copy in which whatever tells one machine from another of its kind is blanked out. systemd-stub measures some
structures as they are.
Source: edk2 OvmfPkg/SmbiosPlatformDxe, MdeModulePkg/Universal/SmbiosDxe, MdeModulePkg/Universal/SmbiosMeasurementDxe
(as of edk2-stable202211; OVMF has it since 202505); systemd docs/TPM2_PCR_MEASUREMENTS.md. Offsets: DSP0134 3.6, 7.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import count
from typing import Final

from warily.formats.firmware_volume import FirmwareVolumes, file_sections
from warily.formats.smbios import (
    BASEBOARD_INFORMATION,
    BIOS_INFORMATION,
    END_OF_TABLE,
    OEM_STRINGS,
    SYSTEM_INFORMATION,
    Header,
    SmbiosTables,
    Structure,
)

PLATFORM_DRIVER: Final = "4110465d-5ff3-4f4b-b580-24ed0d06747a"  # SmbiosPlatformDxe
FIRST_OF_VENDORS: Final = 128  # types from here on are measured as their head alone
MAX_HANDLE: Final = 0xFEFF
WAKE_UP_TYPE: Final = 0x18

# Type → (offset, size) of fields that count as zero, and offsets of fields whose string counts as blanks.
FIELDS: Final[Mapping[int, tuple[tuple[tuple[int, int], ...], tuple[int, ...]]]] = {
    1: (((0x08, 16), (WAKE_UP_TYPE, 1)), (0x07,)),
    2: ((), (0x07, 0x0A)),
    3: ((), (0x07, 0x08)),
    4: (
        ((0x23, 1), (0x24, 1), (0x25, 1), (0x2A, 2), (0x2C, 2), (0x2E, 2), (0x11, 1), (0x16, 2)),
        (0x20, 0x21, 0x22),
    ),
    17: ((), (0x18, 0x19, 0x1A)),
    22: (((0x10, 2), (0x12, 2)), (0x07,)),
    23: (((0x05, 2),), ()),
    27: (((0x0C, 2),), ()),
    39: ((), (0x08, 0x09, 0x0A)),
}
# Of these the head alone counts, the rest as zeros: OEM strings, event log, memory errors, boot integrity.
ZEROED: Final = frozenset({11, 15, 18, 31, 33})
STUB_MEASURES: Final = (SYSTEM_INFORMATION, BASEBOARD_INFORMATION, OEM_STRINGS)

# What the driver adds: fields of type 0, with strings 1 (vendor), 2 (version) and 3 (date).
_TYPE_0: Final = bytes.fromhex("001a0000010200e803000800000000000000001c0000ffff0000")
_PROGRAM: Final = 0x10
_TEXT: Final = re.compile(rb"(?:[\x20-\x7e]\0){2,256}\0\0")
_DATE: Final = re.compile(r"\d{2}/\d{2}/\d{4}")
_NO_VERSION: Final = "unknown"
_NO_DATE: Final = "02/02/2022"


def bios_information(firmware: FirmwareVolumes) -> Structure | None:
    """The structure that this firmware adds about itself, with handle 0; None where the image does not show it.

    Its texts lie behind the template in the driver. The one with slashes is the date and the one with a digit
    the version; where that does not tell them apart, nothing is guessed.
    """
    for volume in firmware.volumes:
        for kind, content in file_sections(volume, PLATFORM_DRIVER):
            if kind == _PROGRAM and (at := bytes(content).find(_TYPE_0)) >= 0:
                return _of_template(bytes(content[at + len(_TYPE_0) :]))
    return None


def _of_template(behind: bytes) -> Structure | None:
    texts = [match[0].decode("utf-16-le").rstrip("\0") for match in _TEXT.finditer(behind)]
    dates = [text for text in texts if _DATE.fullmatch(text)]
    others = [text for text in texts if text not in dates]
    versions = [text for text in others if any(map(str.isdigit, text))]
    vendors = [text for text in others if text not in versions]
    if len(dates) > 1 or len(versions) > 1 or len(vendors) != 1:
        return None
    found = (vendors[0], *(versions or (_NO_VERSION,)), *(dates or (_NO_DATE,)))
    return Structure(
        header=Header.unpack(_TYPE_0[: Header.SIZE]),
        fields=_TYPE_0[Header.SIZE :],
        strings=tuple(text.encode() for text in found),
    )


def installed(tables: SmbiosTables, bios: Structure | None) -> SmbiosTables | None:
    """The tables as they lie in memory; None where firmware adds a structure about itself and `bios` is not known.

    A structure whose handle is taken or out of range is left out, as firmware refuses it.
    """
    kept: dict[int, Structure] = {}
    for structure in tables.structures:
        if structure.header.handle <= MAX_HANDLE:
            kept.setdefault(structure.header.handle, structure)
    if all(structure.header.type != BIOS_INFORMATION for structure in tables.structures):
        if bios is None:
            return None
        handle = next(number for number in count() if number not in kept)
        kept[handle] = replace(bios, header=replace(bios.header, handle=handle))
    end = Structure(header=Header(type=END_OF_TABLE, length=Header.SIZE, handle=MAX_HANDLE), fields=b"")
    return SmbiosTables(structures=tuple(kept.values()), end=end)


def measured(tables: SmbiosTables, bios: Structure | None) -> bytes | None:
    """What firmware hashes of QEMU's tables; None as in `installed`."""
    found = installed(tables, bios)
    if found is None:
        return None
    return b"".join(map(_filtered, found.structures)) + found.end.encode()


def _filtered(structure: Structure) -> bytes:
    kind, size = structure.header.type, structure.header.length
    if kind in ZEROED or kind >= FIRST_OF_VENDORS:
        return structure.header.pack() + bytes(len(structure.encode()) - Header.SIZE)
    zeros, texts = FIELDS.get(kind, ((), ()))
    data, strings = bytearray(structure.header.pack() + structure.fields), [*structure.strings]
    for at in texts:
        if at < size and (number := data[at]):
            if strings:  # a number over the last stands for the last
                place = min(number, len(strings)) - 1
                strings[place] = b" " * len(strings[place])
            data[at] = 0
    for at, width in zeros:
        if at + width <= size:
            data[at : at + width] = bytes(width)
    return Structure(header=structure.header, fields=bytes(data[Header.SIZE :]), strings=tuple(strings)).encode()


def stub_measures(tables: SmbiosTables) -> Iterator[tuple[int, bytes]]:
    """Type and bytes of each structure that systemd-stub measures. Why the machine woke up counts as zero."""
    for structure in tables.structures:
        if structure.header.type in STUB_MEASURES:
            data = bytearray(structure.encode())
            if structure.header.type == SYSTEM_INFORMATION and structure.header.length > WAKE_UP_TYPE:
                data[WAKE_UP_TYPE] = 0
            yield structure.header.type, bytes(data)
