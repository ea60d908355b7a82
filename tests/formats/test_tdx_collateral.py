"""TCB info, QE identity, responses and bundles: exact texts, strict values, nothing else raised."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.forge_tdx import PCK_CRL, ROOT_CRL, chain_text, qe_identity, tcb_info
from tests.forge_tdx import PLATFORM_PLAN as AUTHORITY
from warily.errors import FormatError
from warily.formats import pem
from warily.formats.intel_collateral import Bundle, QeIdentity, TcbInfo, decode_response

INFO = json.dumps(tcb_info())
IDENTITY = json.dumps(qe_identity())
SIGNATURE = "ab" * 64
CHAIN = chain_text((AUTHORITY,)).decode()
WHOLE: dict[str, Any] = {
    "pck_crl_issuer_chain": CHAIN,
    "root_ca_crl": ROOT_CRL.hex(),
    "pck_crl": PCK_CRL.hex().upper(),
    "tcb_info_issuer_chain": CHAIN,
    "tcb_info": INFO,
    "tcb_info_signature": SIGNATURE,
    "qe_identity_issuer_chain": CHAIN,
    "qe_identity": IDENTITY,
    "qe_identity_signature": SIGNATURE,
    "unknown": [1, {"a": None}],
}


def bundle(**changes: Any) -> bytes:  # noqa: ANN401  # any JSON
    return json.dumps(WHOLE | changes).encode()


def test_a_whole_bundle() -> None:
    found = Bundle.decode(bundle())
    assert found.root_crl == ROOT_CRL
    assert found.pck_crl == PCK_CRL
    assert found.tcb_info is not None
    assert found.tcb_info.text == INFO.encode()
    assert found.tcb_info.signature == b"\xab" * 64
    assert len(found.tcb_info.chain) == len(found.certificates) == 1


@pytest.mark.parametrize("space", ["", " ", "\n\t "])
def test_a_signed_value_is_the_exact_text(space: str) -> None:
    exact = "{" + space + '"b":1.50,"a":"\\u00e9"' + space + "}"
    text = f'{{{space}"tcbInfo"{space}:{space}{exact}{space},"signature":"{SIGNATURE}"}}{space}'
    kind, statement = decode_response(text.encode())
    assert (kind, statement.text) == ("tcbInfo", exact.encode())
    nested = f'{{"tcb_info":{text},"tcb_info_signature":""}}'
    for form in (nested, json.dumps({"tcb_info": text}), json.dumps({"tcb_info": exact, **signed()})):
        found = Bundle.decode(form.encode()).tcb_info
        assert found is not None
        assert found.text == exact.encode()


def signed() -> dict[str, str]:
    return {"tcb_info_signature": SIGNATURE}


def test_what_a_bundle_lacks_is_none() -> None:
    found = Bundle.decode(b'{"qe_identity": null}')
    assert (found.tcb_info, found.qe_identity, found.root_crl, found.pck_crl) == (None,) * 4


def test_lists_may_be_pem() -> None:
    text = pem.encode_block(pem.Block(label=pem.CRL, der=ROOT_CRL))
    assert Bundle.decode(bundle(root_ca_crl=text)).root_crl == ROOT_CRL


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"root_ca_crl": ""}, "root_ca_crl holds no revocation list"),
        ({"root_ca_crl": "zz"}, "root_ca_crl is not hexadecimal"),
        ({"root_ca_crl": CHAIN}, "root_ca_crl holds no revocation list"),
        ({"pck_crl": 7}, "pck_crl is not text"),
        ({"tcb_info_signature": "ab"}, "64 bytes"),
        ({"tcb_info": 'x"tcbInfo"'}, "tcb_info: not a JSON object"),
        ({"tcb_info": "\ud800"}, "not ASCII"),
        ({"qe_identity_issuer_chain": "-----BEGIN CERTIFICATE-----"}, "PEM"),
    ],
    ids=lambda value: str(value)[:40],  # the certificate is another one each time, and names must not be
)
def test_what_is_wrong_with_a_bundle_is_said(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(FormatError, match=says):
        Bundle.decode(bundle(**changes))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"a"}', '{"a":1,}', '{"a":1}{', '{"a":1,"a":2}', "{1:2}", '{"a":', "[" * 99999, '{"a":tru}'],
)
def test_what_is_not_one_object_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        decode_response(text.encode())
    with pytest.raises(FormatError):
        Bundle.decode(text.encode())


def test_a_response_holds_one_of_two() -> None:
    with pytest.raises(FormatError, match="neither"):
        decode_response(b'{"other": {}, "signature": ""}')
    with pytest.raises(FormatError, match="UTF-8"):
        decode_response(b"\xff")
    with pytest.raises(FormatError, match="limit"):
        decode_response(b" " * ((4 << 20) + 1))


def test_tcb_info_is_read() -> None:
    found = TcbInfo.decode(INFO.encode())
    assert (found.id, found.evaluation, found.pceid) == ("TDX", 18, bytes(2))
    assert found.levels[0].tdx[:3] == (5, 0, 3)
    assert found.modules[0].id == "TDX_01"
    assert [one.isvsvn for one in found.modules[0].levels] == [5, 2]
    sgx = TcbInfo.decode(json.dumps(tcb_info(id="SGX")).encode())
    assert sgx.module is None
    assert sgx.levels[0].tdx == ()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"version": 2}, "version"),
        ({"fmspc": "00"}, "fmspc"),
        ({"fmspc": "0x0000000000"}, "fmspc"),
        ({"pceId": "00 0"}, "pceId"),
        ({"issueDate": "2025-01-01"}, "issueDate"),
        ({"nextUpdate": "2025-13-01T00:00:00Z"}, "nextUpdate"),
        ({"tcbLevels": []}, "no levels"),
        ({"tcbLevels": [1]}, "not an object"),
        ({"tcbLevels": [{}]}, "tcb is missing"),
        ({"tcbEvaluationDataNumber": "1"}, "integer"),
        ({"tdxModule": None}, "tdxModule"),
        ({"tdxModuleIdentities": [{"id": "TDX_01"}]}, "missing"),
    ],
    ids=str,
)
def test_what_is_wrong_with_tcb_info_is_said(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(FormatError, match=says):
        TcbInfo.decode(json.dumps(tcb_info(**changes)).encode())


@pytest.mark.parametrize(
    "changes",
    [{"version": 1}, {"mrsigner": "00"}, {"tcbLevels": []}, {"isvprodid": -1}, {"attributes": 1}],
    ids=str,
)
def test_what_is_wrong_with_qe_identity_is_said(changes: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        QeIdentity.decode(json.dumps(qe_identity(**changes)).encode())


def test_names_of_advisories_are_plain() -> None:
    levels = tcb_info()["tcbLevels"]
    for name in ("a\nb", "", "x" * 33):
        levels[0]["advisoryIDs"] = [name]
        with pytest.raises(FormatError, match="advisory"):
            TcbInfo.decode(json.dumps(tcb_info(tcbLevels=levels)).encode())


@given(st.sampled_from([INFO, IDENTITY, bundle().decode()]), st.integers(0, 9000), st.text(max_size=4))
@settings(deadline=None)
def test_changed_texts_raise_nothing_else(text: str, at: int, put: str) -> None:
    at %= len(text)
    data = (text[:at] + put + text[at + len(put) :]).encode("utf-8", "surrogatepass")
    for read in (TcbInfo.decode, QeIdentity.decode, Bundle.decode, decode_response):
        with suppress(FormatError):
            read(data)


@given(st.one_of(st.binary(max_size=256), st.text(max_size=128).map(str.encode)))
@settings(deadline=None)
def test_arbitrary_bytes_raise_nothing_else(data: bytes) -> None:
    for read in (TcbInfo.decode, QeIdentity.decode, Bundle.decode, decode_response):
        with suppress(FormatError):
            read(data)
