"""MRTD: SHA-384 over every page that enters a TD before its first instruction, and over the content of some.

One stream of 128-byte records: a page's address when it is added; and, where its content counts, for each chunk of
256 bytes its address and then the chunk. Monitors differ in whether they extend each page as they add it (upstream
KVM and QEMU, Google) or a section's pages after all of them were added (early trees), and values differ with them.
Source: Intel TDX Module 1.5 Base Architecture Specification, TDH.MEM.PAGE.ADD and TDH.MR.EXTEND.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from warily.core.registers import Candidate, Step
from warily.formats._record import record
from warily.formats.ovmf import PAGE
from warily.formats.tdvf import SectionType, Tdvf
from warily.measure.td_memory import google_shapes, google_td_hob

REGISTER: Final = "mrtd"
EXTENDED_LATER: Final = "two-pass"
EXTENDED_LATER_BECAUSE: Final = (
    "a section's pages are extended after all of them were added: early trees such as Canonical's 8.2"
)
CHUNK: Final = 256
_ADD: Final = b"MEM.PAGE.ADD".ljust(16, b"\0")
_EXTEND: Final = b"MR.EXTEND".ljust(16, b"\0")
_TAIL: Final = bytes(128 - 16 - 8)


@record
class Region:
    """Memory that is added page by page. `content`, of `size` bytes, is None where it does not count."""

    name: str
    gpa: int
    size: int
    content: bytes | None


@record
class Measured:
    """The register's value, and one step for each region."""

    value: bytes
    trace: tuple[Step, ...]


def firmware_regions(tdvf: Tdvf, firmware: bytes) -> tuple[Region, ...]:
    """What is added of a firmware, in order. Raises `FormatError` where content that counts is not in the image."""
    return tuple(
        Region(
            name=section.type.name,
            gpa=section.gpa,
            size=section.memory_size,
            content=tdvf.content(section, firmware) if section.extended else None,
        )
        for section in tdvf.sections
        if section.added and section.type is not SectionType.TD_INFO
    )


def measure_regions(regions: Iterable[Region], *, two_pass: bool = False) -> Measured:
    """MRTD after the regions, in order; `two_pass` extends a region's pages after all of them were added."""
    digest = hashlib.sha384()
    trace = []
    for region in regions:
        digest.update(b"".join(_records(region, two_pass=two_pass)))
        trace.append(_step(region, digest.copy().hexdigest()))
    return Measured(value=digest.digest(), trace=tuple(trace))


def google_candidates(tdvf: Tdvf, firmware: bytes) -> Iterator[Candidate]:
    """MRTD on Google's hosts before 2024, which measured every section whole, the TD HOB of the machine type included.

    Nothing where the firmware has no section for a TD HOB, or its content is not in the image.
    """
    regions = _google_regions(tdvf, firmware)
    place = next((index for index, region in enumerate(regions) if region.name == SectionType.TD_HOB.name), None)
    if place is None:
        return
    hob = regions[place]
    start = hashlib.sha384()
    for region in regions[:place]:
        start.update(b"".join(_records(region, two_pass=False)))
    for shape, banks in google_shapes().items():
        for early in (False, True):
            blocks = google_td_hob(tdvf, banks, early=early).encode()
            if len(blocks) > hob.size:
                continue
            filled = Region(name=hob.name, gpa=hob.gpa, size=hob.size, content=blocks.ljust(hob.size, b"\0"))
            digest = start.copy()
            for region in (filled, *regions[place + 1 :]):
                digest.update(b"".join(_records(region, two_pass=False)))
            how = ", all memory accepted early" if early else ""
            yield Candidate(
                name=f"gce-td-hob-bug {shape}{' early' if early else ''}",
                register=REGISTER,
                value=digest.digest(),
                because=f"Google's hosts before 2024 measured every section of the firmware: {shape}{how}",
            )


def _google_regions(tdvf: Tdvf, firmware: bytes) -> Sequence[Region]:
    return [
        Region(
            name=section.type.name,
            gpa=section.gpa,
            size=section.memory_size,
            content=tdvf.content(section, firmware),
        )
        for section in tdvf.sections
        if section.type not in (SectionType.TD_INFO, SectionType.PERM_MEM)
    ]


def _records(region: Region, *, two_pass: bool) -> Iterator[bytes | memoryview]:
    pages = range(region.gpa, region.gpa + region.size, PAGE)
    if two_pass or region.content is None:
        for gpa in pages:
            yield _ADD + gpa.to_bytes(8, "little") + _TAIL
    if region.content is None:
        return
    view = memoryview(region.content)
    for gpa in pages:
        if not two_pass:
            yield _ADD + gpa.to_bytes(8, "little") + _TAIL
        for at in range(gpa, gpa + PAGE, CHUNK):
            yield _EXTEND + at.to_bytes(8, "little") + _TAIL
            yield view[at - region.gpa : at - region.gpa + CHUNK]


def _step(region: Region, after: str) -> Step:
    counted = "" if region.content is None else hashlib.sha384(region.content).hexdigest()
    what = "addresses alone" if region.content is None else "addresses and content"
    return Step(
        step=region.name.lower().replace("_", "-"),
        input=f"firmware metadata: {region.size:#x} bytes, {what}",
        input_digest=counted,
        after=after,
        at=region.gpa,
        register=REGISTER,
    )
