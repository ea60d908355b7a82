"""Parsers that take more than bytes, or that come in kinds, as functions of bytes alone."""

import importlib
import pkgutil
from collections.abc import Callable
from typing import Final

from warily import formats
from warily.errors import FormatError
from warily.formats import (
    acpidump,
    armour,
    cmw,
    collateral_bundle,
    corim,
    dice,
    dstack_measurements,
    elf,
    erofs,
    firmware_volume,
    http_response,
    initramfs,
    intel_collateral,
    kernel_config,
    keylime_policy,
    lz4_block,
    nitro,
    nvidia_evidence,
    nvidia_report,
    ocsp,
    pe,
    spdm,
    swid_rim,
    table_loader,
    tcg_log,
    tpm,
    tpm_registers,
    uefi_events,
    vtpm_evidence,
)
from warily.formats._json import JsonObject
from warily.formats._layout import Layout
from warily.formats.acpi.known import READERS
from warily.formats.acpi_table import AcpiTable, split
from warily.formats.aml.decode import AmlSet, decode
from warily.formats.http_response import HttpResponse
from warily.formats.snp_report import Tcb, TcbLayout
from warily.formats.x509 import Certificate

ALL: Final = 1 << 30
SHA256: Final = 0x000B


def text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    """A parser of text, for bytes that may not be any."""
    return lambda data: read(data.decode("utf-8", "replace"))


def any_json(data: bytes) -> JsonObject:
    """Any JSON object."""
    return JsonObject.parse(data, what="JSON", limit=ALL)


def acpi_readers(data: bytes) -> int:
    """Every part of every table that a known reader finds."""
    return sum(len(list(READERS[table.signature](table))) for table in split(data) if table.signature in READERS)


def aml_set(data: bytes) -> AmlSet:
    """Bytecode: the body of whatever tables the bytes are, or else the bytes as the body of a DSDT."""
    try:
        tables = split(data)
    except FormatError:
        length = 36 + len(data)
        head = bytearray(b"DSDT" + length.to_bytes(4, "little") + b"\2\0".ljust(28, b"\0"))
        head[9] = -sum(head + data) & 0xFF
        tables = [AcpiTable.parse(bytes(head) + data)]
    return decode(tables)


def collection(data: bytes) -> cmw.Collection:
    """A collection of evidence."""
    return cmw.decode(any_json(data))


def nvidia_entry(data: bytes) -> nvidia_evidence.NvidiaFileEntry:
    """One device of NVIDIA evidence."""
    return nvidia_evidence.NvidiaFileEntry.read(any_json(data), nonce=None, arch=None)


def rim_from_service(data: bytes) -> bytes:
    """An answer of NVIDIA's service."""
    return swid_rim.from_service(any_json(data))


def dice_names(data: bytes) -> object:
    """What DICE extensions say of a device."""
    extensions = Certificate.decode(data).extensions
    return dice.firmware_of(extensions), dice.device_names(extensions)


def file_sections(data: bytes) -> list[int]:
    """Every section of every file of every firmware volume."""
    found = firmware_volume.parse_volumes(data)
    return [len(firmware_volume.file_sections(volume, name)) for volume in found.volumes for name in volume.files]


def nitro_payload(data: bytes) -> bytes:
    """The payload of a Nitro message, which is the document."""
    return nitro.decode_message(nitro.message_in(data))[0].payload


def unhexed(data: bytes) -> bytes:
    """Hexadecimal text as bytes."""
    return bytes.fromhex(data.decode("ascii"))


def lz4(data: bytes) -> bytes:
    """An LZ4 block that should hold as many bytes as the first two say."""
    return lz4_block.decompress(data[2:], int.from_bytes(data[:2], "little"))


def file_system(data: bytes) -> list[bytes]:
    """The files of an EROFS image that a look at a root file system asks for."""

    def read(at: int, size: int) -> bytes:
        if not 0 <= at <= at + size <= len(data):
            raise FormatError("past the end")
        return data[at : at + size]

    image = erofs.Erofs.open(read)
    found = []
    for path in ("a/b", "c"):
        inode, _ = image.find(path)
        found.append(image.content(inode) if inode.is_file else b"")
    return found


def loader_script(data: bytes) -> bytes:
    """QEMU's table loader script; written back, it is the same."""
    return table_loader.encode(table_loader.commands(data))


def http(data: bytes) -> HttpResponse:
    """An answer with the status line that no seed has."""
    return HttpResponse.decode(data if data.startswith(b"HTTP/") else b"HTTP/1.1 200\r\nA: %41\r\n\r\n" + data)


def portion(data: bytes) -> spdm.CertificatePortion:
    """Part of a certificate chain."""
    return spdm.CertificatePortion.decode(data)


def registers(data: bytes) -> object:
    """Register values beside a quote of as many SHA-256 registers."""
    return tpm_registers.decode_registers(
        data, [tpm.Selection(bank=SHA256, width=3, pcrs=tuple(range(min(24, len(data) // 32))))]
    )


def tcb(data: bytes) -> Tcb:
    """A TCB version in one of its layouts."""
    kinds = tuple(TcbLayout)
    return Tcb.decode(int.from_bytes(data[:8], "little"), kinds[sum(data[8:9]) % len(kinds)])


def event_data(data: bytes) -> tuple[str, object]:
    """Event data of a type that the first four bytes name; nothing that it says may refuse it."""
    kind, content = int.from_bytes(data[:4], "little"), data[4:]
    return uefi_events.explain(kind, content), uefi_events.command_line(kind, content)


_SNIFFERS: Final[tuple[Callable[[bytes], object], ...]] = (
    acpidump.is_acpidump,
    armour.unarmoured,
    armour.unzipped,
    http_response.looks_like,
    corim.is_signed,
    elf.is_elf,
    initramfs.compression,
    kernel_config.looks_like,
    kernel_config.version,
    nitro.looks_like,
    nitro.message_in,
    nvidia_evidence.is_list,
    nvidia_report.looks_like,
    ocsp.looks_like,
    pe.is_pe,
    swid_rim.looks_like,
    tcg_log.is_log,
    tpm.is_attest,
    uefi_events.text_of,
)


def sniffers(data: bytes) -> list[object]:
    """Whatever decides by a look what some bytes are. None of them may raise anything."""
    answers = [sniff(data) for sniff in _SNIFFERS]
    try:
        top = any_json(data)
    except FormatError:
        return answers
    keys = tuple(top.keys())
    answers += [collateral_bundle.looks_like(keys), intel_collateral.looks_like_bundle(keys)]
    answers += [nvidia_evidence.looks_like(keys), vtpm_evidence.looks_like(keys)]
    return [*answers, dstack_measurements.looks_like(top), keylime_policy.looks_like(top)]


for _module in pkgutil.walk_packages(formats.__path__, f"{formats.__name__}."):
    importlib.import_module(_module.name)  # so that every structure is declared


def every_layout(base: type[Layout] = Layout) -> list[type[Layout]]:
    """Each declared structure, in the order of declaration."""
    found = []
    for kind in base.__subclasses__():
        if "SIZE" in vars(kind):
            found.append(kind)
        found += every_layout(kind)
    return found


def all_layouts(data: bytes) -> int:
    """Every declared structure that the bytes begin with; written back, it is the same."""
    read = 0
    for kind in every_layout():
        part = data[: kind.SIZE]
        if len(part) < kind.SIZE:
            continue
        try:
            made = kind.unpack(part)
        except FormatError:
            continue
        if made.pack() != part:
            msg = f"{kind.__qualname__}: other bytes when written back"
            raise AssertionError(msg)
        read += 1
    return read
