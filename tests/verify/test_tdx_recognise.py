"""Quotes and Intel's collateral are told by content, and come out of every form they are handed around in."""

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import forge, forge_tdx
from tests.forge_tdx import CHAIN, NOW, PCK_CRL, ROOT_CRL, SIGNING_PLAN, Forged, certificate, chain_text
from warily.core.collateral import SnpCollateral, TdxCollateral
from warily.core.evidence import SnpEvidence, TdxEvidence
from warily.errors import FormatError
from warily.formats import tsm_report
from warily.formats.tsm_report import TsmReport
from warily.verify import appraise
from warily.verify.kinds import COLLATERAL, EVIDENCE, Kind
from warily.verify.recognise import collateral_for, evidence_from, recognise

CASE = Forged()
RAW = CASE.quote.encode()
INFO, IDENTITY = CASE.tcb_infos[0], CASE.qe_identities[0]
SIGNERS = chain_text((SIGNING_PLAN, CHAIN[-1])).decode()
BUNDLE = json.dumps(
    {
        "root_ca_crl": ROOT_CRL.hex(),
        "pck_crl": PCK_CRL.hex(),
        "tcb_info": INFO.text.decode(),
        "tcb_info_signature": INFO.signature.hex(),
        "tcb_info_issuer_chain": SIGNERS,
        "qe_identity": IDENTITY.text.decode(),
        "qe_identity_signature": IDENTITY.signature.hex(),
        "qe_identity_issuer_chain": SIGNERS,
    }
).encode()
TCB_RESPONSE = b'{"tcbInfo":' + INFO.text + b',"signature":"' + INFO.signature.hex().encode() + b'"}'
QE_RESPONSE = b'{"enclaveIdentity":' + IDENTITY.text + b',"signature":"' + IDENTITY.signature.hex().encode() + b'"}'
FILES = {
    "raw": (RAW, Kind.QUOTE),
    "hex": (RAW.hex().encode(), Kind.WRAPPED_EVIDENCE),
    "0x hex": (b"0x" + RAW.hex().upper().encode() + b"\n", Kind.WRAPPED_EVIDENCE),
    "of another version": (b"\x07\x00" + RAW[2:], Kind.QUOTE),
    "of another vendor": (RAW[:12] + bytes(16) + RAW[28:], Kind.QUOTE),
    "tsm": (TsmReport(provider=tsm_report.TDX_GUEST, outblob=RAW).encode(), Kind.TSM_REPORT),
    "bundle": (BUNDLE, Kind.INTEL_BUNDLE),
    "tcb info": (TCB_RESPONSE, Kind.INTEL_STATEMENT),
    "qe identity": (b"\n" + QE_RESPONSE, Kind.INTEL_STATEMENT),
    "crl": (PCK_CRL, Kind.CRL),
    "crl in hex": (ROOT_CRL.hex().encode(), Kind.WRAPPED_COLLATERAL),
    "certificate in hex": (certificate(SIGNING_PLAN).hex().encode(), Kind.WRAPPED_COLLATERAL),
    "nothing of both": (RAW[:12] + bytes(4), Kind.UNKNOWN),
}


@pytest.mark.parametrize("name", FILES)
def test_kinds(name: str) -> None:
    data, kind = FILES[name]
    assert recognise(data) is kind
    assert (kind in EVIDENCE) + (kind in COLLATERAL) == (kind is not Kind.UNKNOWN)


@pytest.mark.parametrize("name", ["raw", "hex", "0x hex", "tsm"])
def test_quotes_come_out(name: str) -> None:
    assert evidence_from(FILES[name][0]) == TdxEvidence(quote=RAW)


def judged(*blobs: bytes) -> bool:
    offered = collateral_for(CASE.evidence, blobs)
    assert isinstance(offered, TdxCollateral)
    return appraise(CASE.evidence, offered, CASE.expectation, at=NOW).accepted


def test_collateral_comes_out_of_a_bundle_and_out_of_single_files() -> None:
    assert judged(BUNDLE)
    assert judged(TCB_RESPONSE, QE_RESPONSE, SIGNERS.encode(), PCK_CRL, ROOT_CRL.hex().encode())
    assert not judged(TCB_RESPONSE, QE_RESPONSE, PCK_CRL, ROOT_CRL)


def test_intel_collateral_beside_a_report_does_no_harm() -> None:
    evidence = SnpEvidence(report=forge.signed(forge.REPORT))
    offered = collateral_for(evidence, [BUNDLE, TCB_RESPONSE, forge.leaf()])
    assert offered == SnpCollateral(certificates=(forge.leaf(),))


def test_evidence_is_no_collateral() -> None:
    with pytest.raises(FormatError, match="no collateral"):
        collateral_for(CASE.evidence, [RAW])


@given(st.one_of(st.binary(max_size=512), st.text(max_size=128).map(str.encode)))
@settings(deadline=None)
def test_arbitrary_collateral_raises_nothing_else(data: bytes) -> None:
    with suppress(FormatError):
        collateral_for(CASE.evidence, [data])


@given(st.integers(0, len(BUNDLE) - 1), st.integers(0, 255))
@settings(deadline=None)
def test_changed_bundles_are_refused_or_judged(at: int, value: int) -> None:
    changed = bytearray(BUNDLE)
    changed[at] = value
    with suppress(FormatError):
        appraise(CASE.evidence, collateral_for(CASE.evidence, [bytes(changed)]), CASE.expectation, at=NOW)


@given(st.lists(st.tuples(st.integers(0, len(RAW) - 1), st.integers(0, 255)), min_size=1, max_size=4))
@settings(deadline=None)
def test_changed_quotes_are_refused_or_judged(changes: list[tuple[int, int]]) -> None:
    changed = bytearray(RAW)
    for at, value in changes:
        changed[at] = value
    with suppress(FormatError):
        appraise(TdxEvidence(quote=bytes(changed)), CASE.collateral, CASE.expectation, at=NOW)


def test_the_forges_do_not_share_a_root() -> None:
    assert forge.ark() != certificate(forge_tdx.ROOT_PLAN)
