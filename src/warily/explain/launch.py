"""SNP launches that are known, their parts as alternatives for each other, and the chain that gives digests quickly.

A launch digest is a chain: firmware, sections, the page of kernel hashes, then a VMSA each processor. States after the
firmware and after the hashes are kept, and all processors but the first are alike, so that a candidate
costs one page and as many steps as there are processors.
"""

import hashlib
from collections.abc import Iterator
from typing import Final

from warily.core.shape_rules import LaunchRule
from warily.formats._record import record
from warily.formats.ovmf import Section, SectionType
from warily.formats.sev_hashes import KernelHashes
from warily.formats.snp_page_info import PageType, encode
from warily.measure import snp
from warily.measure.launch_digest import EMPTY, LaunchDigest
from warily.measure.snp_hosts import host_named
from warily.measure.vmsa import Vmm

MAX_COUNT: Final = 512
PAGE_STEPS: Final = 8  # a page is as much work as so many short inputs
VMSA_STEPS: Final = 60  # to make and hash the pages of both kinds of processors
_NO_HASH: Final = bytes(32)
_LINE_AT: Final = 36  # of the command line's digest in the table of kernel hashes


@record
class Part:
    """A file that a launch is made of: what people call it, and its SHA-256."""

    name: str
    sha256: bytes


@record
class Firmware:
    """A firmware image: what people call it, its SHA-256, and the rule of its launches.

    With `svsm` the rule is about the image and an SVSM below it, in which all processors start.
    """

    name: str
    sha256: bytes
    rule: LaunchRule
    svsm: bool = False


@record
class Launch:
    """All inputs of one launch digest. `kernel` None: no kernel is measured. `host` as in `Shape`."""

    firmware: Firmware
    kernel: Part | None
    initrd: Part
    line: bytes
    cpu: str
    features: int
    host: str
    vcpus: int

    def but(self, **values: object) -> "Launch":
        """The same launch with other values of these fields."""
        return Launch(**({name: getattr(self, name) for name in _FIELDS} | values))


_FIELDS: Final = tuple(Launch.__annotations__)


class Chains:
    """Registers of launches, with the states that many share. `steps` counts hash calls, `searched` candidates."""

    def __init__(self) -> None:
        self.steps = 0
        self.searched = 0
        self._before: dict[tuple[object, ...], tuple[bytes, tuple[Section, ...]]] = {}
        self._processors: dict[tuple[object, ...], tuple[bytes, bytes]] = {}
        self._loaded: dict[tuple[object, ...], bytes] = {}

    def loaded(self, launch: Launch) -> bytes:
        """The register after all but the processors; kept, so not for command lines by the thousand (see `Line`)."""
        key = (launch.firmware.rule, launch.kernel and launch.kernel.sha256, launch.initrd.sha256, launch.line)
        if key not in self._loaded:
            self._loaded[key] = self.load(launch)
        return self._loaded[key]

    def load(self, launch: Launch) -> bytes:
        """Likewise, not kept."""
        firmware = launch.firmware
        state, rest = self.before_hashes(firmware.rule)
        if not rest:
            return state
        digest = LaunchDigest(state)
        hashes = None
        if launch.kernel is not None:
            hashes = KernelHashes(
                command_line=hashlib.sha256(launch.line + b"\0").digest(),
                initrd=launch.initrd.sha256,
                kernel=launch.kernel.sha256,
            )
        for _ in snp.section_steps(_ingredients(firmware.rule, rest, hashes, state), digest):
            self.steps += PAGE_STEPS
        return digest.value

    def processors(self, launch: Launch) -> tuple[bytes, bytes]:
        """What follows the register in the first processor's PAGE_INFO, and in each other's; empty: there is none."""
        rule, svsm = launch.firmware.rule, launch.firmware.svsm
        key = (rule.vmm, rule.reset_eip, svsm, launch.cpu, launch.features, launch.host)
        if key not in self._processors:
            self.steps += VMSA_STEPS
            host = host_named(launch.host, Vmm(rule.vmm), svsm=svsm)
            first, other = snp.vmsas(host, cpu=launch.cpu, features=launch.features, eip=rule.reset_eip, svsm=svsm)
            self._processors[key] = (_tail(first, host.vmsa_gpa), b"" if other is None else _tail(other, host.vmsa_gpa))
        return self._processors[key]

    def value(self, loaded: bytes, processors: tuple[bytes, bytes], vcpus: int) -> bytes:
        """The launch digest of so many processors; empty where the firmware cannot start so many."""
        first, other = processors
        if vcpus > 1 and not other:
            return b""
        state = hashlib.sha384(loaded + first).digest()
        for _ in range(vcpus - 1):
            state = hashlib.sha384(state + other).digest()
        self.steps += vcpus
        self.searched += 1
        return state

    def counts(self, loaded: bytes, processors: tuple[bytes, bytes], most: int = MAX_COUNT) -> Iterator[bytes]:
        """The launch digest of 1, 2, … processors."""
        first, other = processors
        state = hashlib.sha384(loaded + first).digest()
        yield state
        for _ in range(most - 1 if other else 0):
            state = hashlib.sha384(state + other).digest()
            self.steps += 1
            self.searched += 1
            yield state

    def of(self, launch: Launch) -> bytes:
        """The launch digest of the launch."""
        return self.value(self.loaded(launch), self.processors(launch), launch.vcpus)

    def before_hashes(self, rule: LaunchRule) -> tuple[bytes, tuple[Section, ...]]:
        """The register before the page of kernel hashes, and the sections from there on."""
        key = (rule.seed, rule.vmm, rule.sections)
        if key not in self._before:
            self._before[key] = self._split(rule)
        return self._before[key]

    def _split(self, rule: LaunchRule) -> tuple[bytes, tuple[Section, ...]]:
        """The register before the page of kernel hashes, and what comes from there on."""
        sections = rule.sections
        if rule.vmm == Vmm.EC2:  # measures the CPUID page last
            sections = (
                *(part for part in sections if part.type is not SectionType.CPUID),
                *(part for part in sections if part.type is SectionType.CPUID),
            )
        kinds = [section.type for section in sections]
        at = kinds.index(SectionType.KERNEL_HASHES) if SectionType.KERNEL_HASHES in kinds else len(kinds)
        digest = LaunchDigest(rule.seed)
        for _ in snp.section_steps(_ingredients(rule, sections[:at], None, rule.seed), digest):
            self.steps += 1
        return digest.value, sections[at:]


class Line:
    """The register before the processors, for one command line after the other."""

    def __init__(self, chains: Chains, launch: Launch) -> None:
        self._chains, self._launch = chains, launch
        rule = launch.firmware.rule
        state, rest = chains.before_hashes(rule)
        self.moves = bool(rest) and launch.kernel is not None
        self._quick = self.moves and len(rest) == 1
        self._state = state
        if not self._quick or launch.kernel is None:
            return
        page = KernelHashes(command_line=_NO_HASH, initrd=launch.initrd.sha256, kernel=launch.kernel.sha256)
        whole = page.page(rule.hashes_offset)
        at = rule.hashes_offset + _LINE_AT
        self._start = hashlib.sha384(whole[:at])
        self._end = whole[at + 32 :]
        self._tail = encode(EMPTY, EMPTY, PageType.NORMAL, rest[0].gpa)[96:]

    def loaded(self, line: bytes) -> bytes:
        """The register with this command line."""
        if not self._quick:
            return self._chains.load(self._launch.but(line=line))
        page = self._start.copy()
        page.update(hashlib.sha256(line + b"\0").digest())
        page.update(self._end)
        self._chains.steps += PAGE_STEPS
        return hashlib.sha384(self._state + page.digest() + self._tail).digest()


def _tail(contents: bytes, gpa: int) -> bytes:
    return encode(EMPTY, contents, PageType.VMSA, gpa)[48:]


def _ingredients(
    rule: LaunchRule, sections: tuple[Section, ...], hashes: KernelHashes | None, seed: bytes
) -> snp.Ingredients:
    """What `snp.section_steps` reads of a launch."""
    return snp.Ingredients(
        firmware=b"",
        firmware_gpa=rule.firmware_gpa,
        seed=seed,
        sections=sections,
        hashes=hashes,
        hashes_offset=rule.hashes_offset,
        vmm=Vmm(rule.vmm),
        boot_vmsa=EMPTY,
        other_vmsa=None,
    )
