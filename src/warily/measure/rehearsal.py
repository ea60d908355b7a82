"""The launch digest that the rehearsal AMD-SP reports: SNP's chain over a machine without SNP.

The firmware (any BIOS image that ends at 4 GiB), one page of kernel hashes, then the VMSAs. Such a
firmware declares no sections and no place for the hashes, so both are fixed here, and all
processors start alike. Nothing enforces this order but the AMD-SP that rehearses it.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final

from warily.core.declaration import Platform
from warily.core.registers import Prediction, Step
from warily.core.shape_rules import LaunchRule
from warily.errors import UsageError
from warily.formats.ovmf import PAGE, TOP, Section, SectionType, check_size
from warily.measure.cpu import signature
from warily.measure.direct_boot import DirectBoot, FileDigest, hashes_steps
from warily.measure.launch_digest import LaunchDigest
from warily.measure.processors import Processors, checked_counts
from warily.measure.snp import REGISTER
from warily.measure.vmsa import BOOT_EIP, RESETS, Vmm, boot_processor

HASHES_GPA: Final = 0x81_0000
HASHES_OFFSET: Final = 0
FEATURES: Final = 1  # SNPActive, as the report it ends up in claims


def predict(
    *,
    firmware: bytes,
    kernel: bytes | FileDigest,
    initrd: bytes | FileDigest | None,
    command_line: bytes | None,
    vcpus: int,
    cpu: str,
) -> Prediction:
    """The launch digest, and its trace by part. Raises `UsageError` and `FormatError`."""
    checked_counts((vcpus,))
    digest = LaunchDigest()
    boot = DirectBoot(kernel=kernel, initrd=initrd, command_line=command_line)
    trace = list(_steps(digest, firmware, boot))
    trace += _processors(cpu).steps(digest, vcpus)
    return Prediction(registers={REGISTER: digest.value}, trace=tuple(trace))


def predict_counts(
    *,
    firmware: bytes,
    kernel: bytes | FileDigest,
    initrd: bytes | FileDigest | None,
    command_line: bytes | None,
    cpu: str,
    counts: Iterable[int],
) -> dict[int, bytes]:
    """The launch digest for each vCPU count, in one pass over the chain."""
    wanted = checked_counts(counts)
    digest = LaunchDigest()
    for _ in _steps(digest, firmware, DirectBoot(kernel=kernel, initrd=initrd, command_line=command_line)):
        pass
    return _processors(cpu).digests(digest, wanted)


def rule(firmware: bytes, *, role: str) -> LaunchRule:
    """The launch rule of this chain, as `measure.shapes` recomputes it. Raises `FormatError`."""
    check_size(firmware)
    gpa = TOP - len(firmware)
    digest = LaunchDigest()
    digest.add_bytes(gpa, firmware)
    return LaunchRule(
        platform=Platform.REHEARSAL,
        vmm=Vmm.QEMU.value,
        firmware=role,
        firmware_gpa=gpa,
        seed=digest.value,
        sections=(Section(gpa=HASHES_GPA, size=PAGE, type=SectionType.KERNEL_HASHES),),
        hashes_offset=HASHES_OFFSET,
        reset_eip=BOOT_EIP,  # all processors start alike
        features=FEATURES,
    )


def _steps(digest: LaunchDigest, firmware: bytes, boot: DirectBoot) -> Iterator[Step]:
    check_size(firmware)
    hashes = boot.hashes()
    if hashes is None:
        raise UsageError("the rehearsal machine boots a kernel directly", hint="add --kernel FILE")
    gpa = TOP - len(firmware)
    digest.add_bytes(gpa, firmware)
    yield digest.step("firmware", "firmware", hashlib.sha256(firmware).digest(), at=gpa)
    yield from hashes_steps(digest, hashes, HASHES_GPA, HASHES_OFFSET)


def _processors(cpu: str) -> Processors:
    page = boot_processor(RESETS[Vmm.QEMU], signature=signature(cpu), features=FEATURES)
    contents = hashlib.sha384(page).digest()
    return Processors(boot=contents, other=contents)
