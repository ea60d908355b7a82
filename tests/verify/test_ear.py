"""Attestation results: the vector follows the findings, other libraries verify the tokens, nothing is overstated."""

import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cwt import COSEKey
from cwt import decode as cwt_decode
from joserfc import jws
from joserfc.errors import BadSignatureError
from joserfc.jwk import ECKey, OKPKey

from tests.forge import NOW, REPORT, Forged
from tests.verify.test_snp_checks import FIRST_FAILURES
from warily.core.appraisal import Appraisal
from warily.core.expect import TcbFloor
from warily.core.finding import Finding, Outcome
from warily.errors import UsageError
from warily.verify import appraise, nitro, nvidia, spdm, tdx
from warily.verify.ear import (
    LABELS,
    PROFILE,
    VECTOR_LABELS,
    RawEvidence,
    Submodule,
    as_cwt_claims,
    as_jwt_claims,
    ear_claims,
)
from warily.verify.ear_checks import CLAIMS
from warily.verify.ear_submodules import submodules
from warily.verify.ear_token import SigningKey, algorithm, key_id, read_signing_key, sign_cwt, sign_jwt
from warily.verify.ear_vector import Tier, Vector, platform_of, status_of, tier_of, vector_of
from warily.verify.front import verify
from warily.verify.snp import REQUIRED
from warily.verify.snp.presets import BASELINE, GENUINE

KEYS: dict[str, SigningKey] = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
WANTED = replace(
    BASELINE,
    measurements=frozenset({REPORT.measurement}),
    tcb_floor=TcbFloor(bootloader=4, tee=0, snp=24, microcode=219),
    chip_ids=frozenset({REPORT.chip_id}),
)


def judged(case: Forged, *, rehearsal: bool = False) -> Appraisal:
    """As if AMD had signed it, unless `rehearsal`, and as if no newer firmware were known: only these differ."""
    appraisal = appraise(case.evidence, case.collateral, case.expectation, at=NOW)
    return replace(appraisal, rehearsal=rehearsal, advisories=())


GOOD = judged(Forged(expect=WANTED))


def claims(appraisal: Appraisal = GOOD, **more: Any) -> dict[str, Any]:  # noqa: ANN401  # any field
    return ear_claims({"snp": Submodule(appraisal=appraisal, policy_id="tag:test", **more)})


def of(case: Forged) -> tuple[Vector, Tier]:
    appraisal = judged(case)
    vector = vector_of(appraisal, runtime=False)
    return vector, status_of(appraisal, vector)


def test_what_was_proven_is_affirmed_and_nothing_else() -> None:
    assert GOOD.accepted
    vector = vector_of(GOOD, runtime=False)
    assert vector == Vector(instance_identity=2, configuration=2, executables=3, hardware=2, runtime_opaque=2)
    assert status_of(GOOD, vector) is Tier.AFFIRMING
    assert vector_of(GOOD, runtime=True).executables == 2


def test_runtime_evidence_cannot_mend_what_was_launched() -> None:
    for expect in (BASELINE, replace(WANTED, measurements=frozenset({bytes(48)}))):
        appraisal = judged(Forged(expect=expect))
        with_runtime, without = (vector_of(appraisal, runtime=flag).executables for flag in (True, False))
        assert with_runtime == without != 2


def test_authentic_alone_is_no_affirmation() -> None:
    vector, status = of(Forged(expect=GENUINE))
    assert vector == Vector(hardware=2)
    assert status is Tier.NONE
    vector, status = of(Forged())
    assert (vector.executables, vector.configuration, status) == (0, 2, Tier.NONE)


def test_a_rehearsal_is_contraindicated_however_good_it_looks() -> None:
    appraisal = judged(Forged(expect=WANTED), rehearsal=True)
    assert appraisal.accepted
    vector = vector_of(appraisal, runtime=True)
    assert (vector.hardware, vector.runtime_opaque) == (97, 96)
    assert status_of(appraisal, vector) is Tier.CONTRAINDICATED


@pytest.mark.parametrize("check", FIRST_FAILURES)
def test_every_rejection_is_contraindicated(check: str) -> None:
    vector, status = of(FIRST_FAILURES[check])
    assert status is Tier.CONTRAINDICATED
    named = [name for name, claim in CLAIMS["snp"].items() if check in (*claim.needs, *claim.also)]
    assert all(tier_of(getattr(vector, name)) >= Tier.WARNING for name in named)


def test_every_check_speaks_for_a_claim_but_one() -> None:
    spoken = {check for claim in CLAIMS["snp"].values() for check in (*claim.needs, *claim.also)}
    assert REQUIRED - spoken == {"snp.report-data"}  # freshness: the result's own times and findings say it
    assert spoken - REQUIRED == set()


@pytest.mark.parametrize(
    ("check", "value"), [("snp.signature", 99), ("snp.chain.leaf", 99), ("snp.chain.root", 97), ("snp.chain.dates", 96)]
)
def test_hardware_says_how_it_failed(check: str, value: int) -> None:
    vector, _ = of(FIRST_FAILURES[check])
    assert vector == Vector(hardware=value)


def test_undecided_claims_nothing() -> None:
    vector, status = of(Forged(certificates=(), expect=WANTED))
    assert vector == Vector()
    assert status is Tier.NONE


@pytest.mark.parametrize("name", CLAIMS["snp"])
def test_waiving_a_needed_check_withdraws_the_claim(name: str) -> None:
    for check in CLAIMS["snp"][name].needs:
        findings = tuple(
            Finding(check=entry.check, outcome=Outcome.WAIVED) if entry.check == check else entry
            for entry in GOOD.findings
        )
        assert getattr(vector_of(replace(GOOD, findings=findings), runtime=True), name) == 0


def test_tiers_are_those_of_the_specification() -> None:
    borders = {-128: 96, -97: 96, -96: 32, -33: 32, -32: 2, -3: 2, -2: 0, -1: 0, 0: 0, 1: 0, 2: 2, 31: 2}
    borders |= {32: 32, 95: 32, 96: 96, 127: 96}
    assert {value: int(tier_of(value)) for value in borders} == borders
    assert all(low <= high for low, high in pairwise(tier_of(value) for value in range(128)))


def test_all_claims_are_there() -> None:
    found = claims()
    assert set(found) == {"eat_profile", "iat", "exp", "ear_verifier_id", "ear_status", "submods"}
    assert found["eat_profile"] == PROFILE == "tag:ietf.org,2026:rats/ear#04"
    assert found["exp"] - found["iat"] == 300
    assert found["iat"] == int(NOW.timestamp())
    part = found["submods"]["snp"]
    assert part["ear_status"] == "affirming"
    assert tuple(part["ear_trustworthiness_vector"]) == tuple(VECTOR_LABELS)
    assert part["warily.coverage"]["required"] == part["warily.coverage"]["made"] == len(REQUIRED)
    assert [entry["check"] for entry in part["warily.findings"]] == [entry.check for entry in GOOD.findings]
    assert "warily.posture" not in part
    assert claims(posture={"cells": []})["submods"]["snp"]["warily.posture"] == {"cells": []}


def test_deployed_relying_parties_find_the_names_that_they_read() -> None:
    found = as_jwt_claims(claims())
    part = found["submods"]["snp"]
    assert found["ear.verifier-id"] == found["ear_verifier_id"]
    assert found["ear.status"] == found["ear_status"] == part["ear.status"] == part["ear_status"] == "affirming"
    assert part["ear.trustworthiness-vector"] == part["ear_trustworthiness_vector"]
    assert [part["ear.appraisal-policy-id"]] == part["ear_appraisal_policy_ids"] == ["tag:test"]
    assert not any("." in str(name) and str(name).startswith("ear") for name in as_cwt_claims(claims()))


def test_evidence_goes_into_the_token_as_it_came() -> None:
    raw = RawEvidence(media_type="application/octet-stream", data=b"\xde\xad\xbe\xef")
    found = ear_claims({"snp": Submodule(appraisal=GOOD, policy_id="p")}, raw_evidence=raw)
    assert found["ear_raw_evidence"] == ["application/octet-stream", "3q2-7w"]
    assert as_cwt_claims(found)[1002] == ["application/octet-stream", b"\xde\xad\xbe\xef"]


def test_newer_firmware_that_answers_a_known_attack_is_a_warning() -> None:
    behind = appraise(
        Forged(expect=WANTED).evidence, Forged().collateral, replace(Forged(expect=WANTED).expectation), at=NOW
    )
    assert any(exposure.behind for exposure in behind.advisories)
    vector = vector_of(replace(behind, rehearsal=False), runtime=False)
    assert vector.hardware == 32
    assert status_of(replace(behind, rehearsal=False), vector) is Tier.WARNING
    named = ear_claims({"snp": Submodule(appraisal=behind, policy_id="p")})["submods"]["snp"]["warily.advisories"]
    assert {entry["advisory"] for entry in named} >= {"AMD-SB-3019", "AMD-SB-3020"}


def test_a_virtual_tpm_and_its_processor_are_two_attesters(vectors: Path) -> None:
    data = (vectors / "evidence/azure_snp_vtpm/trustee/evidence-v2.json").read_bytes()
    appraisal = verify(data, collateral=(), expect="genuine", at=NOW)
    assert appraisal.accepted
    parts = submodules(appraisal, policy_id="p")
    assert list(parts) == ["snp", "vtpm"]
    assert {f.check.partition(".")[0] for f in parts["snp"].appraisal.findings} == {"snp"}
    assert {f.check.partition(".")[0] for f in parts["vtpm"].appraisal.findings} == {"vtpm", "log"}
    assert parts["snp"].appraisal.claims["measurement"]
    assert vector_of(parts["vtpm"].appraisal, runtime=False) == Vector(hardware=2)
    assert ear_claims(parts)["ear_status"] == "warning"
    broken = replace(
        appraisal, findings=(*appraisal.findings[:-1], replace(appraisal.findings[-1], outcome=Outcome.FAIL))
    )
    assert ear_claims(submodules(broken, policy_id="p"))["ear_status"] == "contraindicated"


def test_checks_not_reached_are_not_covered() -> None:
    counts = claims(judged(FIRST_FAILURES["snp.signature"]))["submods"]["snp"]["warily.coverage"]
    assert counts["made"] + counts["not-reached"] == counts["required"]
    assert counts["fail"] == 1


def test_cwt_labels_are_those_of_the_draft() -> None:
    found = as_cwt_claims(claims())
    assert set(found) == {265, 6, 4, 1004, 1000, 266}
    assert found[1004] == {0: "warily", 1: claims()["ear_verifier_id"]["build"]}
    part = found[266]["snp"]
    assert part[1000] == 2
    assert part[1001] == {0: 2, 1: 2, 2: 3, 3: 0, 4: 2, 5: 2, 6: 0, 7: 0}
    assert part[1003] == ["tag:test"]
    assert len(set(LABELS.values())) == len(LABELS)


def public_pem(key: SigningKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # by RFC 9864; every relying party of today reads it
@pytest.mark.parametrize("name", KEYS)
def test_another_library_verifies_the_jwt(name: str) -> None:
    key = KEYS[name]
    token = sign_jwt(claims(), key)
    kind = OKPKey if name == "EdDSA" else ECKey
    registry = jws.JWSRegistry(algorithms=[name])
    found = jws.deserialize_compact(token, kind.import_key(public_pem(key)), registry=registry)
    header = found.headers()
    assert (header["alg"], header["typ"]) == (name, "eat+jwt")
    assert json.loads(found.payload) == as_jwt_claims(claims())
    head, body, signature = token.split(".")
    changed = f"{head}.{body[:-2]}{'A' if body[-2] != 'A' else 'B'}{body[-1]}.{signature}"
    with pytest.raises(BadSignatureError):
        jws.deserialize_compact(changed, kind.import_key(public_pem(key)), registry=registry)


@pytest.mark.parametrize("name", KEYS)
def test_another_library_verifies_the_cwt(name: str) -> None:
    key = KEYS[name]
    token = sign_cwt(ear_claims({"snp": Submodule(appraisal=GOOD, policy_id="p")}, lifetime=timedelta(days=40000)), key)
    public = COSEKey.from_pem(public_pem(key), kid=key_id(key))
    found: Any = cwt_decode(token, public)
    assert found[265] == PROFILE
    assert found[266]["snp"][1001][2] == 3
    assert found[266]["snp"]["warily.findings"][0]["check"] == "snp.signing-key"
    with pytest.raises(Exception, match=r"(?i)verify|key"):
        cwt_decode(token[:-1] + bytes([token[-1] ^ 1]), public)


def test_a_result_of_a_time_long_past_has_expired() -> None:
    token = sign_cwt(claims(), KEYS["ES256"])
    with pytest.raises(Exception, match="expired"):
        cwt_decode(token, COSEKey.from_pem(public_pem(KEYS["ES256"]), kid=key_id(KEYS["ES256"])))


def test_several_attesters_of_one_time() -> None:
    other = Submodule(appraisal=judged(FIRST_FAILURES["snp.policy"]), policy_id="q")
    found = ear_claims({"cpu": Submodule(appraisal=GOOD, policy_id="p"), "other": other})
    assert {label: part["ear_status"] for label, part in found["submods"].items()} == {
        "cpu": "affirming",
        "other": "contraindicated",
    }
    later = replace(other, appraisal=replace(GOOD, at=NOW + timedelta(seconds=1)))
    for wrong in ({}, {"cpu": Submodule(appraisal=GOOD, policy_id="p"), "other": later}):
        with pytest.raises(UsageError):
            ear_claims(wrong)


def test_a_platform_without_a_table_claims_nothing() -> None:
    finding = Finding(check="abacus.beads", outcome=Outcome.PASS)
    appraisal = replace(GOOD, findings=(finding,), required=frozenset({"abacus.beads"}))
    assert vector_of(appraisal, runtime=True) == Vector()
    assert status_of(appraisal, Vector()) is Tier.NONE
    assert (platform_of(appraisal), *submodules(replace(GOOD, findings=()), policy_id="p")) == ("abacus", "unknown")


def private_pem(key: Any, password: bytes | None = None) -> bytes:  # noqa: ANN401  # any key
    how = BestAvailableEncryption(password) if password else NoEncryption()
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)
    return pem


def test_keys() -> None:
    for name, key in KEYS.items():
        read = read_signing_key(private_pem(key))
        assert algorithm(read) == name
        spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        assert key_id(read) == hashlib.sha256(spki).digest()
    wrong = [
        b"",
        b"secret text",
        public_pem(KEYS["ES256"]),
        private_pem(KEYS["ES256"], b"password"),
        private_pem(ec.generate_private_key(ec.SECP521R1())),
        private_pem(rsa.generate_private_key(65537, 2048)),
    ]
    for pem in wrong:
        with pytest.raises(UsageError) as caught:
            read_signing_key(pem)
        assert "secret" not in str(caught.value)


# Freshness, and what the software inside chose to say: the findings have it.
FREE = {"nitro.nonce", "nitro.user-data", "nitro.public-key", "nitro.age"}
OTHERS = {
    "tdx": (tdx.REQUIRED, {"tdx.report-data"}),
    "nitro": (nitro.REQUIRED, FREE),
    "nvidia": (nvidia.REQUIRED, {"nvidia.nonce", "nvidia.count"}),
    "spdm": (spdm.REQUIRED, {"spdm.nonce"}),
}


@pytest.mark.parametrize("name", OTHERS)
def test_every_check_of_other_platforms_speaks_for_a_claim_but_few(name: str) -> None:
    required, free = OTHERS[name]
    spoken = {check for claim in CLAIMS[name].values() for check in (*claim.needs, *claim.also)}
    assert required - spoken == free
    assert spoken - required == set()


def passing(required: frozenset[str], **said: object) -> Appraisal:
    findings = tuple(Finding(check=check, outcome=Outcome.PASS) for check in sorted(required))
    return replace(GOOD, findings=findings, required=required, claims=said)


def test_a_platform_that_is_behind_is_a_warning_though_it_is_wanted() -> None:
    for status, hardware, tier in (("UpToDate", 2, Tier.AFFIRMING), ("OutOfDate", 32, Tier.WARNING)):
        appraisal = passing(tdx.REQUIRED, tcb={"status": status})
        vector = vector_of(appraisal, runtime=False)
        assert (vector.hardware, vector.executables, vector.runtime_opaque) == (hardware, 3, 2)
        assert status_of(appraisal, vector) is tier


def test_an_enclave_is_isolated_but_not_from_its_operator() -> None:
    appraisal = passing(nitro.REQUIRED)
    vector = vector_of(appraisal, runtime=False)
    assert vector == Vector(instance_identity=2, configuration=2, executables=3, hardware=2, runtime_opaque=32)
    assert status_of(appraisal, vector) is Tier.WARNING
