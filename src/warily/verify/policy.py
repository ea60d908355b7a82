"""Expectation files: written from evidence with a comment on every line, and looked over for dangers.

One template a platform: a new platform adds its own to `TEMPLATES`, and both verbs of `warily policy` know it.
"""

import json
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from enum import IntFlag
from typing import Any, Final

from warily.core.appraisal import Appraisal
from warily.core.collateral import Collateral, TpmCollateral
from warily.core.evidence import (
    Evidence,
    NitroEvidence,
    NvidiaEvidence,
    SnpEvidence,
    SpdmEvidence,
    TdxEvidence,
    TpmEvidence,
)
from warily.core.expect import (
    BitRule,
    LastWord,
    NitroExpect,
    NvidiaExpect,
    SnpExpect,
    SpdmExpect,
    StatusRule,
    TdxExpect,
    TpmExpect,
)
from warily.core.finding import Waived
from warily.errors import UsageError
from warily.formats import nitro as nitro_format
from warily.verify import appraise
from warily.verify.below import evidence_below, hardware_below, snp_collateral_below
from warily.verify.expectation import read_expectation
from warily.verify.nitro import policy as nitro
from warily.verify.nvidia import policy as nvidia
from warily.verify.nvidia.case import pick as pick_nvidia
from warily.verify.policy_note import Note
from warily.verify.presets import naming_authorities, naming_keys, preset, trusting
from warily.verify.snp import policy as snp
from warily.verify.snp.chain import pick as pick_snp
from warily.verify.snp.products import by_cpuid
from warily.verify.spdm import policy as spdm
from warily.verify.spdm.case import pick as pick_spdm
from warily.verify.tdx import policy as tdx
from warily.verify.tdx.case import pick as pick_tdx
from warily.verify.vtpm import policy as tpm
from warily.verify.vtpm.acceptable import genuine as genuine_quotes
from warily.verify.vtpm.case import pick as pick_tpm

WIDTH: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an expectation is written from: evidence, what came with it, whom to trust, the time, and what came out.

    `want` is the expectation by which it was found `genuine` or not.
    """

    evidence: Any
    collateral: Any
    want: Any
    rehearsal_roots: frozenset[bytes]
    at: datetime
    genuine: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """How expectations of one platform are written and read over.

    `table` is the name of the TOML table, `kind` the expectation's type, and each of its fields that stands in a file
    has a comment.
    """

    table: str
    kind: type
    comments: Mapping[str, str]
    bits: Mapping[str, type[IntFlag]]
    choose: Callable[[Origin], Any]
    notes: Callable[[Any], Iterable[Note]]


def _choose_snp(origin: Origin) -> SnpExpect:
    case = pick_snp(origin.evidence, origin.collateral, rehearsal_roots=origin.rehearsal_roots, at=origin.at)
    product = case.product or by_cpuid(case.report)
    return snp.choose(case.report, product, rehearsal_roots=origin.rehearsal_roots)


def _choose_tdx(origin: Origin) -> TdxExpect:
    case = pick_tdx(origin.evidence, origin.collateral, rehearsal_roots=origin.rehearsal_roots, at=origin.at)
    return tdx.choose(case, genuine=origin.genuine, rehearsal_roots=origin.rehearsal_roots)


def _choose_nitro(origin: Origin) -> NitroExpect:
    _, document = nitro_format.decode_message(origin.evidence.document)
    return nitro.choose(document, rehearsal_roots=origin.rehearsal_roots)


def _choose_nvidia(origin: Origin) -> NvidiaExpect:
    roots = origin.rehearsal_roots
    cases = pick_nvidia(origin.evidence, origin.collateral, rehearsal_roots=roots, certificate_hold=False, at=origin.at)
    return nvidia.choose(tuple(cases), rehearsal_roots=roots)


def _choose_spdm(origin: Origin) -> SpdmExpect:
    roots = origin.rehearsal_roots
    case = pick_spdm(
        origin.evidence, origin.collateral, authorities=origin.want.authorities, rehearsal_roots=roots, at=origin.at
    )
    return spdm.choose(case, rehearsal_roots=roots)


def _choose_tpm(origin: Origin) -> TpmExpect:
    hardware = hardware_below(origin.evidence, origin.collateral, origin.want, at=origin.at)
    case = pick_tpm(origin.evidence, origin.collateral, origin.want, hardware=hardware, at=origin.at)
    below = _below(origin)
    wanted = Waived("there is no processor below") if below is None else _template_of(below.evidence).choose(below)
    return tpm.choose(genuine_quotes(case), hardware=wanted)


def _below(origin: Origin) -> Origin | None:
    """The same for the processor below a virtual TPM; None where there is none."""
    if not isinstance(origin.evidence, TpmEvidence) or not isinstance(origin.collateral, TpmCollateral):
        return None
    match evidence_below(origin.evidence):
        case None:
            return None
        case SnpEvidence() as evidence:
            return replace(origin, evidence=evidence, collateral=snp_collateral_below(origin.collateral))
        case TdxEvidence() as evidence:
            return replace(origin, evidence=evidence, collateral=origin.collateral.tdx)


TEMPLATES: Final[dict[type[Evidence], Template]] = {
    SnpEvidence: Template(
        table="snp", kind=SnpExpect, comments=snp.COMMENTS, bits=snp.BITS, choose=_choose_snp, notes=snp.notes
    ),
    TdxEvidence: Template(
        table="tdx", kind=TdxExpect, comments=tdx.COMMENTS, bits=tdx.BITS, choose=_choose_tdx, notes=tdx.notes
    ),
    NitroEvidence: Template(
        table="nitro", kind=NitroExpect, comments=nitro.COMMENTS, bits={}, choose=_choose_nitro, notes=nitro.notes
    ),
    TpmEvidence: Template(
        table="tpm", kind=TpmExpect, comments=tpm.COMMENTS, bits={}, choose=_choose_tpm, notes=tpm.notes
    ),
    NvidiaEvidence: Template(
        table="nvidia", kind=NvidiaExpect, comments=nvidia.COMMENTS, bits={}, choose=_choose_nvidia, notes=nvidia.notes
    ),
    SpdmEvidence: Template(
        table="spdm", kind=SpdmExpect, comments=spdm.COMMENTS, bits={}, choose=_choose_spdm, notes=spdm.notes
    ),
}


def write_policy(
    evidence: Evidence,
    collateral: Collateral,
    *,
    rehearsal_roots: frozenset[bytes],
    at: datetime,
    attestation_keys: frozenset[bytes] = frozenset(),
    authorities: frozenset[bytes] = frozenset(),
) -> str:
    """An expectation file, in TOML, that accepts this evidence and nothing weaker.

    `attestation_keys` are SHA-256 of the SubjectPublicKeyInfo of keys of TPMs that are trusted by name, `authorities`
    of certificates (DER) that may vouch for such keys, or for devices. The first lines say whether the evidence was
    found genuine, or could not be judged for want of something.
    Raises `Rejected` for evidence that is not genuine, `FormatError`, and `UsageError` for a platform without template.
    """
    template = _template_of(evidence)
    want = naming_keys(trusting(preset("genuine", evidence), rehearsal_roots), attestation_keys)
    want = naming_authorities(want, authorities)
    appraisal = appraise(evidence, collateral, want, at=at)
    if not appraisal.undecided:
        appraisal.require()
    origin = Origin(
        evidence=evidence,
        collateral=collateral,
        want=want,
        rehearsal_roots=rehearsal_roots,
        at=at,
        genuine=appraisal.accepted,
    )
    lines = [*_comment(_heading(appraisal)), *_lines(template, template.choose(origin))]
    return "\n".join(lines) + "\n"


def _lines(template: Template, want: Any) -> list[str]:  # noqa: ANN401  # any expectation
    """The table of an expectation, each key under its comment, and after it the one of the processor below."""
    lines = ["", f"[{template.table}]"]
    below: list[str] = []
    for entry in fields(template.kind):
        if entry.name not in template.comments:
            continue  # made for one request, and in no file
        value = getattr(want, entry.name)
        nested = next((other for other in TEMPLATES.values() if isinstance(value, other.kind)), None)
        if nested is not None:
            below = _lines(nested, value)
        text = _text(nested.table) if nested else _toml(value, template.bits.get(entry.name))
        lines += ["", *_comment(template.comments[entry.name]), f"{entry.name} = {text}"]
    return [*lines, *below]


def check_policy(text: bytes) -> tuple[Note, ...]:
    """What is dangerous or remarkable in an expectation file. Raises `UsageError` where it is not one."""
    want = read_expectation(text)
    if isinstance(want, LastWord):
        want = want.over
    found = list(_notes(want))
    if isinstance(want, TpmExpect) and not isinstance(want.hardware, Waived):
        bound = {"snp.report_data", "tdx.report_data"}  # the hash of the paravisor's data: judged in any case
        found += [note for note in _notes(want.hardware) if note.key not in bound]
    return tuple(sorted(found, key=lambda note: note.level))


def _notes(want: Any) -> Iterator[Note]:  # noqa: ANN401  # any expectation
    template = _template(lambda _, entry: isinstance(want, entry.kind))
    yield from (replace(note, key=f"{template.table}.{note.key}") for note in template.notes(want))


def _template_of(evidence: Evidence) -> Template:
    return _template(lambda kind, _: isinstance(evidence, kind))


def _template(fits: Callable[[type[Evidence], Template], bool]) -> Template:
    for kind, entry in TEMPLATES.items():
        if fits(kind, entry):
            return entry
    known = ", ".join(f"[{entry.table}]" for entry in TEMPLATES.values())
    msg = f"expectations are written and looked over for {known} only"
    raise UsageError(msg)


def _heading(appraisal: Appraisal) -> str:
    first = appraisal.first_failure
    if first is None:
        judged = f"The evidence is genuine at {appraisal.at:%Y-%m-%d}, vouched for by {appraisal.anchor}."
    else:
        judged = f"The evidence was NOT judged, for want of {first.expected}: rely on no value before it is."
    return (
        f"What is wanted of {appraisal.platform} evidence; `warily verify --expect FILE` reads it. {judged} That it is "
        'also what you want, only you can say. Every key is needed; KEY = { waived = "the reason" } switches one off.'
    )


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False, break_on_hyphens=False
    )


def _toml(value: object, bits: type[IntFlag] | None) -> str:
    """A value of an expectation as one line of TOML."""
    match value:
        case Waived():
            return f"{{ waived = {_text(value.because)} }}"
        case BitRule():
            return f"{{ required = {_bits(value.required, bits)}, forbidden = {_bits(value.forbidden, bits)} }}"
        case StatusRule(since=None):
            return _text(value.status)
        case frozenset() | tuple():
            numbers = all(type(entry) is int for entry in value)
            entries = map(str, sorted(value)) if numbers else sorted(_toml(entry, bits) for entry in value)
            return f"[{', '.join(entries)}]"
        case Mapping():
            return f"{{ {', '.join(f'{key} = {_toml(entry, bits)}' for key, entry in value.items())} }}"
        case bool() | int() | bytes() | str() | date():
            return _scalar(value)
        case _:
            parts = ", ".join(f"{part.name} = {_toml(getattr(value, part.name), None)}" for part in fields(value))  # type: ignore[arg-type]  # the rest are dataclasses
            return f"{{ {parts} }}"


def _scalar(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case bytes():
            return f'"{value.hex()}"'
        case str():
            return _text(value)
        case _:
            return str(value)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)  # JSON's strings are TOML's basic strings


def _bits(value: int, bits: type[IntFlag] | None) -> str:
    names = {int(member): f'"{member.name}"' for member in bits or ()}
    numbers = [number for number in range(value.bit_length()) if value >> number & 1]
    return f"[{', '.join(names.get(1 << number, str(number)) for number in numbers)}]"
