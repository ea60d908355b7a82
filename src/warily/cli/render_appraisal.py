"""An appraisal for people: the verdict, who vouches for it, what the machine says, and every finding; 80 columns."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from warily.cli.render_advisories import advisory_lines
from warily.cli.render_boot import boot_rows, tpm_rows
from warily.cli.render_nitro import nitro_rows
from warily.cli.render_nvidia import nvidia_rows, spdm_rows
from warily.core.appraisal import Appraisal
from warily.core.finding import Finding, Outcome

WIDTH: Final = 80
_INDENT: Final = 32
_MARKS: Final = {
    Outcome.PASS: "ok",
    Outcome.FAIL: "FAILED",
    Outcome.WAIVED: "waived",
    Outcome.UNDECIDED: "open",
    Outcome.NOT_REACHED: "-",
}
GENUINE_ALONE: Final = (
    "Only authenticity was judged (--expect genuine): who made this report, and that it does not contradict itself. "
    "Not judged: debugging, migration, measurement, freshness, the age of the firmware, and all else that is waived "
    "below."
)
REHEARSAL: Final = (
    "REHEARSAL: the processor that signed this is software. Nothing is protected from whoever runs it, "
    "memory least of all."
)


def render(appraisal: Appraisal, *, genuine_alone: bool) -> str:
    """The whole report as text, in 80 columns but for addresses, which are never cut."""
    lines = [_verdict(appraisal), ""]
    if appraisal.rehearsal:
        lines += [*textwrap.wrap(REHEARSAL, WIDTH), ""]
    if genuine_alone:
        lines += [*textwrap.wrap(GENUINE_ALONE, WIDTH), ""]
    lines += _row("evidence", appraisal.platform)
    lines += _row("vouched for by", appraisal.anchor)
    lines += _row("judged at", f"{appraisal.at:%Y-%m-%d %H:%M:%S} UTC")
    for label, part in appraisal.parts.items():
        lines += ["", f"{label}: {_verdict(part)}", *_claims(part.claims), "", *_findings(part)]
    if not appraisal.parts:
        lines += [*_claims(appraisal.claims), "", *_findings(appraisal)]
    if appraisal.advisories:
        lines += ["", *advisory_lines(appraisal.advisories)]
    return "\n".join(lines) + "\n"


def _verdict(appraisal: Appraisal) -> str:
    first = appraisal.first_failure
    if appraisal.accepted:
        return "ACCEPTED as a rehearsal" if appraisal.rehearsal else "ACCEPTED"
    word = "UNDECIDED" if appraisal.undecided else "REJECTED"
    return f"{word}: {first.check}" if first else word


def _row(label: str, text: str) -> list[str]:
    """One labelled line, continued under its own start."""
    indent = " " * 16
    head = f"{label:<15} "
    return textwrap.wrap(text, WIDTH, initial_indent=head, subsequent_indent=indent) or [head.rstrip()]


def _claims(claims: Mapping[str, object]) -> Iterator[str]:
    """What a person wants to see of the machine; `--json` has the rest."""
    match claims:
        case {
            "product_name": product,
            "signing_key": key,
            "measurement": str(measurement),
            "policy": {"value": policy, "bits": list(policy_bits)},
            "platform": {"value": platform, "bits": list(platform_bits)},
            "tcb": {"reported": dict(reported)},
            "firmware": {"current": firmware},
        }:
            yield from _row("processor", f"{product}, firmware {firmware}, signed with its {key}")
            yield from _row("reported TCB", ", ".join(f"{part} {level}" for part, level in reported.items()))
            yield from _row("measurement", f"{measurement[:48]} {measurement[48:]}")
            yield from _row("guest policy", f"{policy} {' '.join(policy_bits)}")
            yield from _row("platform", f"{platform} {' '.join(platform_bits)}")
        case {"quote_version": version, "technology": str(technology), "tcb": dict(tcb), "platform": dict(platform)}:
            yield from _quote(claims, f"{technology} quote of version {version}", tcb, platform)
            yield from _rows(boot_rows(claims))
        case {"binding": _, "attestation_key": _, "registers": _}:
            below = claims.get("hardware")
            yield from _claims(below) if isinstance(below, Mapping) else ()
            yield from _rows(tpm_rows(claims))
        case {"module_id": _, "made_at": _, "pcrs": _}:
            yield from _rows(nitro_rows(claims))
        case {"vbios_version": _, "device_key": _, "compared": _}:
            yield from _rows(nvidia_rows(claims))
        case {"spdm_version": _, "measurements": _}:
            yield from _rows(spdm_rows(claims))
        case _:
            yield from _row("claims", "none: nothing is taken from evidence that is not authentic")


def _rows(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    for label, text in rows:
        yield from _row(label, text)


def _quote(
    claims: Mapping[str, object], what: str, tcb: Mapping[str, object], platform: Mapping[str, object]
) -> Iterator[str]:
    """An Intel quote: the platform and how far behind it is, then the TD or the enclave."""
    configured = platform.get("configuration")
    flags = f", {' '.join(configured)}" if isinstance(configured, list) and configured else ""
    yield from _row("processor", f"FMSPC {platform.get('fmspc')}{flags}; {what}")
    advisories = tcb.get("advisories")
    open_ = f"; advisories: {', '.join(advisories)}" if isinstance(advisories, list) and advisories else ""
    yield from _row("TCB status", f"{tcb.get('status')}, by levels of {str(tcb.get('date'))[:10]}{open_}")
    match claims:
        case {"mrtd": str(mrtd), "td_attributes": dict(attributes), "xfam": dict(xfam)}:
            yield from _row("TDX module", f"{claims.get('module') or 'of unknown version'}, MRSEAM {claims['mrseam']}")
            yield from _row("MRTD", f"{mrtd[:48]} {mrtd[48:]}")
            yield from _row("TD attributes", f"{attributes['value']} {' '.join(attributes['bits'])}")
            yield from _row("XFAM", f"{xfam['value']} {' '.join(xfam['bits'])}")
        case {"enclave": {"mrenclave": mrenclave, "mrsigner": mrsigner, "isvsvn": svn}}:
            yield from _row("enclave", f"MRENCLAVE {mrenclave}")
            yield from _row("signed by", f"{mrsigner}, SVN {svn}")
        case _:
            pass


def _findings(appraisal: Appraisal) -> Iterator[str]:
    """Every finding, one a line; what failed or is open with what was wanted and what to do."""
    counts = {outcome: sum(finding.outcome is outcome for finding in appraisal.findings) for outcome in Outcome}
    said = [f"{count} {outcome.value}" for outcome, count in counts.items() if count]
    yield f"checks: {', '.join(said)}"
    for finding in appraisal.findings:
        yield from _finding(finding)


def _finding(finding: Finding) -> Iterator[str]:
    head = f"  {_MARKS[finding.outcome]:<7}{finding.check:<{_INDENT - 9}}"
    indent = " " * _INDENT
    if finding.outcome not in (Outcome.FAIL, Outcome.UNDECIDED):
        yield from textwrap.wrap(head + finding.found, WIDTH, subsequent_indent=indent)
        return
    yield head.rstrip()
    label = "found" if finding.outcome is Outcome.FAIL else "missing"
    parts = {"expected": finding.expected, label: finding.found} if label == "found" else {label: finding.expected}
    for name, text in (parts | {"hint": finding.hint}).items():
        head = f"         {name:<10}"
        whole = name != "hint"  # an address in a hint is of no use in pieces
        yield from textwrap.wrap(
            text,
            WIDTH,
            initial_indent=head,
            subsequent_indent=" " * len(head),
            break_long_words=whole,
            break_on_hyphens=whole,
        )
