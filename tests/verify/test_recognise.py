"""Kinds are told by content; evidence and collateral come out of each of them."""

import base64
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.forge import REPORT, ark, ask, crl, leaf, signed
from warily.core.evidence import SnpEvidence
from warily.errors import FormatError
from warily.formats import cmw, pem, snp_certs, tsm_report
from warily.formats._json import canonical
from warily.formats.snp_guest_message import ReportAnswer
from warily.formats.tsm_report import TsmReport
from warily.verify.kinds import COLLATERAL, EVIDENCE, Kind
from warily.verify.recognise import collateral_from, evidence_from, recognise

RAW = signed(REPORT)
TABLE = snp_certs.encode_table(
    [(snp_certs.VCEK, leaf()), (snp_certs.ASK, ask()), (snp_certs.ARK, ark()), (snp_certs.CRL, crl())]
)
TSM = TsmReport(provider=tsm_report.SEV_GUEST, outblob=RAW, auxblob=TABLE).encode()
RECORD = cmw.encode({"hw": cmw.Record(media_type=tsm_report.MEDIA_TYPE, value=TSM)})
BUNDLE = "".join(pem.encode_block(pem.Block(label=pem.CERTIFICATE, der=der)) for der in (ask(), ark())).encode()

FILES = {
    "raw": (RAW, Kind.REPORT),
    "hex": (RAW.hex().encode(), Kind.WRAPPED_EVIDENCE),
    "hex in lines": ("\n".join(RAW.hex()[at : at + 32] for at in range(0, 2368, 32)).encode(), Kind.WRAPPED_EVIDENCE),
    "response": (ReportAnswer(status=0, report=RAW, certificates=TABLE).encode(), Kind.RESPONSE),
    "tsm": (TSM, Kind.TSM_REPORT),
    "collection": (canonical(RECORD), Kind.COLLECTION),
    "request": (canonical({"nonce": "x", "evidence": RECORD}), Kind.COLLECTION),
    "bundle": (BUNDLE, Kind.PEM),
    "certificate": (leaf(), Kind.CERTIFICATE),
    "crl": (crl(1), Kind.CRL),
    "empty crl": (crl(), Kind.CRL),
    "table": (TABLE, Kind.CERTIFICATE_TABLE),
    "nothing": (b"", Kind.UNKNOWN),
    "text": (b"hello", Kind.UNKNOWN),
    "json": (b'{"a": 1}', Kind.UNKNOWN),
    "broken json": (b"{", Kind.UNKNOWN),
    "short": (RAW[:-1], Kind.UNKNOWN),
    "long": (RAW + bytes(32), Kind.UNKNOWN),
    "der": (b"\x30\x00", Kind.UNKNOWN),
}


@pytest.mark.parametrize("name", FILES)
def test_kinds(name: str) -> None:
    data, kind = FILES[name]
    assert recognise(data) is kind


@pytest.mark.parametrize("name", [name for name, (_, kind) in FILES.items() if kind in EVIDENCE])
def test_evidence_comes_out(name: str) -> None:
    data, kind = FILES[name]
    evidence = evidence_from(data)
    assert isinstance(evidence, SnpEvidence)
    assert evidence.report == RAW
    assert evidence.certificates == (() if kind in (Kind.REPORT, Kind.WRAPPED_EVIDENCE) else (leaf(), ask(), ark()))


def test_all_collateral_comes_out() -> None:
    offered = collateral_from([BUNDLE, leaf(), crl(1), TABLE])
    assert set(offered.certificates) == {leaf(), ask(), ark()}
    assert len(offered.crls) == 2


@pytest.mark.parametrize("name", [name for name, (_, kind) in FILES.items() if kind not in EVIDENCE])
def test_the_rest_is_no_evidence(name: str) -> None:
    with pytest.raises(FormatError):
        evidence_from(FILES[name][0])


@pytest.mark.parametrize("name", [name for name, (_, kind) in FILES.items() if kind not in COLLATERAL])
def test_the_rest_is_no_collateral(name: str) -> None:
    with pytest.raises(FormatError):
        collateral_from([FILES[name][0]])


def test_a_table_may_hold_pem() -> None:
    table = snp_certs.encode_table([(snp_certs.ASK, BUNDLE)])
    assert collateral_from([table]).certificates == (ask(), ark())


def test_a_collection_without_a_report_is_refused() -> None:
    with pytest.raises(FormatError, match="hw"):
        evidence_from(canonical(cmw.encode({"hw": cmw.Record(media_type="text/plain", value=b"")})))


@given(
    st.one_of(
        st.binary(max_size=2048), st.text(max_size=512).map(str.encode), st.binary(max_size=512).map(base64.b64encode)
    )
)
def test_arbitrary_bytes_raise_nothing_else(data: bytes) -> None:
    recognise(data)
    with suppress(FormatError):
        evidence_from(data)
    with suppress(FormatError):
        collateral_from([data])
