"""EAT attestation results (EAR, draft-ietf-rats-ear-04): what a verifier found, as claims that others understand.

Beside the claims of the draft stand private ones: `warily.findings`, `warily.coverage`, `warily.advisories`, and
`warily.posture` where one was drawn. Relying parties that are deployed today read a few claims under the names that
earlier drafts and the Veraison profile gave them, `ear.status` for instance: a JWT has these too, with the same values.
`verify/ear_submodules.py` takes one appraisal apart into attesters, `verify/ear_token.py` signs the claims.
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
from warily.formats._json import b64url, from_b64url
from warily.verify.ear_vector import Tier, status_of, vector_of

PROFILE: Final = "tag:ietf.org,2026:rats/ear#04"
DEVELOPER: Final = "warily"
LIFETIME: Final = timedelta(minutes=5)

# JWT name → CWT label, at the top and inside (draft-ietf-rats-ear-04, sections 3 and 3.1; RFC 8392; RFC 9711).
LABELS: Final[dict[str, int]] = {
    "exp": 4,
    "iat": 6,
    "eat_profile": 265,
    "submods": 266,
    "ear_status": 1000,
    "ear_trustworthiness_vector": 1001,
    "ear_raw_evidence": 1002,
    "ear_appraisal_policy_ids": 1003,
    "ear_verifier_id": 1004,
    "ear_attester_claims": 1005,
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
# What earlier drafts called the claims that deployed relying parties read.
OLDER: Final[dict[str, str]] = {
    "ear_status": "ear.status",
    "ear_trustworthiness_vector": "ear.trustworthiness-vector",
    "ear_raw_evidence": "ear.raw-evidence",
    "ear_verifier_id": "ear.verifier-id",
    "ear_appraisal_policy_ids": "ear.appraisal-policy-id",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class RawEvidence:
    """Evidence as received, with its media type: what stands in the claim, wrapped as RFC 9999 says."""

    media_type: str
    data: bytes


def ear_claims(
    submodules: Mapping[str, Submodule], *, raw_evidence: RawEvidence | None = None, lifetime: timedelta = LIFETIME
) -> dict[str, Any]:
    """The claims of a result over one or more attesters, judged at one time, by their labels.

    `ear_status` at the top is that of the worst. `iat` is the time of judgement and `exp` comes `lifetime` later, so
    that a result judged at a time long past is a result that has expired. Raises `UsageError` where there is no
    attester, or times differ.
    """
    times = {int(entry.appraisal.at.timestamp()) for entry in submodules.values()}
    if len(times) != 1:
        msg = "a result is over at least one appraisal, all of one time"
        raise UsageError(msg)
    issued = times.pop()
    parts = {label: _submodule(entry) for label, entry in submodules.items()}
    claims: dict[str, Any] = {
        "eat_profile": PROFILE,
        "iat": issued,
        "exp": issued + int(lifetime.total_seconds()),
        "ear_verifier_id": {"developer": DEVELOPER, "build": f"warily {__version__}"},
        "ear_status": _worst(part["ear_status"] for part in parts.values()),
        "submods": parts,
    }
    if raw_evidence is not None:
        claims["ear_raw_evidence"] = [raw_evidence.media_type, b64url(raw_evidence.data)]
    return claims


def _worst(statuses: Any) -> str:  # noqa: ANN401  # names of tiers
    """The overall status (draft section 3): none of an attester's knowledge is no knowledge of the whole."""
    tiers = [Tier[status.upper()] for status in statuses]
    worst = max(tiers)
    return (Tier.NONE if worst is Tier.AFFIRMING and Tier.NONE in tiers else worst).name.lower()


def _submodule(entry: Submodule) -> dict[str, Any]:
    appraisal = entry.appraisal
    vector = vector_of(appraisal, runtime=entry.runtime)
    claims: dict[str, Any] = {
        "ear_status": status_of(appraisal, vector).name.lower(),
        "ear_trustworthiness_vector": vector.values(),
        "ear_appraisal_policy_ids": [entry.policy_id],
        "ear_attester_claims": dict(appraisal.claims),
        "warily.accepted": appraisal.accepted,
        "warily.rehearsal": appraisal.rehearsal,
        "warily.platform": appraisal.platform,
        "warily.anchor": appraisal.anchor,
        "warily.findings": [finding.as_json() for finding in appraisal.findings],
        "warily.coverage": coverage(appraisal),
        "warily.advisories": [exposure.as_json() for exposure in appraisal.advisories],
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


def as_jwt_claims(claims: Mapping[str, Any]) -> dict[str, Any]:
    """The same claims as a JWT holds them: with the names of earlier drafts beside those of this one."""
    found: dict[str, Any] = {}
    for name, value in claims.items():
        inside = {label: as_jwt_claims(part) for label, part in value.items()} if name == "submods" else value
        found[name] = inside
        if name == "ear_appraisal_policy_ids":
            found[OLDER[name]] = value[0]
        elif name in OLDER:
            found[OLDER[name]] = inside
    return found


def as_cwt_claims(claims: Mapping[str, Any]) -> dict[int | str, Any]:
    """The same claims as a CWT holds them: labels and tiers as numbers, private claims under their names."""
    found: dict[int | str, Any] = {}
    for name, value in claims.items():
        label = LABELS.get(name, name)
        match name:
            case "submods":
                found[label] = {part: as_cwt_claims(inside) for part, inside in value.items()}
            case "ear_verifier_id":
                found[label] = {LABELS[part]: text for part, text in value.items()}
            case "ear_trustworthiness_vector":
                found[label] = {VECTOR_LABELS[part]: number for part, number in value.items()}
            case "ear_status":
                found[label] = int(Tier[value.upper()])
            case "ear_raw_evidence":
                found[label] = [value[0], from_b64url(value[1], what="raw evidence")]
            case _:
                found[label] = value
    return found
