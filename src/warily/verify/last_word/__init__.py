"""The last word of an expectation: an expression in CEL over what an appraisal says. It can only reject.

The expression sees `claims`, `findings` (with `check`, `outcome`, `expected`, `found`, `hint`), `advisories`,
`platform`, `anchor`, `rehearsal` and `accepted`. Whatever does not end in true is a rejection: false, another value, an
error, too many steps. CEL has no loops without an end, and the steps of an evaluation are counted besides, so that no
clock is needed to bound it. The language comes with the package `cel-python`, which is an extra of this one.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from warily.core.appraisal import Appraisal
from warily.core.finding import Finding, Outcome, failed, passed
from warily.verify.last_word.cel import Unspoken, evaluate

PLATFORM: Final = "the last word of an expectation"
CHECK: Final = "policy.last-word"
MAX_SHOWN: Final = 200


def expression_holds(appraisal: Appraisal, cel: str) -> Finding:
    """The expression of the expectation is true of the claims, findings and advisories; an error is not."""
    shown = " ".join(cel.split())[:MAX_SHOWN]
    said = {
        "claims": dict(appraisal.claims),
        "findings": [finding.as_json() for finding in appraisal.findings],
        "advisories": [exposure.as_json() for exposure in appraisal.advisories],
        "platform": appraisal.platform,
        "anchor": appraisal.anchor,
        "rehearsal": appraisal.rehearsal,
        "accepted": appraisal.accepted,
    }
    try:
        value = evaluate(cel, said)
    except Unspoken as error:
        return failed(CHECK, expected=shown, found=str(error)[:MAX_SHOWN])
    if value is not True:
        return failed(CHECK, expected=shown, found="false" if value is False else f"no boolean: {value!r}"[:MAX_SHOWN])
    return passed(CHECK, found=shown)


# The reference page is made from the table.
RULES: Final[dict[str, Callable[[Appraisal, str], Finding]]] = {CHECK: expression_holds}


def checks() -> list[tuple[str, str]]:
    """Every check with the one sentence that says what it means."""
    return [(check, (decide.__doc__ or "").strip().partition("\n")[0]) for check, decide in RULES.items()]


def with_last_word(appraisal: Appraisal, cel: str) -> Appraisal:
    """The appraisal with the finding of the expression, after all others; not reached where there are no claims.

    Raises `HostError` where the language is not installed.
    """
    reached = bool(appraisal.claims)
    finding = expression_holds(appraisal, cel) if reached else Finding(check=CHECK, outcome=Outcome.NOT_REACHED)
    return replace(appraisal, required=appraisal.required | {CHECK}, findings=(*appraisal.findings, finding))
