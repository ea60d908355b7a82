"""EAT attestation results (EAR, draft-ietf-rats-ear): what a verifier found, as claims that others understand.

The names are those of the profile that deployed relying parties read, `tag:github.com,2023:veraison/ear`.
Beside them stand private claims: `warily.findings`, `warily.coverage`, and `warily.posture` where one was drawn.
`verify/ear_token.py` signs the claims.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from warily import __version__
from warily.core.appraisal import Appraisal
from warily.core.finding import Outcome
from warily.errors import UsageError
from warily.verify.ear_vector import Tier, platform_of, status_of, vector_of

PROFILE: Final = "tag:github.com,2023:veraison/ear"
DEVELOPER: Final = "warily"
LIFETIME: Final = timedelta(minutes=5)

# JWT name → CWT label, at the top and inside (draft-ietf-rats-ear, sections 3.1 and 3.2; RFC 8392; RFC 9711).
LABELS: Final[dict[str, int]] = {
    "exp": 4,
    "iat": 6,
    "eat_profile": 265,
    "submods": 266,
    "ear.status": 1000,
    "ear.trustworthiness-vector": 1001,
    "ear.appraisal-policy-id": 1003,
    "ear.verifier-id": 1004,
    "developer": 0,
    "build": 1,
}
VECTOR_LABELS: Final[dict[str, int]] = {
    "instance-identity": 0,
    "configuration": 1,
    "executables": 2,
    "file-system": 3,
    "hardware": 4,
    "runtime-opaque": 5,
    "storage-opaque": 6,
    "sourced-data": 7,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Submodule:
    """One attester as appraised. `policy_id` is a URI of the expectation it was judged by.

    `runtime` says that other evidence showed what was loaded since boot; `posture` is a posture as JSON.
    """

    appraisal: Appraisal
    policy_id: str
    runtime: bool = False
    posture: Mapping[str, object] | None = None


def ear_claims(submodules: Mapping[str, Submodule], *, lifetime: timedelta = LIFETIME) -> dict[str, Any]:
    """The claims of a result over one or more attesters, judged at one time, by their labels.

    `iat` is the time of judgement and `exp` comes `lifetime` later, so that a result judged at a time long past is
    a result that has expired. Raises `UsageError` where there is no attester, or times differ.
    """
    times = {int(entry.appraisal.at.timestamp()) for entry in submodules.values()}
    if len(times) != 1:
        msg = "a result is over at least one appraisal, all of one time"
        raise UsageError(msg)
    issued = times.pop()
    return {
        "eat_profile": PROFILE,
        "iat": issued,
        "exp": issued + int(lifetime.total_seconds()),
        "ear.verifier-id": {"developer": DEVELOPER, "build": f"warily {__version__}"},
        "submods": {label: _submodule(entry) for label, entry in submodules.items()},
    }


def submodule_label(appraisal: Appraisal) -> str:
    """The label of an appraisal that stands alone: its platform, such as `snp`."""
    return platform_of(appraisal) or "unknown"


def _submodule(entry: Submodule) -> dict[str, Any]:
    appraisal = entry.appraisal
    vector = vector_of(appraisal, runtime=entry.runtime)
    claims: dict[str, Any] = {
        "ear.status": status_of(appraisal, vector).name.lower(),
        "ear.trustworthiness-vector": vector.values(),
        "ear.appraisal-policy-id": entry.policy_id,
        "warily.accepted": appraisal.accepted,
        "warily.rehearsal": appraisal.rehearsal,
        "warily.platform": appraisal.platform,
        "warily.anchor": appraisal.anchor,
        "warily.findings": [finding.as_json() for finding in appraisal.findings],
        "warily.coverage": coverage(appraisal),
        "warily.evidence": dict(appraisal.claims),
    }
    if entry.posture is not None:
        claims["warily.posture"] = dict(entry.posture)
    return claims


def coverage(appraisal: Appraisal) -> dict[str, int]:
    """How many checks were required, how many of those were made, and how the findings came out."""
    outcomes = Counter(finding.outcome for finding in appraisal.findings)
    made = {finding.check for finding in appraisal.findings if finding.outcome is not Outcome.NOT_REACHED}
    counts = {outcome.value: outcomes[outcome] for outcome in Outcome}
    return {"required": len(appraisal.required), "made": len(made & set(appraisal.required)), **counts}


def as_cwt_claims(claims: Mapping[str, Any]) -> dict[int | str, Any]:
    """The same claims as a CWT holds them: labels as numbers, tiers as numbers, private claims under their names."""
    found: dict[int | str, Any] = {}
    for name, value in claims.items():
        label = LABELS.get(name, name)
        match name:
            case "submods":
                found[label] = {part: as_cwt_claims(inside) for part, inside in value.items()}
            case "ear.verifier-id":
                found[label] = {LABELS[part]: text for part, text in value.items()}
            case "ear.trustworthiness-vector":
                found[label] = {VECTOR_LABELS[part]: number for part, number in value.items()}
            case "ear.status":
                found[label] = int(Tier[value.upper()])
            case _:
                found[label] = value
    return found
