"""What is measured of SMBIOS tables: genuine boots, and each rule by itself."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.conftest import vectors_folder
from tests.formats.test_firmware_volume import file, section, volume
from tests.smbios_tables import END, SYSTEM, SYSTEM_FIELDS, of_guest, of_host, structure
from warily.formats.firmware_volume import parse_volumes
from warily.formats.smbios import SmbiosTables, Structure
from warily.measure.boot import examine
from warily.measure.boot.smbios import PLATFORM_DRIVER, bios_information, installed, measured, stub_measures
from warily.measure.boot.steps import smbios_event

FOLDER = vectors_folder() / "measure"
BOOTS = sorted(path.name for path in (FOLDER / "pcr/boot").glob("*"))
LAST = b"\x7f\x04\xff\xfe\0\0"  # firmware's own end of the table
TEMPLATE = bytes.fromhex("001a0000010200e803000800000000000000001c0000ffff0000")


@pytest.mark.parametrize("algorithm", ["sha256", "sha384"])
@pytest.mark.parametrize("name", BOOTS)
def test_genuine_boots(vectors: Path, name: str, algorithm: str) -> None:
    """From what QEMU handed over and the firmware alone; the table that the guest saw leads to the same digest."""
    folder = vectors / "measure/pcr/boot" / name
    events = json.loads((folder / "run.json").read_text())["events"]
    logged = next(event[algorithm] for event in events if event["type"] == "EV_EFI_HANDOFF_TABLES")
    bios = examine((vectors / "measure/firmware/OVMF.generic.fd").read_bytes()).bios
    for table, own in ((of_host(of_guest(folder)), bios), (of_guest(folder), None)):
        digest = smbios_event(SmbiosTables.decode(table), own).digest(algorithm)
        assert digest is not None
        assert digest.hex() == logged


@pytest.mark.parametrize("name", ["uki-kernel", "uki-esp"])
def test_genuine_boots_of_a_stub(vectors: Path, name: str) -> None:
    folder = vectors / "measure/pcr/boot" / name
    events = json.loads((folder / "run.json").read_text())["events"]
    logged = [event["sha256"] for event in events if event["pcr"] == 1 and event["type"] == "EV_EVENT_TAG"]
    found = stub_measures(SmbiosTables.decode(of_guest(folder)))
    assert [hashlib.sha256(data).hexdigest() for _, data in found] == logged


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("OVMF.generic.fd", b"2026.08+ds-2"),
        ("OVMF.amdsev.fd", b"2026.08+ds-2"),
        ("OVMF.inteltdx.ms.fd", b"2026.08+ds-2"),
        ("OVMF_CODE_4M.fd", b"2026.08+ds-2"),
        ("OVMF.bookworm.fd", None),
    ],
)
def test_what_genuine_firmware_says_of_itself(vectors: Path, name: str, version: bytes | None) -> None:
    found = bios_information(parse_volumes((vectors / "measure/firmware" / name).read_bytes()))
    assert (found.strings[1] if found else None) == version


def firmware(*texts: str, template: bytes = TEMPLATE) -> Structure | None:
    content = template + bytes(6) + b"".join(f"{text}\0".encode("utf-16-le") + bytes(2) for text in texts)
    return bios_information(parse_volumes(volume(file(PLATFORM_DRIVER, section(0x10, content)))))


@pytest.mark.parametrize(
    ("texts", "strings"),
    [
        (("11/08/2025", "2025.02-8", "EDK II"), (b"EDK II", b"2025.02-8", b"11/08/2025")),
        (
            ("Fedora Project", "edk2-20250523-1.fc42", "05/23/2025"),
            (b"Fedora Project", b"edk2-20250523-1.fc42", b"05/23/2025"),
        ),
        (("EDK II",), (b"EDK II", b"unknown", b"02/02/2022")),
        (("EDK II", "Vendor"), None),
        (("EDK 2", "2025.02"), None),
        (("EDK II", "01/01/2020", "01/02/2020"), None),
        ((), None),
    ],
)
def test_texts_are_told_apart_or_nothing_is_said(texts: tuple[str, ...], strings: tuple[bytes, ...] | None) -> None:
    found = firmware(*texts)
    assert (found.strings if found else None) == strings


def test_a_driver_without_the_template_says_nothing() -> None:
    assert firmware("EDK II", template=bytes(26)) is None


def measure(*structures: bytes) -> bytes:
    """What counts of these structures and of one about the firmware, which is cut off with the end."""
    own = structure(0, 0xFE00, b"", b"own")
    found = measured(SmbiosTables.decode(b"".join(structures) + own + END), None)
    assert found is not None
    assert found.endswith(own + LAST)
    return found.removesuffix(own + LAST)


def test_what_tells_a_machine_from_another_is_blanked() -> None:
    blanked = bytes([1, 2, 3, 0]) + bytes(16) + bytes(3)
    assert measure(SYSTEM) == structure(1, 0x100, blanked, b"QEMU", b"PC", b"pc-q35-7.2", b"    ")


@pytest.mark.parametrize(
    ("kind", "numbers", "zeros", "size"),
    [
        (2, (7, 10), (), 15),
        (3, (7, 8), (), 22),
        (4, (0x20, 0x21, 0x22), (0x11, 0x16, 0x17, *range(0x23, 0x26), *range(0x2A, 0x30)), 0x30),
        (4, (0x20, 0x21, 0x22), (0x11, 0x16, 0x17, *range(0x23, 0x26)), 0x2A),
        (17, (0x18, 0x19, 0x1A), (), 0x28),
        (22, (7,), range(0x10, 0x14), 0x1A),
        (23, (), (5, 6), 0x0D),
        (27, (), (12, 13), 0x0F),
        (27, (), (), 0x0D),
        (39, (8, 9, 10), (), 0x16),
        (16, (), (), 23),
        (126, (), (), 20),
    ],
)
def test_fields_of_each_type(kind: int, numbers: tuple[int, ...], zeros: tuple[int, ...], size: int) -> None:
    """Every field holds 9 but those that name strings 1, 2 and 3: what is blanked and zeroed shows."""
    fields = bytearray(b"\x09" * (size - 4))
    strings = [b"kept", *(b"x" * length for length in range(1, len(numbers) + 1))]
    for number, at in enumerate(numbers, start=2):
        fields[at - 4] = number
    found = bytearray(fields)
    for at in (*numbers, *zeros):
        found[at - 4] = 0
    blanks = [b"kept", *(b" " * len(text) for text in strings[1:])]
    assert measure(structure(kind, 7, bytes(fields), *strings)) == structure(kind, 7, bytes(found), *blanks)


@pytest.mark.parametrize("kind", [11, 15, 18, 31, 33, 128, 255])
def test_of_some_types_the_head_alone_counts(kind: int) -> None:
    made = structure(kind, 7, b"\x02\x01", b"one", b"two")
    assert measure(made) == made[:4] + bytes(len(made) - 4)


def test_a_number_over_the_last_string_stands_for_the_last() -> None:
    fields = SYSTEM_FIELDS[:3] + b"\x63" + SYSTEM_FIELDS[4:]
    assert b"QEMU\0  \0" in measure(structure(1, 1, fields, b"QEMU", b"PC"))
    assert measure(structure(1, 1, fields)).endswith(b"\0\0")


def test_firmware_adds_itself_with_the_first_free_handle() -> None:
    own = firmware("11/08/2025", "2025.02", "EDK II")
    one, zero = structure(16, 1), structure(17, 0)
    found = installed(SmbiosTables.decode(one + zero + END), own)
    assert found is not None
    assert [(each.header.type, each.header.handle) for each in found.structures] == [(16, 1), (17, 0), (0, 2)]
    assert installed(SmbiosTables.decode(one + END), None) is None
    assert smbios_event(SmbiosTables.decode(one + END), None).because


def test_a_handle_that_is_taken_or_out_of_range_is_left_out() -> None:
    kept, twice, beyond = structure(16, 1, b"a"), structure(16, 1, b"b"), structure(16, 0xFF00)
    assert measure(kept, twice, beyond) == kept


def test_a_stub_measures_three_types_as_they_are() -> None:
    board, oem = structure(2, 2, bytes(11), b"S"), structure(11, 3, b"\x01", b"io.systemd.credential:x=y")
    found = stub_measures(SmbiosTables.decode(oem + structure(3, 4) + SYSTEM + board + END))
    awake = bytearray(SYSTEM)
    awake[0x18] = 0
    assert [*found] == [(11, oem), (1, bytes(awake)), (2, board)]
