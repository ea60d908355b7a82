"""SPDM conversations: each check can fail alone and first, the recorded ones judged right, no byte can change."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509 import ReasonFlags
from cryptography.x509.ocsp import OCSPCertStatus
from hypothesis import given
from hypothesis import strategies as st

from tests.forge_nvidia import NONCE, NOW, answer, certificate
from tests.forge_spdm import BLOCKS, CODE, LEAF, NAME, ROOT, ForgedSpdm, mode
from warily.core.appraisal import Appraisal
from warily.core.collateral import SpdmCollateral
from warily.core.evidence import SpdmEvidence
from warily.core.finding import Outcome
from warily.errors import FormatError
from warily.formats.spdm import split_certificates
from warily.formats.spdm_transcript import Transcript
from warily.verify import appraise, kinds, recognise
from warily.verify.expectation import read_expectation
from warily.verify.policy import check_policy, write_policy
from warily.verify.spdm import checks
from warily.verify.spdm.presets import BASELINE, GENUINE


def judge(case: ForgedSpdm) -> Appraisal:
    return appraise(case.evidence, case.collateral, case.expectation, at=NOW)


def wanting(**fields: Any) -> ForgedSpdm:  # noqa: ANN401  # any field
    return ForgedSpdm(expect=replace(BASELINE, **fields))


REVOKED = answer(LEAF, ROOT, status=OCSPCertStatus.REVOKED, reason=ReasonFlags.key_compromise)
FIRST_FAILURES: dict[str, ForgedSpdm] = {
    "spdm.version": ForgedSpdm(offered=(0x10, 0x11)),
    "spdm.chain.leaf": ForgedSpdm(chain=(ROOT, replace(LEAF, may_sign=False))),
    "spdm.chain.digest": ForgedSpdm(digest=bytes(48)[:47] + b"\x01"),
    "spdm.chain.links": ForgedSpdm(chain=(ROOT, replace(LEAF, signer="mallory"))),
    "spdm.chain.dates": ForgedSpdm(chain=(ROOT, replace(LEAF, days=(-30, -1)))),
    "spdm.chain.revoked": ForgedSpdm(collateral=SpdmCollateral(answers=(REVOKED,))),
    "spdm.signature": ForgedSpdm(key="mallory"),
    "spdm.slot": ForgedSpdm(answered_slot=3),
    "spdm.chain.root": ForgedSpdm(trusted=(LEAF,)),
    "spdm.device-mode": ForgedSpdm(blocks=mode(2)),
    "spdm.nonce": wanting(nonce=bytes(32)),
    "spdm.name": wanting(names=frozenset({"ACME:NIC:0002"})),
    "spdm.measurements": wanting(measurements={1: frozenset({bytes(48)})}),
    "spdm.svn": wanting(svn=8),
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


@pytest.mark.parametrize("version", [0x11, 0x12, 0x13])
def test_every_version_is_signed_in_its_own_way(version: int) -> None:
    case = ForgedSpdm(version=version)
    appraisal = judge(case)
    assert appraisal.accepted, appraisal.first_failure
    assert appraisal.rehearsal
    assert (appraisal.claims["device"], appraisal.claims["nonce"]) == (NAME, NONCE.hex())
    named = replace(case.expectation, rehearsal_roots=frozenset(), authorities=case.expectation.rehearsal_roots)
    assert not appraise(case.evidence, SpdmCollateral(), named, at=NOW).rehearsal


def test_what_was_wanted_and_is_there_passes() -> None:
    wanted = replace(
        BASELINE, nonce=NONCE, names=frozenset({NAME}), measurements={1: frozenset({CODE, bytes(48)})}, svn=7
    )
    assert judge(ForgedSpdm(expect=wanted)).accepted
    wrongs: tuple[dict[int, frozenset[bytes]], ...] = ({9: frozenset({CODE})}, {1: frozenset()})
    for wrong in wrongs:
        assert judge(wanting(measurements=wrong)).outcome_of("spdm.measurements") is Outcome.FAIL
    assert judge(ForgedSpdm(blocks=BLOCKS[:1], expect=replace(BASELINE, svn=1))).outcome_of("spdm.svn") is Outcome.FAIL


def test_debugging_and_zeros() -> None:
    zero = (replace(BLOCKS[0], value=bytes(48)), *BLOCKS[1:])
    assert judge(ForgedSpdm(blocks=zero)).outcome_of("spdm.device-mode") is Outcome.FAIL
    assert judge(ForgedSpdm(blocks=BLOCKS[:2])).outcome_of("spdm.device-mode") is Outcome.WAIVED
    odd = (*BLOCKS[:2], replace(BLOCKS[2], value=b"\x01"))
    assert judge(ForgedSpdm(blocks=odd)).outcome_of("spdm.device-mode") is Outcome.FAIL
    assert judge(ForgedSpdm(blocks=mode(4), expect=replace(BASELINE, debug=True))).accepted


def test_a_conversation_without_its_chain() -> None:
    case = ForgedSpdm(with_chain=False)
    assert judge(case).undecided
    beside = replace(case, collateral=SpdmCollateral(certificates=(certificate(LEAF), certificate(ROOT))))
    assert judge(beside).accepted


def test_nobodys_root_is_trusted_by_itself() -> None:
    appraisal = judge(ForgedSpdm(trusted=()))
    assert appraisal.undecided
    assert appraisal.first_failure is not None
    assert appraisal.first_failure.check == "spdm.chain.root"
    assert hashlib.sha256(certificate(ROOT)).hexdigest() in appraisal.first_failure.hint


def test_a_root_that_is_not_the_one_announced() -> None:
    assert judge(ForgedSpdm(root_hash=b"\x01" * 48)).outcome_of("spdm.chain.digest") is Outcome.FAIL


def test_the_expectation_that_evidence_suggests_accepts_it_and_names_its_root() -> None:
    case = ForgedSpdm()
    text = write_policy(case.evidence, SpdmCollateral(), rehearsal_roots=frozenset(), at=NOW).encode()
    want = read_expectation(text)
    appraisal = appraise(case.evidence, SpdmCollateral(), want, at=NOW)
    assert appraisal.accepted, appraisal.first_failure
    assert not appraisal.rehearsal
    assert not [note for note in check_policy(text) if note.level.value == "danger"]
    other = ForgedSpdm(blocks=(replace(BLOCKS[0], value=bytes([1]) * 48), *BLOCKS[1:]))
    assert appraise(other.evidence, SpdmCollateral(), want, at=NOW).outcome_of("spdm.measurements") is Outcome.FAIL


TRANSCRIPT = ForgedSpdm().evidence.transcript


@pytest.mark.parametrize(
    "data",
    [
        b"",
        TRANSCRIPT[:-1],
        TRANSCRIPT + b"\x00",
        TRANSCRIPT[:9],
        TRANSCRIPT + b"\x00\x04\x00\x00\x00\x12\x81\x00\x00",
        b"\x01" + TRANSCRIPT[1:],
        TRANSCRIPT.replace(b"\x12\x63", b"\x13\x63"),
    ],
)
def test_malformed_conversations(data: bytes) -> None:
    with pytest.raises(FormatError):
        Transcript.decode(data)


@given(st.one_of(st.binary(max_size=300), st.binary(max_size=60).map(lambda tail: TRANSCRIPT[:-60] + tail)))
def test_arbitrary_bytes(data: bytes) -> None:
    try:
        Transcript.decode(data)
    except FormatError:
        return


@given(st.integers(0, len(TRANSCRIPT) - 1), st.integers(1, 255))
def test_no_byte_that_says_something_can_change(at: int, flip: int) -> None:
    changed = bytearray(TRANSCRIPT)
    changed[at] ^= flip
    case = ForgedSpdm()
    try:
        appraisal = appraise(SpdmEvidence(transcript=bytes(changed)), SpdmCollateral(), case.expectation, at=NOW)
    except FormatError:
        return
    if appraisal.accepted:  # what is not signed, and says nothing: requests for digests and certificates
        assert Transcript.decode(bytes(changed)).measured == Transcript.decode(TRANSCRIPT).measured
        assert appraisal.claims == judge(case).claims


# ---- recorded conversations

AT = datetime(2026, 8, 1, tzinfo=UTC)
RECORDED = {
    "spdm12-ok": None,
    "spdm12-debug-mode": "spdm.device-mode",
    "spdm12-tampered-value": "spdm.signature",
    "spdm12-tampered-sig": "spdm.signature",
}


def recorded(vectors: Path, stem: str) -> SpdmEvidence:
    evidence = recognise.evidence_from((vectors / "spdm" / "own-transcripts" / f"{stem}.bin").read_bytes())
    assert isinstance(evidence, SpdmEvidence)
    return evidence


@pytest.mark.parametrize("stem", RECORDED)
def test_recorded(vectors: Path, stem: str) -> None:
    evidence = recorded(vectors, stem)
    root = split_certificates(Transcript.decode(evidence.transcript).chains[0][4 + 48 :])[0]
    trusting = replace(BASELINE, authorities=frozenset({hashlib.sha256(root).digest()}))
    appraisal = appraise(evidence, SpdmCollateral(), trusting, at=AT)
    assert (appraisal.first_failure.check if appraisal.first_failure else None) == RECORDED[stem]
    assert appraise(evidence, SpdmCollateral(), GENUINE, at=AT).undecided is (RECORDED[stem] != "spdm.signature")


def test_every_sample_chain_is_read_and_its_links_hold(vectors: Path) -> None:
    folder = vectors / "spdm" / "libspdm" / "sample_key"
    for kind in ("ecp256", "ecp384", "rsa3072"):
        for path in sorted((folder / kind).glob("bundle_*.certchain*.der")):
            ders = split_certificates(path.read_bytes())
            assert recognise.recognise(path.read_bytes()) is kinds.Kind.CERTIFICATES
            assert len(ders) in (3, 4), path.name


def test_no_seed_makes_a_parser_crash(vectors: Path) -> None:
    from warily.verify.inspect import inspect

    seeds = sorted((vectors / "spdm" / "libspdm" / "seeds").rglob("*.raw"))
    assert len(seeds) > 40
    for seed in seeds:
        for shape in (seed.read_bytes(), seed.read_bytes()[4:]):
            try:
                inspect(shape)
            except FormatError:
                continue
