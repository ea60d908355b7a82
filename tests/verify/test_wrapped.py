"""The same report, quote and certificates, in every wrapping that people's tools put around them."""

import base64
import gzip
import json
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote as percent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import forge_tdx, forge_tpm
from tests.forge import NOW, REPORT, ark, ask, leaf, signed
from tests.forge_tdx import PCK_CRL, ROOT_CRL
from tests.verify.test_tdx_recognise import BUNDLE, QE_RESPONSE, SIGNERS, TCB_RESPONSE
from warily.core.collateral import TdxCollateral
from warily.core.evidence import NitroEvidence, SnpEvidence, TdxEvidence, TpmEvidence
from warily.errors import FormatError, UsageError
from warily.formats import pem, snp_certs
from warily.formats._json import b64url
from warily.verify import appraise, front
from warily.verify.inspect import inspect
from warily.verify.kinds import Kind
from warily.verify.recognise import collateral_for, collateral_from, evidence_from, recognise
from warily.verify.wrapped import pieces

RAW = signed(REPORT)
CASE = forge_tdx.Forged()
QUOTE = CASE.quote.encode()
LOG = forge_tpm.boot().encode()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def as_pem(*ders: bytes) -> str:
    return "".join(pem.encode_block(pem.Block(label=pem.CERTIFICATE, der=der)) for der in ders)


THIM = json.dumps({"vcekCert": as_pem(leaf()), "tcbm": "DB", "certificateChain": as_pem(ask(), ark()), "age": 1})

REPORTS = {
    "hexadecimal": RAW.hex(),
    "hexadecimal with 0x, in capitals": "0x" + RAW.hex().upper() + "\n",
    "base64": b64(RAW),
    "base64 in lines": base64.encodebytes(RAW).decode(),
    "base64url": b64url(RAW),
    "a JSON string": json.dumps(b64(RAW)),
    "base64 of gzip": b64(gzip.compress(RAW)),
    "tinfoil": json.dumps({"format": "https://tinfoil.sh/predicate/sev-snp-guest/v2", "body": b64(gzip.compress(RAW))}),
    "a list of numbers": json.dumps({"attestation_report": list(RAW), "other": [1, 2, 3]}),
    "deep inside": json.dumps({"a": [{"b": {"c": b64(json.dumps({"d": RAW.hex()}).encode())}}]}),
    "an answer of a service": "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n" + json.dumps({"report": b64(RAW)}),
}


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_comes_out_of_its_wrapping(name: str) -> None:
    data = REPORTS[name].encode()
    assert recognise(data) is Kind.WRAPPED_EVIDENCE
    assert evidence_from(data) == SnpEvidence(report=RAW)
    assert "ATTESTATION_REPORT" in json.dumps(inspect(data).as_json())


def test_gzip_alone() -> None:
    assert evidence_from(gzip.compress(RAW)) == SnpEvidence(report=RAW)


def test_certificates_in_the_same_file_come_along() -> None:
    wanted = SnpEvidence(report=RAW, certificates=(leaf(), ask(), ark()))
    table = snp_certs.encode_table([(snp_certs.VCEK, leaf()), (snp_certs.ASK, ask()), (snp_certs.ARK, ark())])
    azure = {"evidence": b64(RAW), "endorsements": b64(THIM.encode()), "uvm_endorsements": b64(b"\xd2\x84" * 40)}
    assert evidence_from(json.dumps(azure).encode()) == wanted
    assert evidence_from(RAW + table) == wanted
    assert evidence_from(json.dumps({"report": b64(RAW), "auxblob": b64(table)}).encode()) == wanted


@pytest.mark.parametrize(
    "text",
    [THIM, json.dumps(as_pem(leaf())), b64(THIM.encode()), b64(leaf()), leaf().hex(), b64(as_pem(leaf()).encode())],
)
def test_certificates_come_out_of_theirs(text: str) -> None:
    assert recognise(text.encode()) is Kind.WRAPPED_COLLATERAL
    assert leaf() in collateral_from([text.encode()]).certificates


def test_a_byte_order_mark_hides_no_certificate() -> None:
    assert collateral_from([b"\xef\xbb\xbf" + as_pem(leaf(), ask()).encode()]).certificates == (leaf(), ask())


def test_a_report_that_was_cut_is_called_so() -> None:
    for data in (RAW[:-1], RAW + bytes(24)):
        with pytest.raises(FormatError, match="begin as an SEV-SNP report does, which has exactly 1184"):
            evidence_from(data)


def test_a_report_of_a_td_alone_is_refused_in_words(vectors: Path) -> None:
    report = (vectors / "evidence/azure_tdx_vtpm/trustee/hcl-report.bin").read_bytes()[32 : 32 + 1024]
    for data in (report, b64(report).encode()):
        with pytest.raises(UsageError, match="TDREPORT"):
            evidence_from(data)


def test_a_quote_with_its_collateral_and_log_in_one_file() -> None:
    both = json.dumps({"quote": QUOTE.hex(), "collateral": json.loads(BUNDLE)}).encode()
    assert evidence_from(both) == TdxEvidence(quote=QUOTE)
    assert front.verify(both, collateral=(), expect=CASE.expectation, at=forge_tdx.NOW).accepted
    assert not front.verify(QUOTE, collateral=(), expect=CASE.expectation, at=forge_tdx.NOW).accepted
    with_log = json.dumps({"quote": b64(QUOTE), "cc_eventlog": b64(LOG)}).encode()
    assert evidence_from(with_log) == TdxEvidence(quote=QUOTE, event_logs=(LOG,))


def test_what_others_call_tcb_info_is_no_bundle() -> None:
    answer = json.dumps({"quote": QUOTE.hex(), "tcb_info": {"mrtd": "00"}, "event_log": "[]"}).encode()
    assert evidence_from(answer) == TdxEvidence(quote=QUOTE)


def test_answers_of_intels_service_with_their_header_fields() -> None:
    def answer(name: str, body: bytes) -> bytes:
        return f"HTTP/1.1 200 OK\r\n{name}: {percent(SIGNERS)}\r\n\r\n".encode() + body

    answers = [
        answer("TCB-Info-Issuer-Chain", TCB_RESPONSE),
        answer("SGX-Enclave-Identity-Issuer-Chain", QE_RESPONSE),
        answer("SGX-PCK-CRL-Issuer-Chain", PCK_CRL),
        b64(ROOT_CRL).encode(),
    ]
    offered = collateral_for(CASE.evidence, answers)
    assert isinstance(offered, TdxCollateral)
    assert appraise(CASE.evidence, offered, CASE.expectation, at=forge_tdx.NOW).accepted
    kept = json.dumps({"headers": {"Tcb-Info-Issuer-Chain": [percent(SIGNERS)]}, "body": b64(TCB_RESPONSE)})
    offered = collateral_for(CASE.evidence, [kept.encode(), *answers[1:]])
    assert isinstance(offered, TdxCollateral)
    assert appraise(CASE.evidence, offered, CASE.expectation, at=forge_tdx.NOW).accepted


def test_a_nitro_document_in_json(vectors: Path) -> None:
    document = (vectors / "evidence/negative/nitro/genuine_cose_only.cbor").read_bytes()
    for text in (b64(document), document.hex(), b64url(document)):
        assert evidence_from(json.dumps({"attestation": text}).encode()) == NitroEvidence(document=document)


def test_the_report_of_a_paravisor_alone_stays_undecided() -> None:
    case = forge_tpm.ForgedAzure()
    report = case.evidence.hcl_report
    alone = evidence_from(report)
    assert alone == TpmEvidence(quotes=(), hcl_report=report)
    appraisal = appraise(alone, case.collateral, case.expectation, at=NOW)
    assert appraisal.undecided
    assert appraisal.first_failure is not None
    assert appraisal.first_failure.check == "vtpm.signature"


def test_two_pieces_of_evidence_are_too_many() -> None:
    two = {"cpu": {"quote": b64(QUOTE)}, "other": b64(RAW)}
    with pytest.raises(UsageError, match=r"Intel quote at \.cpu\.quote, SEV-SNP report at \.other"):
        evidence_from(json.dumps(two).encode())
    assert evidence_from(json.dumps({"a": b64(RAW), "b": RAW.hex()}).encode()) == SnpEvidence(report=RAW)


def test_nesting_and_bombs_end() -> None:
    deep = RAW
    for _ in range(9):
        deep = base64.b64encode(deep)
    assert recognise(deep) is Kind.UNKNOWN
    assert recognise(gzip.compress(bytes(2 << 20))) is Kind.UNKNOWN
    assert recognise(b"[" * 100_000) is Kind.UNKNOWN
    many = json.dumps([{"a": "x" * 64}] * 20_000 + [b64(RAW)]).encode()
    assert recognise(many) is Kind.UNKNOWN
    wide = json.dumps({str(number): number for number in range(20_000)} | {"z": b64(RAW)}).encode()
    assert recognise(wide) is Kind.UNKNOWN


@given(
    st.recursive(
        st.binary(max_size=256).map(b64) | st.integers() | st.none(),
        lambda one: st.lists(one) | st.dictionaries(st.text(), one),
    )
)
def test_arbitrary_json_raises_nothing_else(value: object) -> None:
    data = json.dumps(value).encode()
    pieces(data)
    with suppress(FormatError, UsageError):
        evidence_from(data)
    with suppress(FormatError):
        inspect(data)
