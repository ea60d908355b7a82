"""What the hardware reports of a machine started from an IGVM file: SNP's launch digest, TDX's MRTD.

Directives are measured in the order of the file, as Hyper-V loads them: pages with their content, those marked
unmeasured with their address alone, parameter areas as unmeasured pages, processor states as VMSAs. Pages shared with
the host do not count. Tools and monitors disagree in some of this; each way is a named candidate.
Source: the measuring code of Microsoft's `igvm` crate and of Coconut's `igvmmeasure`; Linux KVM for its own rules.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from warily.core.registers import Candidate, Prediction, Step
from warily.errors import FormatError, UsageError
from warily.formats._record import record
from warily.formats.igvm import VMSA_SIZE, Igvm
from warily.formats.igvm_headers import (
    PAGE,
    DataType,
    PageData,
    ParameterArea,
    ParameterInsert,
    PlatformType,
    SnpIdBlock,
    SupportedPlatform,
    VpContext,
)
from warily.formats.snp_page_info import PageType
from warily.measure import mrtd
from warily.measure.launch_digest import EMPTY, VMSA_GPA, LaunchDigest
from warily.measure.snp import REGISTER

PLATFORMS: Final = {"snp": PlatformType.SEV_SNP, "tdx": PlatformType.TDX}
MAX_PAGES: Final = 1 << 20  # 4 GiB of guest memory
ID_BLOCK: Final = "id_block"
_CR0: Final = 0x158  # of a VMSA
_ZEROS: Final = hashlib.sha384(bytes(PAGE)).digest()
_TYPES: Final = {
    DataType.NORMAL: PageType.NORMAL,
    DataType.SECRETS: PageType.SECRETS,
    DataType.CPUID: PageType.CPUID,
    DataType.CPUID_XF: PageType.CPUID,
}


@record
class Rules:
    """Where tools and monitors differ.

    `shared`: shared pages count like others. `first_of_area`: of a parameter area, one page counts. `native_zero`:
    pages without content in the file enter as ZERO pages. `kvm`: one VMSA, last, at KVM's address, CR0 as KVM sets it.
    """

    name: str
    because: str
    shared: bool = False
    first_of_area: bool = False
    native_zero: bool = False
    kvm: bool = False


SNP_RULES: Final = (
    Rules(name="hyper-v", because="as Hyper-V loads the file, and Microsoft's igvm crate measures it"),
    Rules(
        name="igvmmeasure",
        because="as Coconut's igvmmeasure: shared pages count, and one page of each parameter area",
        shared=True,
        first_of_area=True,
    ),
    Rules(
        name="native-zero",
        because="as igvmmeasure --native-zero: pages without content enter as ZERO pages, as on Google's hosts",
        shared=True,
        first_of_area=True,
        native_zero=True,
    ),
    Rules(
        name="kvm",
        because="as QEMU and KVM load it: one VMSA, measured last at 0xfffffffff000, with CR0 as KVM sets it",
        kvm=True,
    ),
)


@record
class _Page:
    """A page as it is measured: `contents` is a SHA-384, or zeros where the bytes do not count."""

    type: PageType
    gpa: int
    contents: bytes
    what: str


def measure(file: Igvm, platform: str = "", *, each_page: bool = False) -> Prediction:
    """The register of `platform` (`snp` or `tdx`; empty: of all that the file is for), the trace and all candidates.

    With an ID block for SNP in the file, `id_block` is the launch digest that it demands. Raises `UsageError` where
    the file is not for the platform, and `FormatError`.
    """
    if file.page_size != PAGE or file.architecture != 0:
        msg = f"IGVM: pages of {file.page_size} bytes, architecture {file.architecture}: only x86-64 is measured"
        raise FormatError(msg)
    found = []
    for name, mask in _platforms(file, platform).items():
        _check_pages(file, mask)
        found.append(_snp(file, mask, each_page=each_page) if name == "snp" else _tdx(file, mask))
    return Prediction(
        registers={name: value for one in found for name, value in one.registers.items()},
        trace=tuple(step for one in found for step in one.trace),
        candidates=tuple(candidate for one in found for candidate in one.candidates),
    )


def _snp(file: Igvm, mask: int, *, each_page: bool) -> Prediction:
    hashed: dict[int, bytes] = {}
    trace = tuple(_steps(list(_snp_pages(file, mask, SNP_RULES[0], hashed)), each_page=each_page))
    registers = {REGISTER: bytes.fromhex(trace[-1].after) if trace else EMPTY}
    for header in file.headers:
        if isinstance(header.value, SnpIdBlock) and header.value.mask & mask:
            registers[ID_BLOCK] = header.value.launch_digest
    return Prediction(registers=registers, trace=trace, candidates=tuple(_candidates(file, mask, hashed)))


def _tdx(file: Igvm, mask: int) -> Prediction:
    found = mrtd.measure_regions(_regions(file, mask))
    trace = tuple(replace(step, input=step.input.removeprefix("firmware metadata: ")) for step in found.trace)
    return Prediction(registers={mrtd.REGISTER: found.value}, trace=trace)


def _platforms(file: Igvm, wanted: str) -> dict[str, int]:
    """The platforms to measure, each with its mask. Raises `UsageError`."""
    names = {kind: name for name, kind in PLATFORMS.items()}
    found: dict[str, int] = {}
    for entry in file.platforms():
        name = names.get(entry.platform)
        if name is None or wanted not in ("", name):
            continue
        if name in found:
            msg = f"IGVM: two masks for {name}"
            raise FormatError(msg)
        found[name] = entry.mask
    if not found:
        held = ", ".join(entry.platform.name.lower() for entry in file.platforms()) or "no platform"
        msg = f"the file is for {held}, not for {wanted or 'SNP or TDX'}"
        raise UsageError(msg)
    return found


def _masked(file: Igvm, mask: int) -> Iterator[object]:
    """The headers that are for the platform."""
    for header in file.headers:
        if getattr(header.value, "mask", mask) & mask and not isinstance(header.value, SupportedPlatform):
            yield header.value


def _check_pages(file: Igvm, mask: int) -> None:
    """A small file can ask for much memory: a large page of zeros is 24 bytes."""
    areas = {value.index: value.size for value in _masked(file, mask) if isinstance(value, ParameterArea)}
    total = 0
    for value in _masked(file, mask):
        if isinstance(value, PageData):
            total += value.size // PAGE
        elif isinstance(value, ParameterInsert):
            total += areas.get(value.index, 0) // PAGE
    if total > MAX_PAGES:
        msg = f"IGVM: {total} pages are over the limit of {MAX_PAGES}"
        raise FormatError(msg)


def _inserted(file: Igvm, mask: int) -> Iterator[tuple[object, int]]:
    """Each header for the platform, with the bytes of the parameter area that it inserts (0 for all others)."""
    areas: dict[int, int] = {}
    for value in _masked(file, mask):
        size = 0
        if isinstance(value, ParameterArea):
            if value.index in areas:
                msg = f"IGVM: parameter area {value.index} is declared twice"
                raise FormatError(msg)
            areas[value.index] = value.size
        elif isinstance(value, ParameterInsert):
            if value.index not in areas:
                msg = f"IGVM: parameter area {value.index} is inserted and not declared"
                raise FormatError(msg)
            size = areas[value.index]
        yield value, size


def _snp_pages(file: Igvm, mask: int, rules: Rules, hashed: dict[int, bytes]) -> Iterator[_Page]:
    """Every page that counts, in the order it is measured in. `hashed` keeps digests by offset for the next time."""
    states: list[VpContext] = []
    for value, area in _inserted(file, mask):
        if isinstance(value, PageData) and (rules.shared or not value.shared):
            yield from _data_pages(file, value, rules, hashed)
        elif isinstance(value, ParameterInsert):
            for at in range(0, PAGE if rules.first_of_area else area, PAGE):
                yield _Page(type=PageType.UNMEASURED, gpa=value.gpa + at, contents=EMPTY, what="parameters")
        elif isinstance(value, VpContext):
            states.append(value)
            if not rules.kvm:
                yield _vmsa(file, value, rules)
    if rules.kvm:
        for state in states:
            if state.vp_index == 0:
                yield _vmsa(file, state, rules)


def _data_pages(file: Igvm, page: PageData, rules: Rules, hashed: dict[int, bytes]) -> Iterator[_Page]:
    kind, what = _TYPES[page.data_type], page.data_type.name.lower()
    if page.data_type is DataType.NORMAL and page.unmeasured:
        kind, what = PageType.UNMEASURED, "unmeasured data"
    elif page.data_type is DataType.NORMAL:
        what = "shared data" if page.shared else "data" if page.file_offset else "zeros"
        if rules.native_zero and not page.file_offset:
            kind = PageType.ZERO
    for at in range(0, page.size, PAGE):
        contents = EMPTY
        if kind is PageType.NORMAL:
            offset = page.file_offset + at if page.file_offset else 0
            if offset and offset not in hashed:
                hashed[offset] = hashlib.sha384(file.content(offset, PAGE)).digest()
            contents = hashed[offset] if offset else _ZEROS
        yield _Page(type=kind, gpa=page.gpa + at, contents=contents, what=what)


def _vmsa(file: Igvm, state: VpContext, rules: Rules) -> _Page:
    data = bytearray(file.content(state.file_offset, VMSA_SIZE))
    if not state.file_offset or len(data) != VMSA_SIZE:
        msg = f"IGVM: the VMSA of processor {state.vp_index} is not in the file data"
        raise FormatError(msg)
    if rules.kvm:
        data[_CR0 : _CR0 + 8] = (0x30 | data[_CR0] & 1).to_bytes(8, "little")
    contents = hashlib.sha384(bytes(data).ljust(PAGE, b"\0")).digest()
    gpa = VMSA_GPA if rules.kvm else state.gpa
    return _Page(type=PageType.VMSA, gpa=gpa, contents=contents, what=f"processor {state.vp_index}")


def _candidates(file: Igvm, mask: int, hashed: dict[int, bytes]) -> Iterator[Candidate]:
    for rules in SNP_RULES:
        digest = LaunchDigest()
        for page in _snp_pages(file, mask, rules, hashed):
            digest.add(page.type, page.gpa, page.contents)
        yield Candidate(name=rules.name, register=REGISTER, value=digest.value, because=rules.because)


def _steps(pages: list[_Page], *, each_page: bool) -> Iterator[Step]:
    """A step for each page, or for each run of like pages that follow one another in memory."""
    digest, run, first = LaunchDigest(), hashlib.sha384(), 0
    for index, page in enumerate(pages):
        digest.add(page.type, page.gpa, page.contents)
        run.update(page.contents)
        after = pages[index + 1] if index + 1 < len(pages) and not each_page else None
        if after is not None and (after.type, after.what, after.gpa) == (page.type, page.what, page.gpa + PAGE):
            continue
        count = index + 1 - first
        contents = page.contents if count == 1 else run.digest()
        what = page.what if count == 1 else f"{page.what}: {count} pages"
        yield digest.step(page.type.name.lower(), what, contents, at=pages[first].gpa)
        run, first = hashlib.sha384(), index + 1


def _regions(file: Igvm, mask: int) -> Iterator[mrtd.Region]:
    """What a TD is built of. Processors start in their reset state, which is not measured."""
    for value, area in _inserted(file, mask):
        if isinstance(value, PageData) and not value.shared:
            content = file.content(value.file_offset, value.size) if value.file_offset else bytes(value.size)
            name = "unmeasured" if value.unmeasured else "data" if value.file_offset else "zeros"
            counted = None if value.unmeasured else content
            yield mrtd.Region(name=name, gpa=value.gpa, size=value.size, content=counted)
        elif isinstance(value, ParameterInsert):
            yield mrtd.Region(name="parameters", gpa=value.gpa, size=area, content=None)
