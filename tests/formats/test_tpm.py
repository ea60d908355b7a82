"""TPM structures come back as they were, or are refused; so do the containers that quotes travel in."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.forge_tpm import QuotePlan, public
from warily.errors import FormatError
from warily.formats.go_tpm_attestation import GoAttestation
from warily.formats.tpm import Algorithm, Attest, Attribute, Public, Selection, Signature, is_attest
from warily.formats.vtpm_evidence import VtpmEvidence, looks_like

QUOTE = QuotePlan().make()
ATTEST, SIGNATURE, PUBLIC = QUOTE.message, QUOTE.signature, public("ak")
DECODERS: dict[str, tuple[Callable[[bytes], Attest | Signature | Public], bytes]] = {
    "attest": (Attest.decode, ATTEST),
    "signature": (Signature.decode, SIGNATURE),
    "ecdsa": (Signature.decode, QuotePlan(ak="ec").make().signature),
    "public": (Public.decode, PUBLIC),
    "ecc": (Public.decode, public("ec")),
}


@pytest.mark.parametrize("name", DECODERS)
def test_genuine_structures_come_back(name: str) -> None:
    decode, data = DECODERS[name]
    assert decode(data).encode() == data


@pytest.mark.parametrize("name", DECODERS)
@given(data=st.data())
def test_any_bytes_are_refused_or_come_back(name: str, data: st.DataObject) -> None:
    decode, good = DECODERS[name]
    cut = data.draw(st.integers(0, len(good)))
    blob = good[:cut] + data.draw(st.binary(max_size=80))
    try:
        made = decode(blob)
    except FormatError:
        return
    assert made.encode() in (blob, blob[2:])  # a TPM2B_PUBLIC has its length before it


@pytest.mark.parametrize("name", DECODERS)
def test_nothing_may_follow_or_be_cut_off(name: str) -> None:
    decode, good = DECODERS[name]
    for bad in (good + b"\x00", good[:-1], b""):
        with pytest.raises(FormatError):
            decode(bad)


def test_a_quote_says_what_it_says() -> None:
    made = Attest.decode(ATTEST)
    assert made.extra_data == b"a nonce of ours"
    assert made.safe
    assert made.selections == (Selection(bank=Algorithm.SHA256, width=3, pcrs=tuple(range(10))),)
    assert is_attest(ATTEST)
    assert not is_attest(b"\xffTCH")


def test_other_attestations_are_refused() -> None:
    for bad in (b"\xffTCG\x80\x17" + ATTEST[6:], b"\xfeTCG" + ATTEST[4:]):
        with pytest.raises(FormatError, match="not those of a quote"):
            Attest.decode(bad)


def test_a_bank_stands_once_and_safe_is_a_truth_value() -> None:
    twice = Attest.decode(ATTEST).selections * 2
    head = ATTEST.index(b"\x00\x00\x00\x01\x00\x0b\x03")
    many = b"".join(b"\x00\x0b\x03\xff\x03\x00" for _ in twice)
    with pytest.raises(FormatError, match="twice"):
        Attest.decode(ATTEST[:head] + b"\x00\x00\x00\x02" + many + ATTEST[head + 10 :])
    with pytest.raises(FormatError, match="over the limit"):
        Attest.decode(ATTEST[:head] + b"\x00\x00\x00\x11" + ATTEST[head + 4 :])
    with pytest.raises(FormatError, match="neither yes nor no"):
        Attest.decode(ATTEST[: head - 9] + b"\x02" + ATTEST[head - 8 :])


def test_keys_say_their_curve_exponent_and_attributes() -> None:
    rsa, ecc = Public.decode(PUBLIC), Public.decode(public("ec"))
    assert (rsa.type, rsa.exponent, len(rsa.unique)) == (Algorithm.RSA, 65537, 1)
    assert (ecc.type, ecc.curve, len(ecc.unique)) == (Algorithm.ECC, 3, 2)
    assert rsa.attributes & Attribute.RESTRICTED
    assert Public.decode(len(PUBLIC).to_bytes(2, "big") + PUBLIC) == rsa
    with pytest.raises(FormatError, match="neither RSA nor ECC"):
        Public.decode(b"\x00\x08" + PUBLIC[2:])


def container(**changes: object) -> bytes:
    values = ["00" * 32] * 10
    said: dict[str, object] = {"message": ATTEST.hex(), "signature": SIGNATURE.hex(), "pcrs": values}
    return json.dumps({"tpm_quote": said | changes}).encode()


def test_the_dialects_of_json_mean_the_same() -> None:
    hexadecimal = VtpmEvidence.decode(container())
    numbers = VtpmEvidence.decode(container(message=[*ATTEST], signature=[*SIGNATURE], pcrs=[[0] * 32] * 10))
    assert hexadecimal == numbers
    assert hexadecimal.message == ATTEST
    assert hexadecimal.bank == Algorithm.SHA256


def test_a_bare_signature_is_taken_as_the_paravisors() -> None:
    bare = SIGNATURE[6:]
    assert VtpmEvidence.decode(container(signature=bare.hex())).signature == SIGNATURE


@pytest.mark.parametrize(
    "changes",
    [
        {"pcrs": []},
        {"pcrs": ["00" * 32, "00" * 20]},
        {"pcrs": ["00" * 31]},
        {"pcrs": ["00" * 32] * 33},
        {"message": "§"},
        {"message": [1, 256]},
        {"message": 1},
        {"signature": "0014"},
    ],
)
def test_bad_json_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(FormatError):
        VtpmEvidence.decode(container(**changes))


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_refused_by_the_containers_or_read(data: bytes) -> None:
    for decode in (VtpmEvidence.decode, GoAttestation.decode):
        try:
            decode(data)
        except FormatError:
            continue


def field(number: int, value: bytes) -> bytes:
    size = len(value)
    head = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
    return bytes([number << 3 | 2]) + head + value


def attestation(*, twice: bool = False) -> bytes:
    entries = [field(2, b"\x08\x01" + field(2, b"\x22" * 32)), field(2, field(2, b"\x11" * 32))]
    pcrs = b"\x08\x0b" + b"".join(entries * (2 if twice else 1))
    quote = field(1, ATTEST) + field(2, SIGNATURE) + field(3, pcrs) + b"\x21" + bytes(8)
    return field(1, PUBLIC) + field(2, quote) + field(3, b"log") + field(7, b"issuer") + field(6, b"own") + b"\x48\x05"


def test_the_message_of_go_tpm_tools_is_read() -> None:
    made = GoAttestation.decode(attestation())
    assert made.attestation_key == PUBLIC
    assert made.certificates == (b"own", b"issuer")
    assert made.event_log == b"log"
    (quote,) = made.quotes
    assert (quote.message, quote.signature, quote.bank) == (ATTEST, SIGNATURE, 11)
    assert quote.registers == {0: b"\x11" * 32, 1: b"\x22" * 32}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        field(1, PUBLIC),
        attestation(twice=True),
        attestation()[:-1],
        b"\x0b",
        b"\x0a" + b"\xff" * 11,
        b"\x0a\xff\xff\xff\xff\x7f",
        b"\x08\x01" * 2000,
    ],
)
def test_bad_messages_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        GoAttestation.decode(data)


def test_kinds_of_json_are_told_by_their_members() -> None:
    assert looks_like(("tpm_quote", "ak_public"))
    assert looks_like(("message", "signature", "pcrs"))
    assert not looks_like(("quote", "collateral"))
