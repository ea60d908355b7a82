"""systemd-boot on the disk, before the unified kernel image that it starts.

Firmware measures both programs. The loader measures SMBIOS tables in place of the stub, and an early one the image's
command line, which the stub then counts once more. A loader.conf, which later ones measure as well, is not modelled.
Source: systemd src/boot/boot.c; seen in boots of 252, 254, 257 and 262.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from warily.errors import UsageError
from warily.formats._record import record
from warily.formats.pe import PeImage, SectionHeader
from warily.formats.smbios import SmbiosTables
from warily.formats.tcg_log import EventType
from warily.measure.authenticode import authenticode
from warily.measure.boot import BootEvent, hashed, known, unknown
from warily.measure.stub import LOADS_KERNEL_UNTIL, PARAMETERS_PCR, line_of, smbios_events

IMAGE_PCR: Final = 4
PASSES_LINE_UNTIL: Final = 254
PASSES_NONE_SINCE: Final = 257
_VERSION: Final = re.compile(rb"#### LoaderInfo: systemd-boot v?(\d{1,5})[^#]{0,80}####")
_WHAT: Final = "command line given by the loader"


@record
class Loaded:
    """What a loader changes: the program that firmware measures, what follows before the stub, what the stub gets."""

    image: Mapping[str, bytes]
    before: tuple[BootEvent, ...]
    given: str
    smbios: SmbiosTables | tuple[BootEvent, ...] | None


def loaded(
    loader: bytes,
    program: bytes,
    sections: Mapping[str, SectionHeader],
    smbios: SmbiosTables | tuple[BootEvent, ...] | None,
    *,
    algorithms: Sequence[str],
    authority: tuple[BootEvent, ...] = (),
) -> Loaded:
    """A start of the image `program` by `loader`; `authority` vouches for the image.

    Raises `FormatError`, and `UsageError` for another loader.
    """
    version = _version(loader)
    line = line_of(program, sections) if version < PASSES_NONE_SINCE else ""
    digests = {algorithm: authenticode(program, algorithm) for algorithm in algorithms}
    kind = EventType.EFI_BOOT_SERVICES_APPLICATION
    image = known(IMAGE_PCR, kind, "the image that the loader starts", ingredient="uki", digests=digests)
    return Loaded(
        image={algorithm: authenticode(loader, algorithm) for algorithm in algorithms},
        before=(*smbios_events(version, smbios), *authority, image, *_passed(version, line)),
        given=line or "",
        smbios=smbios if version <= LOADS_KERNEL_UNTIL else (),
    )


def _version(loader: bytes) -> int:
    """The loader's version, as it says of itself."""
    PeImage.parse(loader)
    found = _VERSION.search(loader)
    if found is None:
        raise UsageError("the boot loader is not systemd-boot, and only that is modelled")
    return int(found[1])


def _passed(version: int, line: str | None) -> Iterator[BootEvent]:
    """The command line that an early loader measures when it hands it on."""
    if line is None or PASSES_LINE_UNTIL < version < PASSES_NONE_SINCE:
        because = "the image's command line is not text" if line is None else f"systemd-boot {version} was not seen"
        yield unknown(PARAMETERS_PCR, EventType.IPL, _WHAT, ingredient="uki", because=because)
    elif line:
        data = f"{line}\0".encode("utf-16-le")
        yield hashed(PARAMETERS_PCR, EventType.IPL, _WHAT, ingredient="uki", data=data)
