"""Nitro documents: each check can fail alone and first, the vectors judged right, no bit can change."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.forge_nitro import HOST, LEAF, MADE, NOW, PCRS, ROOT, ZONE, ForgedNitro
from tests.verify.test_snp_vectors import rows
from warily.core.appraisal import Appraisal
from warily.core.collateral import NitroCollateral, SnpCollateral
from warily.core.evidence import NitroEvidence
from warily.core.expect import NitroExpect
from warily.core.finding import Outcome
from warily.errors import FormatError, UsageError
from warily.formats import cbor, nitro
from warily.formats.cose_sign1 import CoseSign1
from warily.verify import appraise, recognise
from warily.verify.expectation import read_expectation
from warily.verify.nitro import checks
from warily.verify.nitro.presets import BASELINE, GENUINE


def judge(case: ForgedNitro, at: datetime = NOW) -> Appraisal:
    return appraise(case.evidence, NitroCollateral(), case.expectation, at=at)


def wanting(**fields: Any) -> ForgedNitro:  # noqa: ANN401  # any field
    return ForgedNitro(expect=replace(BASELINE, **fields))


def saying(**members: Any) -> ForgedNitro:  # noqa: ANN401  # any member
    return ForgedNitro(members=members)


LATE = int((MADE + timedelta(hours=1)).timestamp() * 1000)
FIRST_FAILURES: dict[str, ForgedNitro] = {
    "nitro.algorithm": ForgedNitro(protected=cbor.encode({1: -7})),
    "nitro.chain.root": ForgedNitro(trusted=None),
    "nitro.chain.links": ForgedNitro(leaf=replace(LEAF, signer="mallory")),
    "nitro.chain.dates": ForgedNitro(leaf=replace(LEAF, days=(-0.01, 0))),
    "nitro.signature": ForgedNitro(key="mallory"),
    "nitro.timestamp": saying(timestamp=LATE),
    "nitro.debug": saying(pcrs={0: bytes(48), 1: bytes(48), 2: bytes(48), 3: b"\x01" * 48}),
    "nitro.kind": wanting(tpm=True),
    "nitro.pcrs": wanting(pcrs={0: frozenset({PCRS[0]}), 1: frozenset({bytes(48)})}),
    "nitro.nonce": wanting(nonce=b"another"),
    "nitro.user-data": wanting(user_data=b"another"),
    "nitro.public-key": wanting(public_key=b"a key"),
    "nitro.module": wanting(modules=frozenset({"i-1"})),
    "nitro.age": wanting(max_age=29),
}


def test_every_check_has_a_case_and_a_sentence() -> None:
    assert list(FIRST_FAILURES) == [check for check, _ in checks()]
    assert all(sentence.endswith(".") for _, sentence in checks())


@pytest.mark.parametrize("check", FIRST_FAILURES)
def test_check_can_be_the_first_failure(check: str) -> None:
    appraisal = judge(FIRST_FAILURES[check])
    assert not appraisal.accepted
    assert appraisal.first_failure is not None
    assert (appraisal.first_failure.check, appraisal.first_failure.outcome) == (check, Outcome.FAIL)
    assert [finding.check for finding in appraisal.findings] == [id_ for id_, _ in checks()]


def test_the_case_they_all_start_from_is_accepted_as_a_rehearsal() -> None:
    appraisal = judge(ForgedNitro())
    assert appraisal.accepted
    assert appraisal.rehearsal
    assert appraisal.claims["module_id"] == "i-0-enc0"


@pytest.mark.parametrize(
    "case",
    [
        ForgedNitro(bundle=(ROOT, replace(ZONE, ca=False, length=None), HOST)),
        ForgedNitro(bundle=(ROOT, replace(ZONE, length=0), HOST)),
        ForgedNitro(bundle=(ROOT, replace(ZONE, sha256=True), HOST)),
        ForgedNitro(bundle=(ROOT, HOST, ZONE)),
        ForgedNitro(bundle=(ROOT, replace(ZONE, signer="mallory"), HOST)),
        ForgedNitro(bundle=(ROOT, HOST)),
        ForgedNitro(leaf=replace(LEAF, issuer="zone")),
    ],
)
def test_a_chain_with_a_bad_link(case: ForgedNitro) -> None:
    assert judge(case).outcome_of("nitro.chain.links") is Outcome.FAIL


def test_a_document_of_the_future_and_an_expired_one() -> None:
    assert judge(ForgedNitro(), at=MADE - timedelta(minutes=4)).accepted
    assert judge(ForgedNitro(), at=MADE - timedelta(minutes=6)).outcome_of("nitro.timestamp") is Outcome.FAIL
    assert judge(ForgedNitro(), at=MADE + timedelta(hours=4)).outcome_of("nitro.chain.dates") is Outcome.FAIL


def test_the_algorithm_counts_only_where_it_is_protected() -> None:
    for protected in (b"", cbor.encode({}), cbor.encode({1: "ES384"})):
        assert judge(ForgedNitro(protected=protected)).outcome_of("nitro.algorithm") is Outcome.FAIL


def test_what_was_wanted_and_is_there_passes() -> None:
    wanted = replace(
        BASELINE,
        tpm=False,
        pcrs={0: frozenset({PCRS[0], bytes(48)}), 3: frozenset({bytes(48)})},
        nonce=b"nonce",
        user_data=b"user data",
        modules=frozenset({"i-0-enc0"}),
        max_age=30,
    )
    appraisal = judge(ForgedNitro(expect=wanted))
    assert appraisal.accepted, appraisal.first_failure
    assert [finding.check for finding in appraisal.findings if finding.outcome is Outcome.WAIVED] == [
        "nitro.public-key"
    ]


def test_a_missing_register_fails() -> None:
    assert judge(wanting(pcrs={9: frozenset({bytes(48)})})).outcome_of("nitro.pcrs") is Outcome.FAIL


def test_a_nitro_tpm_document_is_judged_by_the_same_code() -> None:
    case = ForgedNitro(members={"pcrs": ..., "nitrotpm_pcrs": {0: bytes(48), 4: b"\x04" * 48, 23: bytes(48)}})
    appraisal = judge(replace(case, expect=replace(BASELINE, tpm=True)))
    assert appraisal.accepted, appraisal.first_failure
    assert appraisal.platform == "AWS NitroTPM"
    assert judge(replace(case, expect=replace(BASELINE, tpm=False))).outcome_of("nitro.kind") is Outcome.FAIL


def test_another_platforms_collateral_is_misuse() -> None:
    case = ForgedNitro()
    with pytest.raises(UsageError):
        appraise(case.evidence, SnpCollateral(), case.expectation, at=NOW)


@pytest.mark.parametrize(
    "members",
    [
        {"digest": "SHA512"},
        {"module_id": ""},
        {"module_id": "a\nb"},
        {"module_id": 1},
        {"timestamp": 0},
        {"timestamp": True},
        {"timestamp": 1 << 60},
        {"pcrs": {}},
        {"pcrs": {32: bytes(48)}},
        {"pcrs": {0: bytes(47)}},
        {"pcrs": {"0": bytes(48)}},
        {"pcrs": [bytes(48)]},
        {"pcrs": ...},
        {"nitrotpm_pcrs": {0: bytes(48)}},
        {"certificate": b""},
        {"certificate": "text"},
        {"cabundle": []},
        {"cabundle": [b"x"] * 17},
        {"cabundle": ["text"]},
        {"nonce": "text"},
        {"nonce": bytes(5000)},
        {"surprise": 1},
    ],
)
def test_malformed_documents(members: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        judge(ForgedNitro(members=members))


def test_fields_may_be_absent_or_null() -> None:
    case = ForgedNitro(members={"nonce": ..., "user_data": None})
    claims = judge(case).claims
    assert (claims["nonce"], claims["user_data"]) == (None, None)


DOCUMENT = ForgedNitro().document
FORMS = {
    "bare": DOCUMENT,
    "tagged": CoseSign1.decode(DOCUMENT, what="test").encode(tagged=True),
    "base64": base64.b64encode(DOCUMENT),
    "base64 in lines": base64.encodebytes(DOCUMENT),
    "tagged in base64": base64.b64encode(b"\xd2" + DOCUMENT),
    "answer": cbor.encode({"Attestation": {"document": DOCUMENT}}),
    "dstack": b"\x00\x02" + (len(DOCUMENT) << 2 | 1).to_bytes(2, "little") + DOCUMENT + b"configuration",
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_told_by_content(form: str) -> None:
    evidence = recognise.evidence_from(FORMS[form])
    assert isinstance(evidence, NitroEvidence)
    assert appraise(evidence, NitroCollateral(), ForgedNitro().expectation, at=NOW).accepted


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x02\xff\xff" + DOCUMENT,
        b"\x00\x02\x03" + DOCUMENT,
        cbor.encode({"Error": {"module_id": 1}}),
        b"hEShATgioF!" + base64.b64encode(DOCUMENT)[11:],
        DOCUMENT + b"\x00",
    ],
)
def test_broken_forms(data: bytes) -> None:
    with pytest.raises(FormatError):
        nitro.decode_message(nitro.message_in(data))


@given(st.one_of(st.binary(max_size=300), st.binary(max_size=40).map(lambda tail: DOCUMENT[:60] + tail)))
def test_arbitrary_bytes(data: bytes) -> None:
    nitro.looks_like(data)
    try:
        nitro.decode_message(nitro.message_in(data))
    except FormatError:
        return


@given(st.integers(0, len(DOCUMENT) - 1), st.integers(0, 255))
def test_no_byte_of_a_document_can_change(at: int, byte: int) -> None:
    changed = bytearray(DOCUMENT)
    if changed[at] == byte:
        return
    changed[at] = byte
    try:
        appraisal = appraise(
            NitroEvidence(document=bytes(changed)), NitroCollateral(), ForgedNitro().expectation, at=NOW
        )
    except FormatError:
        return
    assert not appraisal.accepted


# ---- genuine documents

GOOD = "nitro/nsm-qvl/nitro_attestation.bin"
DEBUG = "nitro/debug/nitro_attestation_dbg.bin"
AT = datetime(2025, 12, 25, 13, 15, 37, tzinfo=UTC)
MALFORMED = "malformed"
NEGATIVES = {
    "genuine_cose_only": None,
    "pcr0_flip": "nitro.signature",
    "sig_flip": "nitro.signature",
    "sig_der": "nitro.signature",
    "alg_es256": "nitro.algorithm",
    "alg_unprotected": "nitro.algorithm",
    "forged_leaf": "nitro.chain.links",
    "cabundle_reversed": "nitro.chain.root",
    "trunc": MALFORMED,
    "three_elements": MALFORMED,
}


def read(vectors: Path, name: str) -> NitroEvidence:
    evidence = recognise.evidence_from((vectors / "evidence" / name).read_bytes())
    assert isinstance(evidence, NitroEvidence)
    return evidence


def test_no_negative_is_forgotten(vectors: Path) -> None:
    assert vectors.is_dir()
    named = {Path(row["file"]).stem for row in rows("MANIFEST.tsv") if row["file"].startswith("negative/nitro/")}
    assert named == set(NEGATIVES)


def test_a_genuine_document_says_what_the_manifest_says(vectors: Path) -> None:
    appraisal = appraise(read(vectors, GOOD), NitroCollateral(), BASELINE, at=AT)
    assert appraisal.accepted, appraisal.first_failure
    assert (appraisal.anchor, appraisal.rehearsal) == ("AWS Nitro Root-G1", False)
    assert appraisal.claims["pcrs"]["0"].startswith("5cb702954321826d")  # type: ignore[index]  # nested
    later = appraise(read(vectors, GOOD), NitroCollateral(), BASELINE, at=AT + timedelta(days=1))
    assert later.outcome_of("nitro.chain.dates") is Outcome.FAIL


def test_a_debug_enclave_is_genuine_and_refused(vectors: Path) -> None:
    at = AT - timedelta(hours=4)
    assert appraise(read(vectors, DEBUG), NitroCollateral(), GENUINE, at=at).accepted
    appraisal = appraise(read(vectors, DEBUG), NitroCollateral(), BASELINE, at=at)
    assert appraisal.first_failure is not None
    assert appraisal.first_failure.check == "nitro.debug"


@pytest.mark.parametrize("stem", NEGATIVES)
def test_negative(vectors: Path, stem: str) -> None:
    try:
        appraisal = appraise(read(vectors, f"negative/nitro/{stem}.cbor"), NitroCollateral(), BASELINE, at=AT)
    except FormatError:
        assert NEGATIVES[stem] == MALFORMED
        return
    assert (appraisal.first_failure.check if appraisal.first_failure else None) == NEGATIVES[stem]


def test_no_bit_of_a_genuine_document_can_change(vectors: Path) -> None:
    document = read(vectors, GOOD).document
    for at in range(0, len(document), 3):
        changed = bytearray(document)
        changed[at] ^= 1 << (at % 8)
        try:
            appraisal = appraise(NitroEvidence(document=bytes(changed)), NitroCollateral(), GENUINE, at=AT)
        except FormatError:
            continue
        assert not appraisal.accepted, hex(at)


WHOLE = f"""
[nitro]
rehearsal_roots = []
debug = false
tpm = false
pcrs = {{ 0 = ["{"10" * 48}"], 3 = ["{"00" * 48}"] }}
nonce = "6e6f6e6365"
user_data = {{ waived = "for a test" }}
public_key = {{ waived = "for a test" }}
modules = ["i-0-enc0"]
max_age = 60
"""


def test_an_expectation_file() -> None:
    want = read_expectation(WHOLE.encode())
    assert isinstance(want, NitroExpect)
    case = ForgedNitro()
    roots = case.expectation.rehearsal_roots
    assert appraise(case.evidence, NitroCollateral(), replace(want, rehearsal_roots=roots), at=NOW).accepted
    for key in ("debug", "pcrs", "nonce", "modules", "max_age"):
        kept = "\n".join(line for line in WHOLE.splitlines() if not line.startswith(f"{key} ="))
        with pytest.raises(UsageError, match=rf"nitro\.{key} is missing"):
            read_expectation(kept.encode())
        for value in ("1.5", "[[1]]", '"zz"', "{ waved = 1 }"):
            if (key, value) == ("modules", '"zz"'):
                continue
            with pytest.raises(UsageError, match=rf"nitro\.{key}"):
                read_expectation(f"{kept}\n{key} = {value}\n".encode())
