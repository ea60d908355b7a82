"""Genuine quotes of Azure, Google and swtpm are judged right, and no damaged one is accepted."""

import base64
import csv
import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from warily.core.appraisal import Appraisal
from warily.core.collateral import TpmCollateral
from warily.core.evidence import TpmEvidence, TpmQuote
from warily.core.expect import TpmExpect
from warily.core.finding import Outcome
from warily.core.registers import BANKS
from warily.errors import FormatError, UsageError
from warily.formats.hcl_report import HclReport
from warily.formats.tpm import Attest, Public, Signature
from warily.formats.x509 import Certificate
from warily.verify import appraise, recognise
from warily.verify.below import hardware_below
from warily.verify.front import verify
from warily.verify.presets import preset
from warily.verify.vtpm import case, chain, keys
from warily.verify.vtpm.authentic import checks_for

AT = datetime(2026, 3, 15, tzinfo=UTC)
GCE_NONCE = bytes.fromhex("9009")
AZURE_SNP = ("evidence-v0.json", "evidence-v1.json", "evidence-v2.json")
# What each negative of the MANIFEST breaks.
NEGATIVES = {
    "hcl_vardata_flip.json": "vtpm.runtime-data",
    "snp_report_flip.json": "snp.signature",
    "tpm_msg_flip.json": "vtpm.signature",
    "tpm_sig_flip.json": "vtpm.signature",
    "pcr4_flip.json": "vtpm.pcrs.digest",
    "forged_ak.json": "vtpm.runtime-data",
}


def judged(path: Path, *, at: datetime = AT, **changes: object) -> Appraisal:
    evidence = recognise.evidence_from(path.read_bytes())
    want = preset("baseline", evidence)
    assert isinstance(want, TpmExpect)
    return appraise(evidence, TpmCollateral(), replace(want, **changes), at=at)  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize("name", AZURE_SNP)
def test_azure_on_snp_is_accepted_whole(vectors: Path, name: str) -> None:
    appraisal = judged(vectors / "evidence" / "azure_snp_vtpm" / "trustee" / name)
    assert appraisal.accepted
    assert appraisal.anchor == "AMD ARK-Milan"
    assert appraisal.claims["settings"]["secure-boot"] is True  # type: ignore[index]  # a table


def test_the_nonce_is_looked_at(vectors: Path) -> None:
    path = vectors / "evidence" / "azure_snp_vtpm" / "trustee" / "evidence-v1.json"
    assert judged(path, nonce=b"challenge").accepted
    refused = judged(path, nonce=b"another").first_failure
    assert refused is not None
    assert refused.check == "vtpm.nonce"


@pytest.mark.parametrize("name", NEGATIVES)
def test_negatives_fail_by_what_was_broken(vectors: Path, name: str) -> None:
    appraisal = judged(vectors / "evidence" / "negative" / "azure_vtpm" / name)
    assert appraisal.first_failure is not None
    assert appraisal.first_failure.check == NEGATIVES[name]
    assert not appraisal.accepted
    assert not appraisal.undecided


def test_no_negative_is_missing(vectors: Path) -> None:
    assert {path.name for path in (vectors / "evidence" / "negative" / "azure_vtpm").iterdir()} == set(NEGATIVES)


@pytest.mark.parametrize("name", ["evidence-v0.json", "evidence-v1.json"])
def test_azure_on_tdx_is_open_without_intels_word(vectors: Path, name: str) -> None:
    appraisal = judged(vectors / "evidence" / "azure_tdx_vtpm" / "trustee" / name)
    assert appraisal.undecided
    assert appraisal.platform == "virtual TPM of Azure on Intel TDX"


@pytest.mark.parametrize("name", ["evidence-v0.json", "evidence-v1.json"])
def test_azure_on_tdx_holds_together(vectors: Path, name: str) -> None:
    """Everything that does not need Intel's collateral: REPORT_DATA, key, signature, registers."""
    evidence = recognise.evidence_from((vectors / "evidence" / "azure_tdx_vtpm" / "trustee" / name).read_bytes())
    assert isinstance(evidence, TpmEvidence)
    want = preset("genuine", evidence)
    assert isinstance(want, TpmExpect)
    below = hardware_below(evidence, TpmCollateral(), want, at=AT)
    assert below is not None
    assert below.appraisal.outcome_of("tdx.signature") in (Outcome.PASS, None)
    made = case.pick(evidence, TpmCollateral(), want, hardware=below, at=AT)
    for check, decide in checks_for(made.binding).items():
        if check != "vtpm.hardware":
            assert decide(made).outcome is Outcome.PASS


def test_google_is_accepted_with_its_log(vectors: Path) -> None:
    path = vectors / "evidence" / "tpm_quote" / "gce-cos-85-nonce9009.pb"
    appraisal = judged(path, nonce=GCE_NONCE, secure_boot=True, selection=frozenset(range(24)))
    assert appraisal.accepted
    assert appraisal.anchor.startswith("Google Compute Engine, ")
    assert appraisal.claims["instance"] == "google.com:wuale-gcp-testing/us-central1-a/cos-test/6797026933021542085"
    assert [finding.check for finding in appraisal.findings].count("log.replay") == 3  # one for each quoted bank


def test_google_is_not_trusted_where_certificates_are_not(vectors: Path) -> None:
    path = vectors / "evidence" / "tpm_quote" / "gce-cos-85-nonce9009.pb"
    refused = judged(path, bindings=frozenset({"snp", "tdx"})).first_failure
    assert refused is not None
    assert refused.check == "vtpm.binding"


@pytest.mark.parametrize("kind", ["pca", "uca"])
@pytest.mark.parametrize("scheme", ["rsa", "ecc"])
def test_google_chains_hold_and_encryption_keys_may_not_sign(vectors: Path, kind: str, scheme: str) -> None:
    folder = vectors / "evidence" / "tpm_quote" / "ak_certs"
    for use in ("sign", "enc"):
        text = (folder / f"{kind}_tpm_{scheme}_{use}_cert.pem").read_bytes()
        leaf = Certificate.decode(recognise.collateral_from([text]).certificates[0])
        found = chain.climb(leaf, (), frozenset())
        assert chain.is_anchor(found[-1], frozenset())
        assert all(chain.signs(issuer, child) for child, issuer in pairwise(found))
        assert all(chain.may_certify(issuer, below) for below, issuer in enumerate(found[1:]))
        assert chain.may(leaf, chain.DIGITAL_SIGNATURE) is (use == "sign")
        assert str(chain.gce_instance(leaf)).startswith("google.com:wuale-gcp-testing/us-central1-a/")


def test_authorities_are_those_of_the_vectors(vectors: Path) -> None:
    pinned = {certificate.raw for certificate in chain.pinned()}
    assert pinned == {
        recognise.collateral_from([path.read_bytes()]).certificates[0]
        for path in (vectors / "evidence" / "tpm_quote" / "ca-certs").iterdir()
    }
    assert sum(map(chain.is_pinned_anchor, chain.pinned())) == 3


def swtpm(vectors: Path, row: dict[str, str]) -> TpmEvidence:
    folder = vectors / "ima" / "swtpm"
    message = (folder / row["quote"]).read_bytes()
    values = (folder / row["pcr_values"]).read_bytes()
    (selection,) = Attest.decode(message).selections
    pcrs = tuple((selection.bank, pcr, values[32 * at : 32 * at + 32]) for at, pcr in enumerate(selection.pcrs))
    return TpmEvidence(quotes=(TpmQuote(message=message, signature=(folder / row["sig"]).read_bytes(), pcrs=pcrs),))


def test_swtpm_quotes_verify_under_their_named_key_and_nonce(vectors: Path) -> None:
    folder = vectors / "ima" / "swtpm"
    rows = json.loads((folder / "cases.json").read_text())
    answers = 0
    for row in rows:
        evidence = swtpm(vectors, row)
        collateral = recognise.collateral_for(evidence, [(folder / row["ak"]).read_bytes()])
        assert isinstance(collateral, TpmCollateral)
        want = preset("baseline", evidence)
        assert isinstance(want, TpmExpect)
        named = frozenset({case.fingerprint(collateral.keys[0])})
        want = replace(
            want,
            attestation_keys=named,
            bindings=frozenset({"named"}),
            nonce=bytes.fromhex(row["nonce_hex"]),
        )
        first = appraise(evidence, collateral, want, at=AT).first_failure
        expected = None if row["nonce_hex"] == row["attest"]["extra"] else "vtpm.nonce"
        assert (first.check if first else None) == expected, row["case"]
        answers += expected is None
        other = replace(want, attestation_keys=frozenset({bytes(32)}))
        refused = appraise(evidence, collateral, other, at=AT).first_failure
        assert refused is not None
        assert refused.check == "vtpm.ak.named"
    assert 0 < answers < len(rows)


def test_trustees_tpm_evidence_verifies_under_its_key(vectors: Path) -> None:
    path = vectors / "ima" / "trustee-tpm_evidence.json"
    key = base64.b64decode(json.loads(path.read_text())["ak_public"])
    assert judged(path).undecided
    named = judged(path, attestation_keys=frozenset({case.fingerprint(key)}), bindings=frozenset({"named"}))
    assert named.accepted


def test_what_belongs_to_evidence_is_named_when_it_stands_alone(vectors: Path) -> None:
    for path in ("tpm_eventlog/go-tpm-tools/debian-10.bin", "tdx_ccel/dstack/ccel.bin"):
        with pytest.raises(UsageError, match="event log alone") as told:
            recognise.evidence_from((vectors / "evidence" / path).read_bytes())
        assert "--log" in str(told.value.hint)
    with pytest.raises(UsageError, match="TPMS_ATTEST alone"):
        recognise.evidence_from((vectors / "evidence/azure_snp_vtpm/trustee/tpm-quote.msg").read_bytes())


def test_a_changed_byte_is_never_accepted(vectors: Path) -> None:
    """Google's message, every 97th byte; Azure's in the report of the paravisor, every 11th of what is signed."""
    raw = (vectors / "evidence" / "tpm_quote" / "gce-cos-85-nonce9009.pb").read_bytes()
    evidence = recognise.evidence_from(raw)
    assert isinstance(evidence, TpmEvidence)
    accepted = []
    for at in range(0, len(raw), 97):
        changed = bytearray(raw)
        changed[at] ^= 1
        try:
            verdict = verify(bytes(changed), collateral=(), expect="baseline", at=AT)
        except FormatError:
            continue
        if verdict.accepted:
            accepted.append(at)
    # Only the log holds bytes that nothing vouches for: digests of banks are, data of some types is not.
    start = raw.index(evidence.event_logs[0])
    assert all(start <= at < start + len(evidence.event_logs[0]) for at in accepted)

    azure = recognise.evidence_from((vectors / "evidence/azure_snp_vtpm/trustee/evidence-v1.json").read_bytes())
    assert isinstance(azure, TpmEvidence)
    report = HclReport.decode(azure.hcl_report)
    signed = [*range(32, 32 + 0x2A0, 11), *range(1236, 1236 + len(report.runtime_data), 11)]
    for at in signed:
        hcl = bytearray(azure.hcl_report)
        hcl[at] ^= 1
        try:
            assert not verify(replace(azure, hcl_report=bytes(hcl)), collateral=(), expect="baseline", at=AT).accepted
        except FormatError:
            continue


def test_every_bit_of_a_quote_and_its_signature_counts(vectors: Path) -> None:
    evidence = recognise.evidence_from((vectors / "evidence/tpm_quote/gce-cos-85-nonce9009.pb").read_bytes())
    assert isinstance(evidence, TpmEvidence)
    quote = evidence.quotes[1]
    key = keys.from_tpm(Public.decode(evidence.attestation_key))
    made = Signature.decode(quote.signature)
    assert keys.signed_quote(key, made, quote.message)
    for bit in range(8 * len(quote.message)):
        message = bytearray(quote.message)
        message[bit // 8] ^= 1 << bit % 8
        assert not keys.signed_quote(key, made, bytes(message))
    for bit in range(0, 8 * 256, 3):
        number = bytearray(made.numbers[0])
        number[bit // 8] ^= 1 << bit % 8
        assert not keys.signed_quote(key, replace(made, numbers=(bytes(number),)), quote.message)


def test_the_manifest_has_no_evidence_of_this_kind_that_is_not_looked_at(vectors: Path) -> None:
    with (vectors / "evidence" / "MANIFEST.tsv").open() as source:
        names = {row["file"] for row in csv.DictReader(source, delimiter="\t")}
    mine = {name for name in names if name.startswith(("azure_", "tpm_quote/gce")) and name.endswith((".json", ".pb"))}
    for name in mine:
        assert isinstance(recognise.evidence_from((vectors / "evidence" / name).read_bytes()), TpmEvidence)
    assert BANKS["sha256"] == 11
