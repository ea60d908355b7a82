"""The expectation that an Intel quote suggests, what its keys mean, and what is dangerous in one."""

from collections.abc import Iterator
from enum import IntFlag
from typing import Any, Final

from warily.core.advisory import Standing
from warily.core.expect import BitRule, StatusRule, TdxExpect
from warily.core.finding import Waived
from warily.formats.pck import PlatformFlag
from warily.formats.tdx_quote import TD_ATTRIBUTES, XFAM_BITS, TdAttribute, TdReport10, Xfam
from warily.verify.policy_note import Note, danger, remark
from warily.verify.tdx.acceptable import UNSAID
from warily.verify.tdx.case import Case
from warily.verify.tdx.exposure import exposures
from warily.verify.tdx.tcb import TcbStatus

# Which keys hold which bits.
BITS: Final[dict[str, type[IntFlag]]] = {"attributes": TdAttribute, "xfam": Xfam, "platform": PlatformFlag}

_OWNER: Final = "which the host gave at launch, SHA-384 or nothing by custom."
_RTMR: Final = "extended as the guest boots; `warily verify --log` explains a value."

# What stands above each key of the file.
COMMENTS: Final[dict[str, str]] = {
    "rehearsal_roots": "SHA-256 of rehearsal roots that are trusted besides Intel's. Empty where hardware is wanted.",
    "enclaves": "MRENCLAVEs of the SGX enclaves that are wanted. Empty: TDs are wanted, and no enclave.",
    "debug": "Whether a TD under debug is acceptable: the host reads and changes its memory.",
    "statuses": "TCB statuses that Intel may give the platform. { status, since } takes a status only while its TCB "
    "level is not of an earlier date.",
    "advisories": "Intel's security advisories that may stay open.",
    "must_exclude": "Advisories that the quote must exclude (`warily verify` lists each with its reason). Here: those "
    "that the evidence excludes. { published_until = 2026-01-31 } asks for all answerable ones until then.",
    "evaluation": "The least tcbEvaluationDataNumber: older verdicts of Intel's, served again, are refused.",
    "attributes": "TDATTRIBUTES. MIGRATABLE lets a service TD move the guest.",
    "xfam": "XFAM: processor features of the TD. New hosts turn new ones on, so that pinning all of it breaks one day.",
    "unknown_bits": "Whether bits that this version of warily cannot name are acceptable.",
    "platform": "Flags of the platform's certificate. A platform that does not say fails, unless this is waived.",
    "platform_ids": "PPIDs or platform instance ids: which machines may run the guest.",
    "tee_tcb_svn": "The least TEE_TCB_SVN, byte by byte: the versions of the TDX module and what is below it.",
    "qe_svn": "The least ISV SVN of the quoting enclave.",
    "pce_svn": "The least PCESVN of the platform, by its PCK certificate.",
    "mrseams": "MRSEAM: the TDX module. One value for each release that may run.",
    "mrtds": "MRTD: what the TD was built from, its firmware. Add one for each release that may run.",
    "mrconfigids": f"MRCONFIGID, {_OWNER}",
    "mrowners": f"MROWNER, {_OWNER}",
    "mrownerconfigs": f"MROWNERCONFIG, {_OWNER}",
    "mrservicetds": 'MRSERVICETD: service TDs bound to the guest. Zeros: none; "": a quote that does not say.',
    "rtmr0": f"RTMR0: firmware configuration, with the machine's shape and its tables; {_RTMR}",
    "rtmr1": f"RTMR1: the boot loader and kernel; {_RTMR}",
    "rtmr2": f"RTMR2: the kernel command line and initrd; {_RTMR}",
    "rtmr3": f"RTMR3: what the guest adds while it runs; {_RTMR}",
    "report_data": "REPORTDATA: the challenge. It is new in each request, so a file cannot hold it.",
}

_NO_TD: Final = Waived("the evidence is of an SGX enclave, which has none")
_ENDORSED: Final = Waived("Intel's collateral was not there: give it to `policy init`")


def choose(case: Case, *, genuine: bool, rehearsal_roots: frozenset[bytes]) -> TdxExpect:
    """The expectation that accepts such a quote and nothing weaker; debugging and migration stay refused.

    What only Intel's collateral says is pinned where the quote was found `genuine` with it.
    """
    quote, td = case.quote, case.quote.td
    service = quote.td15.mrservicetd if quote.td15 is not None else UNSAID
    enclave = quote.enclave
    return TdxExpect(
        rehearsal_roots=rehearsal_roots,
        enclaves=frozenset() if enclave is None else frozenset({enclave.mrenclave}),
        debug=False,
        **_standing(case, genuine=genuine),
        attributes=_NO_TD if td is None else _attributes(td),
        xfam=Waived("hosts turn on new features as they are updated"),
        unknown_bits=td is not None and bool(td.td_attributes & ~TD_ATTRIBUTES or td.xfam & ~XFAM_BITS),
        platform=Waived("nothing was asked of the platform's configuration"),
        platform_ids=Waived("any genuine machine may run the guest"),
        tee_tcb_svn=_NO_TD if td is None else td.tee_tcb_svn,
        qe_svn=quote.qe_report.isvsvn,
        pce_svn=case.pck.pcesvn if case.pck else 0,
        **_registers(td),
        mrservicetds=_NO_TD if td is None else frozenset({service}),
        report_data=Waived("it is made for each request, and compared where the request is made"),
    )


def _registers(td: TdReport10 | None) -> dict[str, Any]:
    """Each measured value, pinned."""
    single = ("mrseam", "mrtd", "mrconfigid", "mrowner", "mrownerconfig")
    keys = {f"{name}s": name for name in single} | {f"rtmr{index}": f"rtmr{index}" for index in range(4)}
    return {key: _NO_TD if td is None else frozenset({getattr(td, name)}) for key, name in keys.items()}


def _attributes(td: TdReport10) -> BitRule:
    kept = TdAttribute.SEPT_VE_DISABLE & TdAttribute(td.td_attributes)
    return BitRule(required=int(kept), forbidden=int(TdAttribute.MIGRATABLE))


def _standing(case: Case, *, genuine: bool) -> dict[str, Any]:
    """What Intel's collateral says: the status, the open advisories, how recent the verdict is."""
    if not genuine:
        up_to_date = frozenset({StatusRule(status=TcbStatus.UP_TO_DATE.value, since=None)})
        return {
            "statuses": up_to_date,
            "advisories": _ENDORSED,
            "must_exclude": _ENDORSED,
            "evaluation": _ENDORSED,
        }
    verdict = case.verdict
    rules = {StatusRule(status=TcbStatus.UP_TO_DATE.value, since=None)}
    if verdict.status is not None and verdict.date is not None and verdict.status is not TcbStatus.UP_TO_DATE:
        rules.add(StatusRule(status=verdict.status.value, since=verdict.date.date()))
    numbers = [one.evaluation for one in (case.tcb_info, case.qe_identity) if one is not None]
    return {
        "statuses": frozenset(rules),
        "advisories": frozenset(verdict.advisories),
        "must_exclude": frozenset(one.advisory for one in exposures(case) if one.standing is Standing.EXCLUDED),
        "evaluation": min(numbers, default=0),
    }


def notes(want: TdxExpect) -> Iterator[Note]:
    """What is dangerous or remarkable in an expectation, key by key."""
    if want.rehearsal_roots:
        yield danger("rehearsal_roots", "software processors are trusted: whoever has such a key makes any evidence")
    if isinstance(want.debug, Waived) or want.debug:
        yield danger("debug", "the host may read and change the memory of the guest")
    if isinstance(want.enclaves, Waived) or not want.enclaves:  # else enclaves alone pass, which have no such fields
        yield from _about_what_runs(want)
    yield from _about_standing(want)
    if isinstance(want.report_data, Waived):
        yield remark("report_data", "freshness is not judged: old evidence passes, unless the caller compares it")
    if isinstance(want.platform_ids, Waived):
        yield remark("platform_ids", "evidence of one extracted machine, anywhere, passes for all of yours")


def _about_what_runs(want: TdxExpect) -> Iterator[Note]:
    if isinstance(want.attributes, Waived) or not want.attributes.forbidden & TdAttribute.MIGRATABLE:
        yield danger("attributes", "MIGRATABLE is not forbidden: a service TD may move the guest")
    if isinstance(want.mrservicetds, Waived):
        yield danger("mrservicetds", "any service TD may be bound to the guest")
    if isinstance(want.enclaves, Waived):
        yield danger("enclaves", "any SGX enclave passes in the place of a TD")
    if isinstance(want.mrtds, Waived):
        yield danger("mrtds", "any TD passes, whatever its firmware")
    for key in ("mrtds", "rtmr0", "rtmr1", "rtmr2"):
        if getattr(want, key) == frozenset():
            yield danger(key, "the list is empty: nothing can pass")
    for key in ("rtmr1", "rtmr2"):
        if isinstance(getattr(want, key), Waived):
            yield remark(key, "any kernel or command line passes, unless an event log is judged")


def _about_standing(want: TdxExpect) -> Iterator[Note]:
    if isinstance(want.statuses, Waived):
        yield danger("statuses", "a platform with any known weakness passes")
    elif any(rule.status != TcbStatus.UP_TO_DATE and rule.since is None for rule in want.statuses):
        yield remark("statuses", "a status other than UpToDate is taken, however old its level is")
    if isinstance(want.advisories, Waived):
        yield remark("advisories", "any of Intel's advisories may stay open")
    if isinstance(want.must_exclude, Waived) or want.must_exclude == frozenset():
        yield remark("must_exclude", "known attacks are listed in the result, and none of them makes it a rejection")
    if isinstance(want.evaluation, Waived):
        yield remark("evaluation", "an old verdict of Intel's passes when it is served again")
