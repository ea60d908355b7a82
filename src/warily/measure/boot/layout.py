"""Event layouts: which events a firmware logs in which order, as dated data in `data/boot_layouts`.

A layout file says by which bytes a build of it is known (`contains`, `lacks`), which releases it covers, and for each
platform (`tdx`, `tpm`) and way to boot (`kernel`: QEMU's -kernel; `disk`: a program on a disk) the list of steps. A
step is one event or a group of them; `separator:N` is the separator of PCR N. The words are those of `steps.STEPS`.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from importlib import resources
from typing import Any, Final, Literal

from warily.errors import FormatError, UsageError
from warily.formats._record import record
from warily.formats.firmware_volume import parse_volumes
from warily.formats.load_option import LoadOption, firmware_file
from warily.formats.smbios import Structure
from warily.measure.boot.smbios import bios_information

Platform = Literal["tdx", "tpm"]
Route = Literal["kernel", "disk"]

FOLDER: Final = "boot_layouts"
RTMR_DRIVER: Final = "f062221e-c607-44c2-b0b4-c3886331d351"  # TdTcg2Dxe
SMBIOS_DRIVER: Final = "d27fed59-abb4-4fed-bead-2a878c7e4a7e"  # SmbiosMeasurementDxe
SECURE_BOOT_DRIVER: Final = "f0e6a44f-7195-41c3-ac64-54f202cd0a21"  # SecureBootConfigDxe
SMM_DRIVER: Final = "9f7dcade-11ea-448a-a46f-76e003657dd1"  # VariableSmmRuntimeDxe
_VERSION: Final = re.compile(rb"2\x000\x00(?:[0-9]\x00){2}\.\x00[01]\x00[0-9]\x00(?:[\x20-\x7e]\x00){0,64}")
_LETTER: Final = re.compile(rb"[\x20-\x7e]\x00")


@record
class BootLayout:
    """One layout. `fw_cfg` are the items of QEMU that count: name and the size they must have (0: any).

    `option_volume` is the GUID of the volume that holds the programs of firmware's own boot options, and
    `shell_attributes` are those of its shell among them, None where nobody saw.
    """

    name: str
    dated: str
    versions: tuple[str, ...]
    contains: tuple[bytes, ...]
    lacks: tuple[bytes, ...]
    initrd_word: str
    fw_cfg: tuple[tuple[str, int], ...]
    boot_options: tuple[LoadOption, ...]
    option_volume: str
    shell_attributes: int | None
    routes: Mapping[tuple[str, str], tuple[str, ...]]

    def steps(self, platform: Platform, route: Route) -> tuple[str, ...]:
        """The steps of a boot, in order."""
        return self.routes[platform, route]

    def command_line(self, given: str, *, initrd: bool) -> str:
        """The command line that a kernel of QEMU's -kernel gets: with a word for the initrd where there is one."""
        if not initrd:
            return given
        return f"initrd=initrd {given}" if self.initrd_word == "before" else f"{given} initrd=initrd"


@record
class FirmwareFacts:
    """What the image itself shows. `version` is the release that it names, "2026.08+ds-2" say; None without one.

    `layouts` are those that fit: exactly one where the image decides. `drivers` are the GUIDs of its files, and `bios`
    is what it adds to SMBIOS tables about itself.
    """

    version: str | None
    layouts: tuple[BootLayout, ...]
    drivers: frozenset[str]
    because: str
    bios: Structure | None = None

    @property
    def secure_boot(self) -> bool:
        """Whether it knows Secure Boot, and so has the variable of that name."""
        return SECURE_BOOT_DRIVER in self.drivers

    @property
    def measures_smbios(self) -> bool:
        """Whether it measures the SMBIOS tables."""
        return SMBIOS_DRIVER in self.drivers

    @property
    def runs_smm(self) -> bool:
        """Whether it keeps its variables in system management mode."""
        return SMM_DRIVER in self.drivers

    @property
    def extends_rtmrs(self) -> bool:
        """Whether it has the driver that extends a TD's registers and logs it."""
        return RTMR_DRIVER in self.drivers


@lru_cache(maxsize=1)
def layouts() -> tuple[BootLayout, ...]:
    """All layouts, oldest first."""
    folder = resources.files("warily.data").joinpath(FOLDER)
    found = [_read(entry.read_text("utf-8")) for entry in folder.iterdir() if entry.name.endswith(".toml")]
    return tuple(sorted(found, key=lambda layout: layout.versions[0]))


def layout_named(name: str) -> BootLayout:
    """The layout of that name. Raises `UsageError` with the names there are."""
    for layout in layouts():
        if layout.name == name:
            return layout
    msg = f"no event layout {name!r}"
    raise UsageError(msg, hint=f"there are {', '.join(layout.name for layout in layouts())}")


@lru_cache(maxsize=2)  # unpacking takes a while, and whoever tries many shapes tries one image
def examine(firmware: bytes) -> FirmwareFacts:
    """What the image shows of the events it logs. Raises `FormatError` for what is no firmware image.

    The bytes decide first, the version where they leave several layouts; a version that is on no list decides
    nothing. So a layout is never guessed: what is left open stays a set.
    """
    found = parse_volumes(firmware)
    parts = (*found.expanded, firmware)
    version = _version(parts)
    fitting = tuple(layout for layout in layouts() if _fits(layout, parts))
    because = "by bytes in the image"
    if len(fitting) > 1 and version is not None:
        named = tuple(layout for layout in fitting if version[:7] in layout.versions)
        fitting, because = (named, f"by its version {version}") if named else (fitting, because)
    return FirmwareFacts(
        version=version, layouts=fitting, drivers=found.files, because=because, bios=bios_information(found)
    )


def _fits(layout: BootLayout, parts: tuple[bytes, ...]) -> bool:
    return all(any(mark in part for part in parts) for mark in layout.contains) and not any(
        mark in part for mark in layout.lacks for part in parts
    )


def _version(parts: tuple[bytes, ...]) -> str | None:
    """The one text of the image that begins as a release of edk2 does; None without, or with several releases."""
    texts = {
        match[0].decode("utf-16-le")
        for part in parts
        for match in _VERSION.finditer(part)
        if not _LETTER.fullmatch(part, match.start() - 2, match.start())  # else it is the end of another text
    }
    releases = {text[:7] for text in texts}
    return min(texts) if len(releases) == 1 else None


def _read(text: str) -> BootLayout:
    table: dict[str, Any] = tomllib.loads(text)
    volume = table["option_volume"]
    return BootLayout(
        name=table["name"],
        dated=table["dated"],
        versions=tuple(table["versions"]),
        contains=tuple(mark.encode() for mark in table["contains"]),
        lacks=tuple(mark.encode() for mark in table["lacks"]),
        initrd_word=table["initrd_word"],
        fw_cfg=tuple((name, size) for name, size in table["fw_cfg"]),
        boot_options=tuple(
            LoadOption(
                attributes=entry["attributes"],
                description=entry["description"],
                path=firmware_file(volume, entry["file"]),
            )
            for entry in table["boot_options"]
        ),
        option_volume=volume,
        shell_attributes=table.get("shell_attributes"),
        routes={
            (platform, route): tuple(table[platform][route])
            for platform in ("tdx", "tpm")
            for route in ("kernel", "disk")
        },
    )


def facts_of(firmware: bytes, *, layout: str | None) -> FirmwareFacts:
    """What the image shows, with the layout of that name in place of those that fit, where one is named."""
    if layout is None:
        return examine(firmware)
    named = layout_named(layout)
    try:
        found = examine(firmware)
    except FormatError:  # an unusual image: whoever names its layout knows better
        return FirmwareFacts(version=None, layouts=(named,), drivers=frozenset(), because="as you said")
    return replace(found, layouts=(named,), because="as you said")
