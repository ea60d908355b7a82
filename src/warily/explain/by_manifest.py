"""Evidence judged by a signed manifest: its registers are those that the manifest predicts for some shape of machine.

The manifest has to be found good beforehand (`release.signing.verify_manifest`), and what a log says of it comes as
findings (`publish.logged`). The finding names shape and kind of host; what the manifest leaves open is said.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from warily.core.appraisal import Appraisal
from warily.core.collateral import Collateral
from warily.core.declaration import Platform
from warily.core.evidence import Evidence, SnpEvidence, TdxEvidence
from warily.core.expect import Expect, LastWord, PlatformExpect, SnpExpect, TdxExpect
from warily.core.finding import Finding, Outcome, Waived, failed, passed
from warily.core.manifest import Manifest
from warily.errors import UsageError
from warily.formats.snp_report import SnpReport
from warily.formats.tcg_log import EventLog
from warily.formats.tdx_quote import Quote
from warily.measure.boot import BootEvent, events_of, is_of_td
from warily.measure.matching import Match, match_boot, match_launch
from warily.measure.snp import REGISTER
from warily.verify import appraise
from warily.verify.last_word import with_last_word

CHECK: Final = "manifest.shape"
GIB: Final = 1 << 30
MIB: Final = 1 << 20
# A register of a TD, and the field of the expectation that names its values.
TD_FIELDS: Final[Mapping[str, str]] = {"mrtd": "mrtds", "rtmr0": "rtmr0", "rtmr1": "rtmr1", "rtmr2": "rtmr2"}


def appraise_by_manifest(
    evidence: Evidence,
    collateral: Collateral,
    expect: Expect,
    manifest: Manifest,
    *,
    logged: tuple[Finding, ...] = (),
    at: datetime,
) -> Appraisal:
    """The appraisal in which the manifest says what the registers should be, unless the expectation says so itself.

    `logged` are findings about the manifest, all of which count. Raises what `appraise` raises, and `UsageError`
    for evidence of a platform that manifests say nothing of.
    """
    if isinstance(expect, LastWord):
        inner = appraise_by_manifest(evidence, collateral, expect.over, manifest, logged=logged, at=at)
        return with_last_word(inner, expect.cel)
    platform, match = _match(evidence, manifest)
    judged = appraise(evidence, collateral, _expecting(expect, match, manifest), at=at)
    own = registers_are_predicted(judged, manifest, platform, match)
    return replace(
        judged,
        required=judged.required | {CHECK, *(finding.check for finding in logged)},
        findings=(*judged.findings, own, *logged),  # the first finding names the platform
    )


def registers_are_predicted(appraisal: Appraisal, manifest: Manifest, platform: Platform, match: Match) -> Finding:
    """The signed manifest predicts the registers for the platform that vouches for them, in some shape."""
    if not appraisal.claims:
        return Finding(check=CHECK, outcome=Outcome.NOT_REACHED)
    expected = f"what {manifest.name} is on {platform.value}"
    if match.wrong:
        others = ", ".join(sorted(match.wrong))
        hint = "`warily explain` with the manifest says which input differs"
        return failed(CHECK, expected=expected, found=f"another value in {others}", hint=hint)
    if not match.matches:
        return failed(CHECK, expected=expected, found="the manifest predicts none of the registers")
    if platform is not Platform.TDX and appraisal.rehearsal is not (platform is Platform.REHEARSAL):
        by = "a rehearsal" if appraisal.rehearsal else "hardware"
        return failed(CHECK, expected=f"{expected}, vouched for by that", found=f"vouched for by {by}")
    return passed(CHECK, found=f"{manifest.name} on {platform.value}: {_said(manifest, platform, match)}")


# The reference page is made from the table.
RULES: Final[dict[str, Callable[..., Finding]]] = {CHECK: registers_are_predicted}


def checks() -> list[tuple[str, str]]:
    """The check with the one sentence that says what it means."""
    return [(check, (decide.__doc__ or "").strip().partition("\n")[0]) for check, decide in RULES.items()]


def _match(evidence: Evidence, manifest: Manifest) -> tuple[Platform, Match]:
    """The platform whose rules lead to the registers, and what they say; SNP where neither of its two does."""
    match evidence:
        case SnpEvidence():
            value = SnpReport.unpack(evidence.report).measurement
            found = {
                platform: match_launch(manifest, platform, value)
                for platform in (Platform.SNP, Platform.REHEARSAL)
                if any(rule.platform is platform for rule in manifest.launches)
            }
            for platform, match in found.items():
                if match.matches or len(found) == 1:
                    return platform, match
            if found:
                return Platform.SNP, found[Platform.SNP]
        case TdxEvidence() if (td := Quote.decode(evidence.quote).td) is not None:
            values = {name: getattr(td, name) for name in TD_FIELDS}
            return Platform.TDX, match_boot(manifest, values, _events(evidence))
        case _:
            pass
    msg = f"the manifest of {manifest.name} says nothing of such evidence"
    raise UsageError(msg, hint="it has rules for the platforms that were declared when it was built")


def _events(evidence: TdxEvidence) -> tuple[BootEvent, ...]:
    """The events of the logs that came with the quote."""
    logs = [EventLog.decode(log) for log in evidence.event_logs]
    return tuple(event for log in logs for event in events_of(log, measurement_registers=is_of_td(log)))


def _expecting(expect: PlatformExpect, match: Match, manifest: Manifest) -> PlatformExpect:
    """The expectation with the manifest's values where it names none itself."""
    names = {REGISTER: "measurements"} if isinstance(expect, SnpExpect) else TD_FIELDS
    found: dict[str, Any] = {}
    for name, field in names.items():
        if name in match.values:
            found[field] = frozenset(match.values[name])
        elif name in match.absent:
            found[field] = Waived(f"the manifest of {manifest.name} leaves it open: {match.absent[name]}")
    if not isinstance(expect, SnpExpect | TdxExpect):
        return expect
    return replace(expect, **{name: new for name, new in found.items() if isinstance(getattr(expect, name), Waived)})


def _said(manifest: Manifest, platform: Platform, match: Match) -> str:
    """The shape in words: what can be told of it."""
    shape = match.shape
    if platform is not Platform.TDX:
        words = [f"{shape.vcpus} vCPUs", shape.cpu, *([f"host {shape.host}"] if shape.host else [])]
        usual = (manifest.cpus, manifest.cpu) == (shape.vcpus, shape.cpu)
        return ", ".join(words) + ("" if usual else f"; declared are {manifest.cpus} vCPUs, {manifest.cpu}")
    words = [f"{name} {variant}" for name, variant in match.named.items()]
    if "rtmr0" in match.named:
        words.append(f"{_size(shape.memory)} of memory")
    if match.supplied and "rtmr0" in match.named:
        words.append(f"taken from the log: {', '.join(match.supplied)}")
    words += [f"{name} left open" for name in match.absent]
    return ", ".join(words)


def _size(size: int) -> str:
    return f"{size // GIB} GiB" if size % GIB == 0 else f"{size // MIB} MiB"
