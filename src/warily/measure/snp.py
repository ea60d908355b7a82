"""The SNP launch digest of a guest started from an OVMF image, with or without a direct kernel boot or an SVSM.

Order: the firmware (and the SVSM), the sections of the metadata in the order of the file, then one VMSA a virtual
processor. EC2 adds the CPUID page after the other sections. Two stages keep image and shape apart:
`ingredients` reduces a launch to digests and numbers, `replay` turns those into the register.
Source: AMD 56860 section 8.17; QEMU target/i386/sev.c; EC2 and GCE as RESETS in vmsa.py says.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final

from warily.core.registers import Candidate, Prediction, Step
from warily.errors import FormatError, UsageError
from warily.formats._record import record
from warily.formats.ovmf import TOP, Ovmf, Section, SectionType, check_size
from warily.formats.sev_hashes import PAGE, TABLE_SIZE, KernelHashes
from warily.formats.snp_page_info import PageType
from warily.measure.cpu import signature
from warily.measure.direct_boot import DirectBoot, FileDigest, hashes_steps
from warily.measure.launch_digest import EMPTY, VMSA_GPA, LaunchDigest, page_digests
from warily.measure.processors import Processors, checked_counts
from warily.measure.snp_hosts import Host, host_named, hosts
from warily.measure.svsm import LoadedSvsm, Svsm
from warily.measure.vmsa import Vmm, application_processor, boot_processor, svsm_processor

__all__ = [
    "REGISTER",
    "Ingredients",
    "SnpLaunch",
    "Svsm",
    "Vmm",
    "after_firmware",
    "candidates",
    "hashes_offset",
    "ingredients",
    "pages",
    "predict",
    "predict_counts",
    "replay",
    "section_steps",
    "vmsas",
]

REGISTER: Final = "launch_digest"
SNP_ACTIVE: Final = 1
MAX_FEATURES: Final = 1 << 64


@record
class SnpLaunch:
    """A launch as the host performs it. Files are their bytes, or kernel and initrd their digest; nothing is stripped.

    `cpu` is a QEMU model name or a signature in hexadecimal; EC2 and GCE do not show it to the guest,
    and it may be empty there. `features` is SEV_FEATURES (bit 0, SNPActive, must be set). `host` names a variant of
    data/snp_hosts.py; empty: the usual one. `seed` replaces the register after the firmware, where that is known.
    """

    firmware: bytes
    vcpus: int
    cpu: str
    features: int
    vmm: Vmm
    kernel: bytes | FileDigest | None
    initrd: bytes | FileDigest | None
    command_line: bytes | None
    svsm: Svsm | None = None
    host: str = ""
    seed: bytes | None = None


@record
class Ingredients:
    """All that the digest depends on, without the files: enough to predict any other shape.

    `firmware` is the SHA-256 of the image, for the trace. `seed` is the register after the firmware
    (`snp:ovmf-hash` of sev-snp-measure), or after the SVSM where there is one. `hashes_offset` is where in its page
    the table of kernel hashes begins. `boot_vmsa` and `other_vmsa` are SHA-384 digests of VMSA pages;
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
    vmsa_gpa: int = VMSA_GPA
    svsm: LoadedSvsm | None = None


def predict(launch: SnpLaunch) -> Prediction:
    """The launch digest, and its trace by section. Raises `UsageError` and `FormatError`."""
    return replay(ingredients(launch), launch.vcpus)


def predict_counts(launch: SnpLaunch, counts: Iterable[int]) -> dict[int, bytes]:
    """The launch digest for each vCPU count; `launch.vcpus` plays no part. One pass over the chain."""
    wanted = checked_counts(counts)
    found = _ingredients(launch, trace=False)
    digest = LaunchDigest(found.seed)
    for _ in section_steps(found, digest):
        pass
    return _processors(found).digests(digest, wanted)


def candidates(launch: SnpLaunch) -> tuple[Candidate, ...]:
    """Every digest that hosts known today may give this launch, each once and named; `launch.host` plays no part."""
    wanted = checked_counts((launch.vcpus,))
    found = _ingredients(launch, trace=False)
    before = LaunchDigest(found.seed)
    for _ in section_steps(found, before):
        pass
    eip = _eip(launch, found)
    made: dict[bytes, Candidate] = {}
    for host in hosts(launch.vmm, svsm=launch.svsm is not None):
        first, other = _vmsas(launch, eip, host)
        processors = Processors(boot=first, other=other, gpa=host.vmsa_gpa)
        value = processors.digests(LaunchDigest(before.value), wanted)[launch.vcpus]
        made.setdefault(value, Candidate(name=host.name, register=REGISTER, value=value, because=host.because))
    return tuple(made.values())


def after_firmware(firmware: bytes) -> bytes:
    """The register after the pages of the firmware, before all else: `snp:ovmf-hash`. Raises `FormatError`."""
    check_size(firmware)
    digest = LaunchDigest()
    digest.add_bytes(TOP - len(firmware), firmware)
    return digest.value


def ingredients(launch: SnpLaunch) -> Ingredients:
    """The digests and numbers that `launch` reduces to. Raises `UsageError` and `FormatError`."""
    return _ingredients(launch, trace=True)


def _ingredients(launch: SnpLaunch, *, trace: bool) -> Ingredients:
    """Likewise; the digest of the firmware, which names it in a trace and nowhere else, only where it is wanted."""
    host = host_named(launch.host, launch.vmm, svsm=launch.svsm is not None)
    firmware = Ovmf.parse(launch.firmware)
    boot = DirectBoot(kernel=launch.kernel, initrd=launch.initrd, command_line=launch.command_line)
    hashes = boot.hashes()
    seed = LaunchDigest(after_firmware(launch.firmware) if launch.seed is None else launch.seed)
    found = None if launch.svsm is None else LoadedSvsm.load(launch.svsm, seed, end=firmware.gpa, hashes=hashes)
    first, other = _vmsas(launch, firmware.reset_eip if found is None else found.eip, host)
    return Ingredients(
        firmware=hashlib.sha256(launch.firmware).digest() if trace else b"",
        firmware_gpa=firmware.gpa,
        seed=seed.value,
        sections=firmware.sections if found is None else found.sections,
        hashes=hashes,
        hashes_offset=hashes_offset(firmware) if hashes else 0,
        vmm=launch.vmm,
        boot_vmsa=first,
        other_vmsa=other,
        vmsa_gpa=host.vmsa_gpa,
        svsm=found,
    )


def replay(found: Ingredients, vcpus: int) -> Prediction:
    """The launch digest for `vcpus` virtual processors, and its trace by section."""
    checked_counts((vcpus,))
    digest = LaunchDigest(found.seed if found.svsm is None else found.svsm.before)
    trace = [digest.step("firmware", "firmware", found.firmware, at=found.firmware_gpa)]
    if found.svsm is not None:
        digest.value = found.seed
        trace.append(digest.step("svsm", "SVSM", found.svsm.sha256, at=found.svsm.gpa))
    trace += section_steps(found, digest)
    trace += _processors(found).steps(digest, vcpus)
    return Prediction(registers={REGISTER: digest.value}, trace=tuple(trace))


def pages(launch: SnpLaunch) -> Iterator[Step]:
    """The trace of `predict` with one step for each page of the firmware instead of one for all."""
    if launch.seed is not None:
        raise UsageError("no trace by pages from a seed: it stands for the firmware's pages", hint="use --trace")
    found = ingredients(launch)
    digest = LaunchDigest()
    for at, contents in page_digests(launch.firmware):
        digest.add(PageType.NORMAL, found.firmware_gpa + at, contents)
        yield digest.step("firmware", f"firmware+{at:#x}", contents, at=found.firmware_gpa + at)
    yield from replay(found, launch.vcpus).trace[1:]


def _eip(launch: SnpLaunch, found: Ingredients) -> int | None:
    """Where processors other than the first start; under an SVSM, all of them."""
    return Ovmf.parse(launch.firmware).reset_eip if found.svsm is None else found.svsm.eip


def _vmsas(launch: SnpLaunch, eip: int | None, host: Host) -> tuple[bytes, bytes | None]:
    return vmsas(host, cpu=launch.cpu, features=launch.features, eip=eip, svsm=launch.svsm is not None)


def vmsas(host: Host, *, cpu: str, features: int, eip: int | None, svsm: bool = False) -> tuple[bytes, bytes | None]:
    """The SHA-384 digests of the boot processor's VMSA and of the others', which start at `eip` (None: there are none).

    Under an SVSM all processors are alike. Raises `UsageError` for an unknown CPU or impossible features.
    """
    if not 0 < features < MAX_FEATURES or not features & SNP_ACTIVE:
        msg = f"SEV_FEATURES {features:#x}: 64 bits with bit 0 (SNPActive) set are specified"
        raise UsageError(msg)
    number = signature(cpu) if host.reset.rdx is None else 0
    features |= host.features
    if svsm:
        page = svsm_processor(host.reset, eip=eip or 0, signature=number, features=features)
        return (hashlib.sha384(page).digest(),) * 2
    first = boot_processor(host.reset, signature=number, features=features)
    if eip is None:
        return hashlib.sha384(first).digest(), None
    other = application_processor(host.reset, eip=eip, signature=number, features=features)
    return hashlib.sha384(first).digest(), hashlib.sha384(other).digest()


def hashes_offset(firmware: Ovmf) -> int:
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


def section_steps(found: Ingredients, digest: LaunchDigest) -> Iterator[Step]:
    """Add the metadata sections to the register, in the order the monitor does, one step each."""
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
    return Processors(boot=found.boot_vmsa, other=found.other_vmsa, gpa=found.vmsa_gpa)
