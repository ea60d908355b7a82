"""What firmware of 2022 writes into its own PEI volume before it measures it: what it found of the machine.

Source: edk2-stable202211, OvmfPkg/Include/Library/PlatformInitLib.h (EFI_HOB_PLATFORM_INFO, packed) and
OvmfPkg/Library/PlatformInitLib/MemDetect.c, for QEMU's q35.
"""

import hashlib
import tomllib
from functools import lru_cache
from importlib import resources
from typing import Final

from warily.errors import UsageError
from warily.formats._record import record
from warily.measure.qemu_kernel import low_memory

GIB: Final = 1 << 30
MAX_VCPUS: Final = 64  # PcdCpuMaxLogicalProcessorNumber; with more, firmware counts differently
MAX_MEMORY: Final = 29 * GIB  # beyond, the 64-bit window for devices moves
MIN_MEMORY: Final = 64 << 20
PHYSICAL_BITS: Final = range(37, 47)

_Q35: Final = 0x29C0
_TSEG_MIB: Final = 16
_FIRST_FREE: Final = 64 * GIB
_DEVICES: Final = 0xC0000000
_DEVICES_SIZE: Final = 0x3C000000
_PORTS: Final = (0x6000, 0xA000)
_S3_BYTES: Final = 512 << 10
_STACK: Final = 0x8000
_NO_CACHE: Final = (0x80000000, 0xB0000000)


@record
class MachineShape:
    """A q35 machine: `memory` in bytes, `vcpus`, and how wide its physical addresses are (40 bits under TCG)."""

    memory: int
    vcpus: int
    physical_bits: int = 40


@record
class PlatformInfo:
    """A build that writes: where in its PEI volume, and whether it runs in system management mode."""

    name: str
    volume: bytes
    at: int
    smm: bool

    def written(self, volume: bytes, shape: MachineShape) -> bytes:
        """The volume as it is when it is measured. Raises `UsageError` for shapes that are not modelled."""
        _check(shape)
        out = bytearray(volume)
        for offset, width, value in self._fields(shape):
            out[self.at + offset : self.at + offset + width] = value.to_bytes(width, "little")
        return bytes(out)

    def _fields(self, shape: MachineShape) -> list[tuple[int, int, int]]:
        low = low_memory(shape.memory)
        window = 1 << (shape.physical_bits - 3)
        reserved = _S3_BYTES + shape.vcpus * _STACK
        smram = _TSEG_MIB << 20 if self.smm else 0
        return [
            (0, 2, _Q35),
            (15, 1, 1),  # S3Supported
            (16, 1, self.smm),
            (17, 1, self.smm),
            (18, 2, smram >> 20),
            (20, 8, _FIRST_FREE),
            (28, 1, shape.physical_bits),
            (29, 4, _NO_CACHE[low > _NO_CACHE[0]]),
            (46, 8, (1 << shape.physical_bits) - window),
            (54, 8, window),
            (62, 4, _DEVICES),
            (66, 4, _DEVICES_SIZE),
            (70, 8, _PORTS[0]),
            (78, 8, _PORTS[1]),
            (94, 4, shape.vcpus),
            (98, 4, shape.vcpus),
            (102, 4, MAX_VCPUS),
            (106, 4, low - smram - reserved),
            (110, 4, reserved),
            (114, 2, 0x0101),
        ]


def platform_info_of(volume: bytes) -> PlatformInfo | None:
    """The build that this PEI volume belongs to, if it is one that writes into it and is known."""
    return _builds().get(hashlib.sha256(volume).digest())


@lru_cache(maxsize=1)
def _builds() -> dict[bytes, PlatformInfo]:
    text = resources.files("warily.data").joinpath("pei_platform_info.toml").read_text("utf-8")
    found = {}
    for entry in tomllib.loads(text)["build"]:
        digest = bytes.fromhex(entry["volume"])
        found[digest] = PlatformInfo(name=entry["name"], volume=digest, at=entry["at"], smm=entry["smm"])
    return found


def _check(shape: MachineShape) -> None:
    if not MIN_MEMORY <= shape.memory <= MAX_MEMORY or not 1 <= shape.vcpus <= MAX_VCPUS:
        msg = f"PCR 0 of this firmware is known for 64 MiB to 29 GiB and at most {MAX_VCPUS} vCPUs"
        raise UsageError(msg)
    if shape.physical_bits not in PHYSICAL_BITS:
        msg = f"physical addresses of {shape.physical_bits} bits are not modelled"
        raise UsageError(msg)
