"""The SNP launch digest of a guest started from an OVMF image, with or without a direct kernel boot.

Order: the firmware, the sections of its metadata in the order of the file, then one VMSA a virtual
processor. EC2 adds the CPUID page after the other sections. Two stages keep image and shape apart:
`ingredients` reduces a launch to digests and numbers, `replay` turns those into the register.
Source: AMD 56860 section 8.17; QEMU target/i386/sev.c; EC2 and GCE as RESETS in vmsa.py says.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from warily.core.registers import Prediction, Step
from warily.errors import FormatError, UsageError
from warily.formats.ovmf import Ovmf, Section, SectionType
from warily.formats.sev_hashes import PAGE, TABLE_SIZE, KernelHashes
from warily.formats.snp_page_info import PageType
from warily.measure.cpu import signature
from warily.measure.direct_boot import DirectBoot, hashes_steps
from warily.measure.launch_digest import EMPTY, LaunchDigest, page_digests
from warily.measure.processors import Processors, checked_counts
from warily.measure.vmsa import RESETS, Vmm, application_processor, boot_processor

__all__ = ["REGISTER", "Ingredients", "SnpLaunch", "Vmm", "ingredients", "pages", "predict", "predict_counts", "replay"]

REGISTER: Final = "launch_digest"
SNP_ACTIVE: Final = 1
MAX_FEATURES: Final = 1 << 64


@dataclass(frozen=True, slots=True, kw_only=True)
class SnpLaunch:
    """A launch as the host performs it. Bytes are the files' content; nothing is stripped or decoded.

    `cpu` is a QEMU model name or a signature in hexadecimal; EC2 and GCE do not show it to the guest,
    and it may be empty there. `features` is SEV_FEATURES (bit 0, SNPActive, must be set).
    """

    firmware: bytes
    vcpus: int
    cpu: str
    features: int
    vmm: Vmm
    kernel: bytes | None
    initrd: bytes | None
    command_line: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingredients:
    """All that the digest depends on, without the files: enough to predict any other shape.

    `firmware` is the SHA-256 of the image, for the trace. `seed` is the register after the firmware
    (`snp:ovmf-hash` of sev-snp-measure). `hashes_offset` is where in its page the table of
    kernel hashes begins. `boot_vmsa` and `other_vmsa` are SHA-384 digests of VMSA pages;
    `other_vmsa` is None where the firmware cannot start a second processor.
    """

    firmware: bytes
    firmware_gpa: int
    seed: bytes
    sections: tuple[Section, ...]
    hashes: KernelHashes | None
    hashes_offset: int
    vmm: Vmm
    boot_vmsa: bytes
    other_vmsa: bytes | None


def predict(launch: SnpLaunch) -> Prediction:
    """The launch digest, and its trace by section. Raises `UsageError` and `FormatError`."""
    return replay(ingredients(launch), launch.vcpus)


def predict_counts(launch: SnpLaunch, counts: Iterable[int]) -> dict[int, bytes]:
    """The launch digest for each vCPU count; `launch.vcpus` plays no part. One pass over the chain."""
    wanted = checked_counts(counts)
    found = ingredients(launch)
    digest = LaunchDigest(found.seed)
    for _ in _section_steps(found, digest):
        pass
    return _processors(found).digests(digest, wanted)


def ingredients(launch: SnpLaunch) -> Ingredients:
    """The digests and numbers that `launch` reduces to. Raises `UsageError` and `FormatError`."""
    if not 0 < launch.features < MAX_FEATURES or not launch.features & SNP_ACTIVE:
        msg = f"SEV_FEATURES {launch.features:#x}: 64 bits with bit 0 (SNPActive) set are specified"
        raise UsageError(msg)
    firmware = Ovmf.parse(launch.firmware)
    boot = DirectBoot(kernel=launch.kernel, initrd=launch.initrd, command_line=launch.command_line)
    hashes = boot.hashes()
    seed = LaunchDigest()
    seed.add_bytes(firmware.gpa, launch.firmware)
    boot_vmsa, other_vmsa = _vmsas(launch, firmware.reset_eip)
    return Ingredients(
        firmware=hashlib.sha256(launch.firmware).digest(),
        firmware_gpa=firmware.gpa,
        seed=seed.value,
        sections=firmware.sections,
        hashes=hashes,
        hashes_offset=_hashes_offset(firmware) if hashes else 0,
        vmm=launch.vmm,
        boot_vmsa=boot_vmsa,
        other_vmsa=other_vmsa,
    )


def replay(found: Ingredients, vcpus: int) -> Prediction:
    """The launch digest for `vcpus` virtual processors, and its trace by section."""
    checked_counts((vcpus,))
    digest = LaunchDigest(found.seed)
    trace = [digest.step("firmware", "firmware", found.firmware, at=found.firmware_gpa)]
    trace += _section_steps(found, digest)
    trace += _processors(found).steps(digest, vcpus)
    return Prediction(registers={REGISTER: digest.value}, trace=tuple(trace))


def pages(launch: SnpLaunch) -> Iterator[Step]:
    """The trace of `predict` with one step for each page of the firmware instead of one for all."""
    found = ingredients(launch)
    digest = LaunchDigest()
    for at, contents in page_digests(launch.firmware):
        digest.add(PageType.NORMAL, found.firmware_gpa + at, contents)
        yield digest.step("firmware", f"firmware+{at:#x}", contents, at=found.firmware_gpa + at)
    yield from replay(found, launch.vcpus).trace[1:]


def _vmsas(launch: SnpLaunch, eip: int | None) -> tuple[bytes, bytes | None]:
    """The SHA-384 digests of the boot processor's and the other processors' VMSA."""
    reset = RESETS[launch.vmm]
    cpu = signature(launch.cpu) if reset.rdx is None else 0
    first = boot_processor(reset, signature=cpu, features=launch.features)
    if eip is None:
        return hashlib.sha384(first).digest(), None
    other = application_processor(reset, eip=eip, signature=cpu, features=launch.features)
    return hashlib.sha384(first).digest(), hashlib.sha384(other).digest()


def _hashes_offset(firmware: Ovmf) -> int:
    """Where in its page the hashes table goes. Raises `UsageError` where the firmware has no place for it."""
    area = firmware.hash_table
    if area is None or not any(section.type is SectionType.KERNEL_HASHES for section in firmware.sections):
        raise UsageError(
            "this firmware does not measure a kernel: it has no section and table for kernel hashes",
            hint="use a firmware built for it, such as OVMF.amdsev.fd of Debian's ovmf-amdsev, or leave out the kernel",
        )
    offset = area.gpa % PAGE
    if area.size < TABLE_SIZE or offset + TABLE_SIZE > PAGE:
        msg = f"OVMF table: {area.size} bytes at {area.gpa:#x} do not hold a table of {TABLE_SIZE} bytes within a page"
        raise FormatError(msg)
    return offset


def _section_steps(found: Ingredients, digest: LaunchDigest) -> Iterator[Step]:
    """Add the metadata sections, in the order the monitor does."""
    late = found.vmm is Vmm.EC2
    cpuid = [section for section in found.sections if section.type is SectionType.CPUID]
    for section in found.sections:
        if not (late and section.type is SectionType.CPUID):
            yield from _section_step(found, digest, section)
    for section in cpuid if late else ():
        yield from _section_step(found, digest, section)


def _section_step(found: Ingredients, digest: LaunchDigest, section: Section) -> Iterator[Step]:
    if section.type is SectionType.KERNEL_HASHES and found.hashes is not None:
        yield from hashes_steps(digest, found.hashes, section.gpa, found.hashes_offset)
        return
    blank = {
        SectionType.SEC_MEM: PageType.UNMEASURED if found.vmm is Vmm.GCE else PageType.ZERO,
        SectionType.SVSM_CAA: PageType.ZERO,
        SectionType.KERNEL_HASHES: PageType.ZERO,
        SectionType.SECRETS: PageType.SECRETS,
        SectionType.CPUID: PageType.CPUID,
    }
    digest.add_blank(blank[section.type], section.gpa, section.size)
    name = section.type.name.lower().replace("_", "-")
    yield digest.step(name, f"firmware metadata: {section.size:#x} bytes", EMPTY, at=section.gpa)


def _processors(found: Ingredients) -> Processors:
    return Processors(boot=found.boot_vmsa, other=found.other_vmsa)
