"""Expectation files: written from evidence with a comment on every line, and looked over for dangers.

One template a platform: a new platform adds its own to `TEMPLATES`, and both verbs of `warily policy` know it.
"""

import json
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from enum import IntFlag
from typing import Any, Final

from warily.core.appraisal import Appraisal
from warily.core.collateral import Collateral
from warily.core.evidence import Evidence, NitroEvidence, SnpEvidence, TdxEvidence
from warily.core.expect import BitRule, NitroExpect, SnpExpect, StatusRule, TdxExpect
from warily.core.finding import Waived
from warily.errors import UsageError
from warily.formats import nitro as nitro_format
from warily.verify import appraise
from warily.verify.expectation import read_expectation
from warily.verify.nitro import policy as nitro
from warily.verify.policy_note import Note
from warily.verify.presets import PRESETS
from warily.verify.snp import policy as snp
from warily.verify.snp.chain import pick as pick_snp
from warily.verify.snp.products import by_cpuid
from warily.verify.tdx import policy as tdx
from warily.verify.tdx.case import pick as pick_tdx

WIDTH: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an expectation is written from: evidence, what came with it, whom to trust, the time, and what came out."""

    evidence: Any
    collateral: Any
    rehearsal_roots: frozenset[bytes]
    at: datetime
    genuine: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """How expectations of one platform are written and read over.

    `table` is the name of the TOML table, `kind` the expectation's type, and each of its fields has a comment.
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
    return snp.choose(case.report, product.tcb if product else None, rehearsal_roots=origin.rehearsal_roots)


def _choose_tdx(origin: Origin) -> TdxExpect:
    case = pick_tdx(origin.evidence, origin.collateral, rehearsal_roots=origin.rehearsal_roots, at=origin.at)
    return tdx.choose(case, genuine=origin.genuine, rehearsal_roots=origin.rehearsal_roots)


def _choose_nitro(origin: Origin) -> NitroExpect:
    _, document = nitro_format.decode_message(origin.evidence.document)
    return nitro.choose(document, rehearsal_roots=origin.rehearsal_roots)


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
}


def write_policy(evidence: Evidence, collateral: Collateral, *, rehearsal_roots: frozenset[bytes], at: datetime) -> str:
    """An expectation file, in TOML, that accepts this evidence and nothing weaker.

    The first lines say whether the evidence was found genuine, or could not be judged for want of something.
    Raises `Rejected` for evidence that is not genuine, `FormatError`, and `UsageError` for a platform without template.
    """
    template = _template(lambda kind, _: isinstance(evidence, kind))
    genuine: Any = PRESETS[type(evidence)]["genuine"]
    appraisal = appraise(evidence, collateral, replace(genuine, rehearsal_roots=rehearsal_roots), at=at)
    if not appraisal.undecided:
        appraisal.require()
    origin = Origin(
        evidence=evidence,
        collateral=collateral,
        rehearsal_roots=rehearsal_roots,
        at=at,
        genuine=appraisal.accepted,
    )
    lines = [*_comment(_heading(appraisal)), "", f"[{template.table}]"]
    want = template.choose(origin)
    for entry in fields(template.kind):
        value = _toml(getattr(want, entry.name), template.bits.get(entry.name))
        lines += ["", *_comment(template.comments[entry.name]), f"{entry.name} = {value}"]
    return "\n".join(lines) + "\n"


def check_policy(text: bytes) -> tuple[Note, ...]:
    """What is dangerous or remarkable in an expectation file. Raises `UsageError` where it is not one."""
    want = read_expectation(text)
    template = _template(lambda _, entry: isinstance(want, entry.kind))
    return tuple(
        replace(note, key=f"{template.table}.{note.key}")
        for note in sorted(template.notes(want), key=lambda note: note.level)
    )


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
            return f"[{', '.join(sorted(_toml(entry, bits) for entry in value))}]"
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
