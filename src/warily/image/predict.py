"""The registers of a manifest: what each platform will report for these very bytes, for every vCPU count."""

from dataclasses import dataclass
from typing import Final

from warily.core.declaration import Platform
from warily.core.manifest import PredictedRegister
from warily.measure import rehearsal, snp
from warily.measure.vmsa import Vmm

REGISTER: Final = snp.REGISTER
COUNTS: Final = range(1, 65)
SNP_FEATURES: Final = 0x1  # SEV_FEATURES: SNPActive alone, as QEMU sets it


@dataclass(frozen=True, slots=True, kw_only=True)
class Booted:
    """The bytes that a direct kernel boot measures, and the CPU model."""

    kernel: bytes
    initrd: bytes
    command_line: bytes
    cpu: str


def registers(booted: Booted, firmware: dict[Platform, bytes]) -> tuple[PredictedRegister, ...]:
    """One register a platform and vCPU count. TDX is not predicted yet, and so gets none."""
    found: list[PredictedRegister] = []
    for platform, image in firmware.items():
        for count, value in sorted(_values(platform, image, booted).items()):
            when = {"vcpus": str(count), "cpu": booted.cpu}
            found.append(PredictedRegister(platform=platform, register=REGISTER, when=when, value=value))
    return tuple(found)


def _values(platform: Platform, firmware: bytes, booted: Booted) -> dict[int, bytes]:
    if platform is Platform.REHEARSAL:
        return rehearsal.predict_counts(
            firmware=firmware,
            kernel=booted.kernel,
            initrd=booted.initrd,
            command_line=booted.command_line,
            cpu=booted.cpu,
            counts=COUNTS,
        )
    if platform is Platform.SNP:
        launch = snp.SnpLaunch(
            firmware=firmware,
            vcpus=1,
            cpu=booted.cpu,
            features=SNP_FEATURES,
            vmm=Vmm.QEMU,
            kernel=booted.kernel,
            initrd=booted.initrd,
            command_line=booted.command_line,
        )
        return snp.predict_counts(launch, COUNTS)
    return {}
