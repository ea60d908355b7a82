"""Where a platform stands in Intel's eyes: TCB levels matched, statuses converged, advisories collected.

This follows Intel's reference, the Quote Verification Library (SGX-TDX-DCAP-QuoteVerificationLibrary,
Verifiers/Checks: TcbLevelCheck, TdxModuleCheck, TDRelaunchCheck; EnclaveReportVerifier), step by step. Two things go
beyond it: a status without a name there is a level that does not match, and the extended TD 1.5 body, which the
reference does not know, is treated like TD 1.5.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from operator import ge
from typing import Final

from warily.formats.intel_tcb import ModuleIdentity, ModuleLevel, QeIdentity, TcbInfo, TcbLevel
from warily.formats.pck import PckExtensions
from warily.formats.tdx_quote import Quote


class TcbStatus(StrEnum):
    """What Intel says of a platform; the two of relaunch are the verifier's own conclusion."""

    UP_TO_DATE = "UpToDate"
    SW_HARDENING = "SWHardeningNeeded"
    CONFIGURATION = "ConfigurationNeeded"
    CONFIGURATION_SW_HARDENING = "ConfigurationAndSWHardeningNeeded"
    OUT_OF_DATE = "OutOfDate"
    OUT_OF_DATE_CONFIGURATION = "OutOfDateConfigurationNeeded"
    RELAUNCH = "TDRelaunchAdvised"
    RELAUNCH_CONFIGURATION = "TDRelaunchAdvisedConfigurationNeeded"
    REVOKED = "Revoked"


_LEVEL: Final = {one.value: one for one in TcbStatus if not one.value.startswith("TDRelaunch")}
_MODULE: Final = {one.value: one for one in (TcbStatus.UP_TO_DATE, TcbStatus.OUT_OF_DATE, TcbStatus.REVOKED)}
_CURRENT: Final = frozenset(
    {
        TcbStatus.UP_TO_DATE,
        TcbStatus.SW_HARDENING,
        TcbStatus.CONFIGURATION,
        TcbStatus.CONFIGURATION_SW_HARDENING,
    }
)
_OLD: Final = frozenset({TcbStatus.OUT_OF_DATE, TcbStatus.OUT_OF_DATE_CONFIGURATION})
_CONFIGURABLE: Final = frozenset(
    {
        TcbStatus.CONFIGURATION,
        TcbStatus.CONFIGURATION_SW_HARDENING,
        TcbStatus.OUT_OF_DATE_CONFIGURATION,
    }
)
# What an old module or an old quoting enclave makes of the platform's status.
_AGED: Final = {
    TcbStatus.UP_TO_DATE: TcbStatus.OUT_OF_DATE,
    TcbStatus.SW_HARDENING: TcbStatus.OUT_OF_DATE,
    TcbStatus.CONFIGURATION: TcbStatus.OUT_OF_DATE_CONFIGURATION,
    TcbStatus.CONFIGURATION_SW_HARDENING: TcbStatus.OUT_OF_DATE_CONFIGURATION,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome. Where something matches no level, `status` is None and `unmatched` says what.

    `date` is the oldest of the matched levels' TCB dates; `advisories` are those of all matched levels.
    `parts` are the statuses that converged: platform, module, quoting enclave.
    """

    status: TcbStatus | None
    unmatched: str = ""
    date: datetime | None = None
    advisories: tuple[str, ...] = ()
    parts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Matched:
    """The levels found, and their statuses."""

    sgx: TcbStatus
    platform: TcbLevel
    module: ModuleLevel | None
    qe: ModuleLevel

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        module = () if self.module is None else (("module", self.module.status),)
        return (("platform", self.platform.status), *module, ("quoting enclave", self.qe.status))

    def levels(self) -> tuple[TcbLevel | ModuleLevel, ...]:
        return tuple(one for one in (self.platform, self.module, self.qe) if one is not None)


class _NoLevel(LookupError):  # noqa: N818  # no error: it ends the search
    """Something matches no level; the message says what."""


def judge(quote: Quote, pck: PckExtensions, info: TcbInfo, identity: QeIdentity) -> Verdict:
    """Where the platform that made `quote` stands, by collateral that is genuine, for it, and in date."""
    try:
        found = _match(quote, pck, info, identity)
        status = _LEVEL[found.platform.status]
        if found.module is not None:
            status = _converge(status, _MODULE[found.module.status])
        qe = _enclave_status(found.qe)
        if status is not TcbStatus.REVOKED:
            status = _converge(_relaunch(quote, info, found, status, qe), qe)
    except _NoLevel as error:
        return Verdict(status=None, unmatched=str(error))
    named = [advisory for level in found.levels() for advisory in level.advisories]
    return Verdict(
        status=status,
        date=min(level.date for level in found.levels()),
        advisories=tuple(dict.fromkeys(named)),
        parts=found.parts,
    )


def module_of(info: TcbInfo, version: int) -> ModuleIdentity | None:
    """The identity of that major version of the TDX module; version 0 is the one of the first generation."""
    if version == 0:
        return info.module
    return next((one for one in info.modules if one.id == f"TDX_{version:02X}"), None)


def in_order(levels: Sequence[TcbLevel]) -> list[TcbLevel]:
    """Highest first, as the reference keeps them, whatever the order of the text."""
    return sorted(levels, key=lambda level: (level.sgx, level.pcesvn, level.tdx), reverse=True)


def _match(quote: Quote, pck: PckExtensions, info: TcbInfo, identity: QeIdentity) -> _Matched:
    """The levels of platform, module and quoting enclave. Raises `_NoLevel` for what has none."""
    reached = [level for level in in_order(info.levels) if _reaches(pck, level)]
    if not reached:
        msg = f"CPUSVN {pck.cpusvn.hex()}, PCESVN {pck.pcesvn}: below every SGX TCB level"
        raise _NoLevel(msg)
    platform, module = reached[0], None
    if quote.td is not None:
        svn = quote.td.tee_tcb_svn
        platform = _td_level(svn, reached)
        module = _module_level(svn, info) if svn[1] else None
    qe = _level_at(identity.levels, quote.qe_report.isvsvn)
    if qe is None or qe.status not in _LEVEL:
        msg = f"quoting enclave with ISV SVN {quote.qe_report.isvsvn}: no level"
        raise _NoLevel(msg)
    if reached[0].status not in _LEVEL or platform.status not in _LEVEL:
        msg = "a level whose status has an unknown name"
        raise _NoLevel(msg)
    return _Matched(sgx=_LEVEL[reached[0].status], platform=platform, module=module, qe=qe)


def _td_level(svn: bytes, reached: Sequence[TcbLevel]) -> TcbLevel:
    found = next((level for level in reached if _td_reaches(svn, level)), None)
    if found is None:
        msg = f"TEE_TCB_SVN {svn.hex()}: below every TDX TCB level"
        raise _NoLevel(msg)
    return found


def _module_level(svn: bytes, info: TcbInfo) -> ModuleLevel:
    identified = module_of(info, svn[1])
    found = _level_at(_newest_first(identified.levels), svn[0]) if identified else None
    if found is None or found.status not in _MODULE:
        msg = f"TDX module TDX_{svn[1]:02X} with SVN {svn[0]}: no level"
        raise _NoLevel(msg)
    return found


def _reaches(pck: PckExtensions, level: TcbLevel) -> bool:
    return all(map(ge, pck.components, level.sgx)) and pck.pcesvn >= level.pcesvn


def _td_reaches(svn: bytes, level: TcbLevel) -> bool:
    """From the second generation of modules on, the module's own two components are judged by its identity."""
    first = 2 if svn[1] else 0
    return len(svn) == len(level.tdx) and all(map(ge, svn[first:], level.tdx[first:]))


def _level_at(levels: Sequence[ModuleLevel], svn: int) -> ModuleLevel | None:
    return next((level for level in levels if level.isvsvn <= svn), None)


def _newest_first(levels: Sequence[ModuleLevel]) -> list[ModuleLevel]:
    return sorted(levels, key=lambda level: level.isvsvn, reverse=True)


def _enclave_status(level: ModuleLevel) -> TcbStatus:
    """A quoting enclave is current, revoked, or old; nothing else."""
    status = _LEVEL[level.status]
    return status if status in (TcbStatus.UP_TO_DATE, TcbStatus.REVOKED) else TcbStatus.OUT_OF_DATE


def _converge(status: TcbStatus, part: TcbStatus) -> TcbStatus:
    """The status of the whole after one part's is taken into account."""
    if part is TcbStatus.REVOKED:
        return TcbStatus.REVOKED
    return _AGED.get(status, status) if part is TcbStatus.OUT_OF_DATE else status


def _relaunch(quote: Quote, info: TcbInfo, found: _Matched, status: TcbStatus, qe: TcbStatus) -> TcbStatus:
    """Relaunch is advised where only the module that launched the TD is old, and the one that runs now is not."""
    if quote.td15 is None or qe is not TcbStatus.UP_TO_DATE or found.sgx not in _CURRENT or status not in _OLD:
        return status
    if found.module is None or _MODULE[found.module.status] is not TcbStatus.OUT_OF_DATE:
        return status
    svn2 = quote.td15.tee_tcb_svn2
    latest = in_order(info.levels)[0]
    newest = latest.tdx[0]
    if svn2[1]:
        identified = module_of(info, svn2[1])
        if identified is None or not identified.levels:
            msg = f"TDX module TDX_{svn2[1]:02X}, which runs now: no identity"
            raise _NoLevel(msg)
        newest = _newest_first(identified.levels)[0].isvsvn
    if svn2[0] < newest or svn2[2] < latest.tdx[2]:
        return status
    configurable = found.sgx in _CONFIGURABLE or status in _CONFIGURABLE
    return TcbStatus.RELAUNCH_CONFIGURATION if configurable else TcbStatus.RELAUNCH
