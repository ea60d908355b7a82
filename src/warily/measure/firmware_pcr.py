"""PCR 0 of a machine that starts from OVMF: the firmware's version, and the volumes that hold its code.

The volumes are measured as they lie in memory, unpacked; neither variables nor the reset code are. The version is a
text that the build put into the module that measures, so the image itself says it.
Source: TCG PC Client Platform Firmware Profile 1.06, section 3.3.4.1; edk2 SecurityPkg/Tcg/Tcg2Pei.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from warily.errors import UsageError
from warily.formats.firmware_volume import Volume, file_sections, parse_volumes
from warily.formats.tcg_log import EventType
from warily.formats.uefi_varstore import VariableStore
from warily.measure.boot import Alternative, BootEvent, hashed, unknown
from warily.measure.boot.layout import SMM_DRIVER
from warily.measure.pei_timer import PC_TIMER_PORT, Q35_TIMER_PORT, timer_port_at, with_timer_port
from warily.measure.platform_info import MachineShape, platform_info_of

PCR: Final = 0
INGREDIENT: Final = "firmware"
MAX_VERSION: Final = 256
MEMORY_TYPES: Final = "MemoryTypeInformation"  # read where SMM guards the variables (OvmfPkg/PlatformPei/MemTypeInfo.c)
MEMORY_TYPES_VENDOR: Final = "4c19049f-4137-4dd3-9c10-8b97a83ffdfa"

PEI_CORE: Final = "52c05b14-0b98-496c-bc3b-04b50211d680"
DXE_CORE: Final = "d6a2cb7f-6a18-4e2f-b43b-9920a733700a"
MEASURING: Final = "a0c98b77-cba5-4bb8-993b-4af6ce33ece4"  # Tcg2Pei

_PROGRAMS: Final = (0x10, 0x12)  # section types: PE32 and terse images
_TEXT: Final = re.compile(rb"(?<![\x20-\x7e]\0)((?:[\x20-\x7e]\0){3,256})\0\0")


def firmware_events(
    firmware: bytes,
    *,
    version: str | None = None,
    shape: MachineShape | None = None,
    writes: bool = False,
    variables: VariableStore | None = None,
) -> tuple[BootEvent, ...]:
    """What `firmware` extends into PCR 0 before anything else: its version and its volumes, without the separator.

    `version` is the text that counts as its version where it is not the one that the image names. `writes` says that
    the firmware is of the kind that writes into its PEI volume first, and `shape` on which machine; `variables` are
    what it finds in its store. Raises `FormatError` for what is no firmware image, `UsageError` where it measures
    nothing or several texts could be its version.
    """
    found = parse_volumes(firmware).volumes
    pei, dxe = _with(found, PEI_CORE), _with(found, DXE_CORE)
    if pei is None or dxe is None or MEASURING not in pei.files:
        raise UsageError(
            "this firmware measures nothing into PCR 0: it has no Tcg2Pei module",
            hint="OVMF built without a TPM driver, or for TDX only, extends no PCR",
        )
    smm = any(SMM_DRIVER in volume.files for volume in found)
    text = named_version(pei) if version is None else version
    if len(text) > MAX_VERSION:
        msg = f"firmware version: over {MAX_VERSION} characters"
        raise UsageError(msg)
    return (
        hashed(
            PCR,
            EventType.S_CRTM_VERSION,
            f"firmware version {text!r}",
            ingredient=INGREDIENT,
            data=f"{text}\0".encode("utf-16-le"),
        ),
        _pei_volume(bytes(pei.data), shape, variables) if writes else _plain_pei_volume(pei, smm=smm),
        _blob("DXE volume", bytes(dxe.data)),
    )


def named_version(pei: Volume) -> str:
    """The version that the measuring module carries; "" where it carries none, as builds without one measure it."""
    texts = {
        match[1].decode("utf-16-le")
        for kind, content in file_sections(pei, MEASURING)
        if kind in _PROGRAMS
        for match in _TEXT.finditer(content)
    }
    if len(texts) > 1:
        msg = f"several texts in the firmware could be its version: {', '.join(sorted(texts)[:4])}"
        raise UsageError(msg, hint="name the one that counts: --firmware-version TEXT")
    return texts.pop() if texts else ""


def _with(found: Sequence[Volume], core: str) -> Volume | None:
    return next((volume for volume in found if core in volume.files), None)


def _plain_pei_volume(volume: Volume, *, smm: bool) -> BootEvent:
    """The PEI volume as it is measured, where all that is written there is the port of the timer."""
    if smm:
        because = "firmware that runs SMM writes into it what it finds of the machine, and what is not modelled"
        return unknown(PCR, EventType.EFI_PLATFORM_FIRMWARE_BLOB, "PEI volume", ingredient=INGREDIENT, because=because)
    at = timer_port_at(volume)
    usual = _blob("PEI volume", with_timer_port(volume, at, Q35_TIMER_PORT))
    if at is None:
        return usual
    others = (
        Alternative(name="pc", because="a machine of the type pc", hashed=with_timer_port(volume, at, PC_TIMER_PORT)),
        Alternative(name="unwritten", because="nothing writes into the PEI volume", hashed=bytes(volume.data)),
    )
    return replace(usual, alternatives=others)


def _pei_volume(volume: bytes, shape: MachineShape | None, variables: VariableStore | None) -> BootEvent:
    """The PEI volume of firmware that writes into it, as it is on a machine of that shape."""
    kind, name, info = EventType.EFI_PLATFORM_FIRMWARE_BLOB, "PEI volume", platform_info_of(volume)
    if info is None:
        because = "firmware as old as this writes into it what it finds of the machine, and this build is not known"
        return unknown(PCR, kind, name, ingredient=INGREDIENT, because=because)
    if shape is None:
        because = "this firmware writes into it what it finds of the machine: its memory and vCPUs are not given"
        return unknown(PCR, kind, name, ingredient=INGREDIENT, because=because)
    if info.smm and variables is not None and variables.value(MEMORY_TYPES, MEMORY_TYPES_VENDOR):
        because = "this firmware writes into it how much memory earlier boots used, which its variables say"
        return unknown(PCR, kind, name, ingredient="variables", because=because)
    written = info.written(volume, shape)
    return BootEvent(register=PCR, type=kind, name=name, ingredient="firmware, memory, vcpus", hashed=written)


def _blob(name: str, volume: bytes) -> BootEvent:
    # The event's data tells base and length, which no register depends on; so the log's own data is left out.
    return BootEvent(
        register=PCR,
        type=EventType.EFI_PLATFORM_FIRMWARE_BLOB,
        name=name,
        ingredient=INGREDIENT,
        hashed=volume,
    )
