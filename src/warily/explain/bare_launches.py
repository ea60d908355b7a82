"""Launches without a measured kernel that no manifest describes: a firmware, an SVSM below one, an IGVM file."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final

from warily.core.declaration import Platform
from warily.core.shape_rules import LaunchRule
from warily.errors import FormatError, UsageError
from warily.explain.alternatives import NO_INITRD
from warily.explain.builds import Build
from warily.explain.launch import Firmware, Launch
from warily.formats.igvm import Igvm
from warily.formats.ovmf import Ovmf
from warily.measure import igvm, snp
from warily.measure.launch_digest import LaunchDigest
from warily.measure.svsm import LoadedSvsm, Svsm
from warily.measure.vmsa import Vmm

VARIABLES: Final = (0x84000, 0x20000, 0)  # sizes of the usual variable stores of OVMF: 4 MiB builds, 2 MiB builds, none
FEATURES: Final = 1  # SNPActive


def alone(name: str, data: bytes, *, cpu: str, vcpus: int) -> Build:
    """The firmware as each virtual machine monitor starts it without a kernel; no launches where it is none for SNP."""
    return _build(name, (launch for vmm in Vmm for launch in _alone(name, data, vmm, cpu, vcpus)))


def under_svsm(name: str, svsm: bytes, firmwares: Iterable[tuple[str, bytes]], *, cpu: str, vcpus: int) -> Build:
    """The SVSM below each firmware, with each usual size of the variable store between them."""
    found: list[Launch] = []
    for firmware, data in firmwares:
        for size in VARIABLES:
            below = f"{firmware} with {name} and {size} bytes for variables"
            found += _below(below, data, Svsm(image=svsm, variables=size), cpu, vcpus)
    return _build(f"an SVSM, {name}", found)


def of_igvm(name: str, data: bytes) -> Iterator[tuple[bytes, str]]:
    """The registers of a machine that the file describes, in each way in which somebody measures it, in words."""
    try:
        found = igvm.measure(Igvm.parse(data))
    except (FormatError, UsageError):
        return
    for register, value in found.registers.items():
        yield value, f"{register} of a machine started from the IGVM file {name}"
    for one in found.candidates:
        yield one.value, f"{one.register} of a machine started from the IGVM file {name}, {one.because}"


def _build(name: str, launches: Iterable[Launch]) -> Build:
    return Build(name=name, where=name, manifest=None, packages=(), signer="", logged="", launches=tuple(launches))


def _alone(name: str, data: bytes, vmm: Vmm, cpu: str, vcpus: int) -> Iterator[Launch]:
    try:
        image = Ovmf.parse(data)
        if not image.sections:
            return
        rule = _rule(image, snp.after_firmware(data), vmm)
        if vcpus > 1 and image.reset_eip is None:
            return
    except (FormatError, UsageError):
        return
    yield _launch(Firmware(name=name, sha256=hashlib.sha256(data).digest(), rule=rule), cpu, vcpus)


def _below(name: str, data: bytes, svsm: Svsm, cpu: str, vcpus: int) -> Iterator[Launch]:
    try:
        image = Ovmf.parse(data)
        digest = LaunchDigest(snp.after_firmware(data))
        loaded = LoadedSvsm.load(svsm, digest, end=image.gpa, hashes=None)
    except (FormatError, UsageError):
        return
    rule = LaunchRule(
        platform=Platform.SNP,
        vmm=Vmm.QEMU.value,
        firmware=name,
        firmware_gpa=loaded.gpa,
        seed=digest.value,
        sections=loaded.sections,
        hashes_offset=0,
        reset_eip=loaded.eip,
        features=FEATURES,
    )
    yield _launch(Firmware(name=name, sha256=loaded.sha256, rule=rule, svsm=True), cpu, vcpus)


def _rule(image: Ovmf, seed: bytes, vmm: Vmm) -> LaunchRule:
    return LaunchRule(
        platform=Platform.SNP,
        vmm=vmm.value,
        firmware="",
        firmware_gpa=image.gpa,
        seed=seed,
        sections=image.sections,
        hashes_offset=_offset(image),
        reset_eip=image.reset_eip,
        features=FEATURES,
    )


def _offset(image: Ovmf) -> int:
    try:
        return snp.hashes_offset(image)
    except UsageError:
        return 0  # and no section for kernel hashes that it could count in


def _launch(firmware: Firmware, cpu: str, vcpus: int) -> Launch:
    return Launch(
        firmware=firmware,
        kernel=None,
        initrd=NO_INITRD,
        line=b"",
        cpu=cpu,
        features=FEATURES,
        host="",
        vcpus=vcpus,
    )
