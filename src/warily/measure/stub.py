"""What systemd-stub does between firmware and Linux, as far as registers outside PCR 11 tell it.

The command line and the initrd that it hands to Linux are what Linux measures into PCR 9. Until version 257 all of that
is modelled (and seen in boots of 252, 254 and 257); later stubs hand over more, which is left open rather than guessed.
Source: systemd-stub(7); systemd src/boot/efi/stub.c and cpio.c.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from warily.formats.pe import SectionHeader
from warily.formats.smbios import SmbiosTables
from warily.formats.tcg_log import EventType
from warily.formats.uki import KERNEL, Uki
from warily.measure.authenticode import authenticode
from warily.measure.boot import BootEvent, hashed, known, unknown
from warily.measure.boot.smbios import stub_measures
from warily.measure.boot.steps import tagged

KERNEL_PCR: Final = 4
SMBIOS_PCR: Final = 1
SMBIOS_TAGS: Final = {1: 0xD5CB7CBC, 2: 0xE0D47BC8, 11: 0xC0B3BD23}
SMBIOS_SINCE: Final = 262  # seen there; not known of 258 to 261
PARAMETERS_PCR: Final = 12
MODELLED_UNTIL: Final = 257  # 262 hands over something that is new at each start
LOADS_KERNEL_UNTIL: Final = 257  # by firmware's LoadImage, which measures it; 262 is seen not to
CONSOLE: Final = "console="

# Sections handed over as files of the initial RAM file system, in this order: section, file name, first version.
HANDED_OVER: Final = (
    (".pcrsig", "tpm2-pcr-signature.json", 252),
    (".pcrpkey", "tpm2-pcr-public-key.pem", 252),
    (".osrel", "os-release", 257),
    (".profile", "profile", 257),
)
FOLDER: Final = ".extra"
_FOLDER_MODE: Final = 0o40555
_FILE_MODE: Final = 0o100444
_TRAILER: Final = b"070701" + b"0" * 32 + b"00000001" + b"0" * 48 + b"0000000B" + b"0" * 8 + b"TRAILER!!!\0\0\0\0"


def stub_events(
    data: bytes | memoryview,
    uki: Uki,
    sections: Mapping[str, SectionHeader],
    *,
    algorithms: Sequence[str],
    given: str,
    smbios: SmbiosTables | tuple[BootEvent, ...] | None = None,
    secure_boot: bool = False,
) -> Iterator[BootEvent]:
    """What the stub extends after PCR 11: the command line it was `given`, and through firmware the kernel.

    With Secure Boot the stub vouches for the kernel in firmware's place, and firmware does not measure it then. Later
    stubs do not load it through firmware, and measure some of the machine's SMBIOS tables: `smbios` has QEMU's, or the
    events in a log.
    """
    if given:
        text = f"{mangled(given)}\0".encode("utf-16-le")
        yield hashed(PARAMETERS_PCR, EventType.IPL, "command line given to the stub", ingredient="append", data=text)
    if uki.stub is None:
        because = "the image does not say which stub it has"
        yield unknown(KERNEL_PCR, EventType.EFI_BOOT_SERVICES_APPLICATION, KERNEL, ingredient="uki", because=because)
    elif uki.stub.major <= LOADS_KERNEL_UNTIL and not secure_boot:
        kernel = sections[KERNEL].loaded(data)
        digests = {algorithm: authenticode(kernel, algorithm) for algorithm in algorithms}
        yield known(
            KERNEL_PCR,
            EventType.EFI_BOOT_SERVICES_APPLICATION,
            "kernel in the image",
            ingredient="uki",
            digests=digests,
        )
    if uki.stub is not None:
        yield from smbios_events(uki.stub.major, smbios)


def heeded(given: str, sections: Mapping[str, SectionHeader], *, secure_boot: bool) -> str:
    """What counts of the command line given to the stub: nothing under Secure Boot, where the image has its own."""
    return "" if secure_boot and ".cmdline" in sections else given


def smbios_events(version: int, smbios: SmbiosTables | tuple[BootEvent, ...] | None) -> Iterator[BootEvent]:
    """What systemd's stub, or its loader before it, measures of SMBIOS tables. `smbios` may be the events of a log."""
    kind, name = EventType.EVENT_TAG, "SMBIOS tables, by the stub"
    if version <= LOADS_KERNEL_UNTIL:
        return
    if isinstance(smbios, tuple):
        yield from smbios
    elif version < SMBIOS_SINCE:
        because = f"whether systemd {version} measures SMBIOS tables before Linux runs is not known; a log tells"
        yield unknown(SMBIOS_PCR, kind, name, ingredient="smbios", because=because)
    elif smbios is None:
        because = "this stub measures some of QEMU's SMBIOS tables, and they are not given"
        yield unknown(SMBIOS_PCR, kind, name, ingredient="smbios", because=because)
    else:
        for number, content in stub_measures(smbios):
            data = tagged(SMBIOS_TAGS[number], f"smbios:type{number}\0".encode("utf-16-le"))
            yield BootEvent(
                register=SMBIOS_PCR,
                type=kind,
                name=f"SMBIOS type {number}",
                ingredient="smbios",
                hashed=content,
                data=data,
            )


def load_options(data: bytes | memoryview, uki: Uki, sections: Mapping[str, SectionHeader], given: str) -> bytes | None:
    """The load options that Linux gets: the line given, or else the one of the image. None where it is not modelled."""
    text = mangled(given) if given else line_of(data, sections)
    if text is None:
        return None
    adds_console = uki.stub is None or uki.stub.major > LOADS_KERNEL_UNTIL
    if not text or (adds_console and CONSOLE not in text) or text.startswith(" "):
        return None
    return f"{text}\0".encode("utf-16-le")


def line_of(data: bytes | memoryview, sections: Mapping[str, SectionHeader]) -> str | None:
    """The command line in the image, as the stub hands it on; empty without one, None where it is not text."""
    if ".cmdline" not in sections:
        return ""
    try:
        return mangled(bytes(sections[".cmdline"].loaded(data)).split(b"\0")[0].decode("utf-8"))
    except UnicodeDecodeError:
        return None


def mangled(line: str) -> str:
    """The line with blanks for control characters and none at its end, as the stub hands it on."""
    return "".join(max(char, " ") for char in line).rstrip(" ")


def handed_initrd(
    data: bytes | memoryview, uki: Uki, sections: Mapping[str, SectionHeader], algorithms: Sequence[str]
) -> dict[str, bytes] | None:
    """Digests of the initrd that Linux gets; None where what this stub hands over is not modelled, empty without any.

    All parts count one after the other, each padded to four bytes where there are several.
    """
    if uki.stub is None or uki.stub.major > MODELLED_UNTIL:
        return None
    parts = [sections[name].loaded(data) for name in (".ucode", ".initrd") if name in sections]
    for name, file, since in HANDED_OVER:
        section = sections.get(name) or uki.section(name)
        if section is not None and section.virtual_size and since <= uki.stub.major:
            parts.append(memoryview(_archive(file, bytes(section.loaded(data)))))
    found = {}
    for algorithm in algorithms if parts else ():
        digest = hashlib.new(algorithm)
        for part in parts:
            digest.update(part)
            digest.update(bytes(-len(part) % 4) if len(parts) > 1 else b"")
        found[algorithm] = digest.digest()
    return found


def _archive(name: str, content: bytes) -> bytes:
    """The stub's cpio archive of one file in one folder. Its encoding is its own: lower case, one link each."""
    return _entry(FOLDER, 1, _FOLDER_MODE, b"") + _entry(f"{FOLDER}/{name}", 2, _FILE_MODE, content) + _TRAILER


def _entry(name: str, inode: int, mode: int, content: bytes) -> bytes:
    text = name.encode() + b"\0"
    numbers = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(text), 0)
    head = b"070701" + b"".join(b"%08x" % number for number in numbers) + text
    return head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)
