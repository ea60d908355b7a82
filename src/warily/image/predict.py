"""The registers of a manifest, and the rules that lead to them: what each platform will report for these very bytes.

Values are written down for every vCPU count up to 64 on the usual host; the rules give those of any other shape.
"""

from dataclasses import dataclass, replace
from typing import Final

from warily.core.declaration import Platform
from warily.core.manifest import Manifest, PredictedRegister
from warily.core.shape_rules import EventRule, LaunchRule
from warily.measure import rehearsal, shapes, snp
from warily.measure.td_boot import TdxLaunch
from warily.measure.td_rules import event_rules, mrtd_values
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
    """One register a platform and vCPU count; of TDX, MRTD, which depends on neither."""
    found: list[PredictedRegister] = []
    for platform, image in firmware.items():
        found += mrtd_values(image) if platform is Platform.TDX else ()
        for count, value in sorted(_values(platform, image, booted).items()):
            when = {"vcpus": str(count), "cpu": booted.cpu}
            found.append(PredictedRegister(platform=platform, register=REGISTER, when=when, value=value))
    return tuple(found)


def launches(firmware: dict[Platform, bytes]) -> tuple[LaunchRule, ...]:
    """The launch rule of each platform that has one: SNP and its rehearsal."""
    found = []
    if Platform.REHEARSAL in firmware:
        found.append(rehearsal.rule(firmware[Platform.REHEARSAL], role=role_of(Platform.REHEARSAL)))
    if Platform.SNP in firmware:
        image = firmware[Platform.SNP]
        found.append(shapes.snp_rule(image, role=role_of(Platform.SNP), vmm=Vmm.QEMU, features=SNP_FEATURES))
    return tuple(found)


def events(booted: Booted, firmware: dict[Platform, bytes], *, memory: int) -> tuple[EventRule, ...]:
    """The events of a TD's boot, for any shape; `memory` in bytes is the declared one. Nothing for other platforms.

    Neither SNP nor a rehearsal has registers for what comes after the launch, nor a TPM that not the host runs.
    """
    if Platform.TDX not in firmware:
        return ()
    return event_rules(
        TdxLaunch(
            firmware=firmware[Platform.TDX],
            memory=memory,
            vcpus=1,  # no event that can be told beforehand depends on it
            kernel=booted.kernel,
            initrd=booted.initrd,
            command_line=booted.command_line,
        )
    )


def with_declared(manifest: Manifest) -> Manifest:
    """The manifest with what its rules lead to at the declared shape written down: the RTMRs of a TD."""
    if Platform.TDX not in manifest.platforms:
        return manifest
    return replace(manifest, registers=(*manifest.registers, *shapes.foreseen(manifest, Platform.TDX)))


def role_of(platform: Platform) -> str:
    """The role of the ingredient that is this platform's firmware."""
    return f"firmware-{platform.value}"


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
