"""The expectation that a piece of SNP evidence suggests, what its keys mean, and what is dangerous in one."""

from collections.abc import Iterable, Iterator
from enum import IntFlag
from typing import Final

from warily.core.advisory import Exposure, Standing
from warily.core.expect import BitRule, SnpExpect, TcbFloor
from warily.core.finding import Waived
from warily.formats.snp_report import PlatformBit, PolicyBit, SnpReport, Tcb, TcbLayout
from warily.verify.comparing import bit_names, bit_numbers
from warily.verify.policy_note import Note, danger, remark
from warily.verify.snp.exposure import exposures
from warily.verify.snp.products import Product

# Which keys hold which bits.
BITS: Final[dict[str, type[IntFlag]]] = {"policy": PolicyBit, "platform": PlatformBit}

# What stands above each key of the file: what the check does, and why it was written as it was.
COMMENTS: Final[dict[str, str]] = {
    "rehearsal_roots": "SHA-256 of rehearsal roots that are trusted besides AMD's. Empty wherever hardware is wanted.",
    "measurements": "MEASUREMENT: what was launched. These are the evidence's own; `warily measure` says what your "
    "image should report. Add one for each release that may run.",
    "report_data": "REPORT_DATA: the challenge. It is new in each request, so a file cannot hold it.",
    "host_data": "HOST_DATA: 32 bytes that the host gave at launch, such as the identity of the machine.",
    "vmpls": "The privilege level that asked. 0 is the most privileged; under a paravisor or SVSM guests have 1 to 3.",
    "policy": "The policy that the guest was launched under. DEBUG lets the host read the memory; MIGRATE_MA lets an "
    "agent move the guest. Protective bits of the evidence are required, loosening ones it lacks are forbidden.",
    "platform": "PLATFORM_INFO: what the processor says of the machine. ALIAS_CHECK_COMPLETE answers BadRAM "
    "(AMD-SB-3015), IOMMU_WRITE_SAFE answers AMD-SB-3016.",
    "unknown_bits": "Whether policy and platform bits that this version of warily cannot name are acceptable.",
    "tcb_floor": "The least patch levels; reported, committed, current and launch TCB must all reach them. Here: the "
    "least of the four in the evidence. Raise it as advisories ask.",
    "guest_svn": "GUEST_SVN, from the ID block: the least acceptable.",
    "chip_ids": "CHIP_ID: which machines may run the guest. A list stops evidence that is relayed from a stolen one.",
    "id_key_digests": "SHA-384 of the keys that may sign the ID block.",
    "author_key_digests": "SHA-384 of the author keys that may stand above the ID key.",
    "family_id": "FAMILY_ID, from the ID block.",
    "image_id": "IMAGE_ID, from the ID block.",
    "migration_agent": "Whether a migration agent may be bound to the guest, or be allowed to.",
    "provisional_firmware": "Whether firmware may run that the host can still take back. Clouds commit weeks after "
    "they start it; `tcb_floor` holds for the committed TCB all the same.",
    "must_exclude": "Advisories that the report must exclude (`warily verify` lists each with its reason). Here: those "
    "that the evidence excludes. { published_until = 2026-01-31 } asks for all answerable ones until then.",
}

_PROTECTIVE: Final = (
    PolicyBit.SINGLE_SOCKET
    | PolicyBit.MEM_AES_256_XTS
    | PolicyBit.RAPL_DIS
    | PolicyBit.CIPHERTEXT_HIDING_DRAM
    | PolicyBit.PAGE_SWAP_DISABLE
)
_LOOSENING: Final = PolicyBit.SMT | PolicyBit.CXL_ALLOW
_NEVER: Final = PolicyBit.DEBUG | PolicyBit.MIGRATE_MA
_PROTECTED: Final = (
    PlatformBit.RAPL_DIS
    | PlatformBit.CIPHERTEXT_HIDING_DRAM_EN
    | PlatformBit.ALIAS_CHECK_COMPLETE
    | PlatformBit.IOMMU_WRITE_SAFE
)
_NO_ID_BLOCK: Final = Waived("the guest was launched without an ID block")
_NO_AUTHOR: Final = Waived("no author key stands above the ID key")
_NO_PRODUCT: Final = Waived("the report does not say of which product it is: give its certificate to `policy init`")


def choose(report: SnpReport, product: Product | None, *, rehearsal_roots: frozenset[bytes]) -> SnpExpect:
    """The expectation that accepts such a report and nothing weaker.

    A debugging guest and a migration agent stay refused, even where the report has them. `product` is None
    where it is not known, and then no floor is set.
    """
    policy, platform = PolicyBit(report.policy), PlatformBit(report.platform_info)
    return SnpExpect(
        rehearsal_roots=rehearsal_roots,
        measurements=frozenset({report.measurement}),
        report_data=Waived("it is made for each request, and compared where the request is made"),
        host_data=frozenset({report.host_data}),
        vmpls=frozenset({report.vmpl} & {0, 1, 2, 3}),
        policy=BitRule(
            required=int(PolicyBit.RESERVED_ONE | (policy & _PROTECTIVE)),
            forbidden=int(_NEVER | (_LOOSENING & ~policy)),
        ),
        platform=BitRule(required=int(platform & _PROTECTED), forbidden=int(PlatformBit.SMT_EN & ~platform)),
        unknown_bits=_has_unknown(report),
        tcb_floor=_floor(report, product.tcb) if product else _NO_PRODUCT,
        guest_svn=report.guest_svn,
        chip_ids=Waived("any genuine machine may run the guest"),
        id_key_digests=_pinned(report.id_key_digest),
        author_key_digests=frozenset({report.author_key_digest}) if report.has_author_key else _NO_AUTHOR,
        family_id=report.family_id if any(report.family_id) else _NO_ID_BLOCK,
        image_id=report.image_id if any(report.image_id) else _NO_ID_BLOCK,
        migration_agent=False,
        provisional_firmware=True,
        must_exclude=_excluded(exposures(report, product)) if product else _NO_PRODUCT,
    )


def _excluded(found: Iterable[Exposure]) -> frozenset[str]:
    return frozenset(entry.advisory for entry in found if entry.standing is Standing.EXCLUDED)


def _has_unknown(report: SnpReport) -> bool:
    named = 0xFFFF | int(sum(PolicyBit))
    return bool(report.policy & ~named or report.platform_info & ~int(sum(PlatformBit)))


def _pinned(digest: bytes) -> frozenset[bytes] | Waived:
    return frozenset({digest}) if any(digest) else _NO_ID_BLOCK


def _floor(report: SnpReport, layout: TcbLayout) -> TcbFloor:
    """The least of the four TCB versions, component by component."""
    versions = (report.reported_tcb, report.committed_tcb, report.current_tcb, report.launch_tcb)
    levels = [Tcb.decode(value, layout).components() for value in versions]
    return TcbFloor(**{part: min(level[part] for level in levels) for part in levels[0]})


def notes(want: SnpExpect) -> Iterator[Note]:
    """What is dangerous or remarkable in an expectation, key by key."""
    yield from _about_what_runs(want)
    yield from _about_bits(want)
    if want.rehearsal_roots:
        yield danger("rehearsal_roots", "software processors are trusted: whoever has such a key makes any evidence")
    if isinstance(want.vmpls, Waived):
        yield danger("vmpls", "a report that the host asked for passes; it says nothing of who holds the session key")
    elif not want.vmpls:
        yield danger("vmpls", "the list is empty: nothing can pass")
    if isinstance(want.migration_agent, Waived) or want.migration_agent:
        yield danger("migration_agent", "an agent of the host's choice may move the guest, and sees its memory")
    if isinstance(want.tcb_floor, Waived) or not any(_levels(want.tcb_floor)):
        yield remark("tcb_floor", "firmware of any age passes, with every attack that was ever published against it")
    if isinstance(want.must_exclude, Waived) or want.must_exclude == frozenset():
        yield remark("must_exclude", "known attacks are listed in the result, and none of them makes it a rejection")
    if isinstance(want.unknown_bits, Waived) or want.unknown_bits:
        yield remark("unknown_bits", "newer firmware may say something bad that this version cannot read")
    if isinstance(want.chip_ids, Waived):
        yield remark("chip_ids", "evidence of one extracted chip, anywhere, passes for all of yours")


def _about_what_runs(want: SnpExpect) -> Iterator[Note]:
    if isinstance(want.measurements, Waived):
        yield danger("measurements", "any software passes")
    elif not want.measurements:
        yield danger("measurements", "the list is empty: nothing can pass")
    elif bytes(48) in want.measurements:
        yield danger("measurements", "all zeros is no digest of anything")
    if isinstance(want.report_data, Waived):
        yield remark("report_data", "freshness is not judged: old evidence passes, unless the caller compares it")
    if isinstance(want.host_data, Waived):
        yield remark("host_data", "the host chose these 32 bytes, and nobody looks at them")


def _about_bits(want: SnpExpect) -> Iterator[Note]:
    for key, rule in (("policy", want.policy), ("platform", want.platform)):
        if isinstance(rule, Waived):
            continue
        both = bit_names(rule.required & rule.forbidden, BITS[key])
        if both:
            yield danger(key, f"{', '.join(both)} is required and forbidden: nothing can pass")
        unknown = bit_numbers((rule.required | rule.forbidden) & ~int(sum(BITS[key])))
        if unknown:
            listed = ", ".join(f"bit {number}" for number in unknown)
            yield remark(key, f"{listed}: this version cannot name it")
    if isinstance(want.policy, Waived) or not want.policy.forbidden & PolicyBit.DEBUG:
        yield danger("policy", "DEBUG is not forbidden: the host may read and change the memory of the guest")
    if not isinstance(want.policy, Waived) and want.policy.forbidden & PolicyBit.RESERVED_ONE:
        yield danger("policy", "RESERVED_ONE is forbidden, and always set: nothing can pass")
    if isinstance(want.platform, Waived) or not want.platform.required & PlatformBit.ALIAS_CHECK_COMPLETE:
        yield remark("platform", "ALIAS_CHECK_COMPLETE is not required: BadRAM (AMD-SB-3015) is not excluded")


def _levels(floor: TcbFloor) -> tuple[int, ...]:
    return floor.bootloader, floor.tee, floor.snp, floor.microcode, floor.fmc
