"""Formats of devices: arbitrary bytes are an error or round-trip; what is declared is what is read."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.forge_nvidia import (
    DRIVER_MANIFEST,
    FWID,
    LEAF,
    MIDDLE,
    ROOT,
    VALUES,
    ForgedDevice,
    answer,
    certificate,
    composite,
    fields,
    tcb_info,
)
from tests.forge_spdm import LEAF as NAMED
from tests.forge_spdm import NAME
from warily.errors import FormatError
from warily.formats import dice, nvidia_evidence, ocsp, spdm
from warily.formats._json import JsonObject
from warily.formats.nvidia_report import Field, Mode, NvidiaReport, decode_fields, encode_fields
from warily.formats.ocsp import OcspResponse
from warily.formats.spdm import Algorithms, CertificateChain, MeasurementRequest, Measurements
from warily.formats.swid_rim import SwidRim, from_service
from warily.formats.tdisp_report import InterfaceReport
from warily.formats.x509 import Certificate, Extension

REPORT = ForgedDevice().report
RIM = DRIVER_MANIFEST.xml
ANSWER = answer(MIDDLE, ROOT)
INTERFACE = (
    bytes.fromhex("030000000000000000000000020000000010000000000000000400000000000000200000000000000010000004000100")
    + b"\x04\x00\x00\x00abcd"
)


def test_a_report_reads_back() -> None:
    report = NvidiaReport.decode(REPORT)
    assert report.signed + report.response.signature == REPORT
    assert report.response.encode() == REPORT[37:]
    assert report.measurements == VALUES
    assert (report.driver_version, report.vbios_version, report.mode) == ("550.90.07", "96.00.9F.00.01", Mode.SINGLE)
    assert encode_fields(report.fields) == report.response.opaque


@pytest.mark.parametrize(
    "data",
    [
        REPORT[:-1],
        REPORT + b"\x00",
        REPORT[37:],
        REPORT[:37],
        bytes(1 << 17),
        REPORT[:37] + b"\x11\x7f" + REPORT[39:],
    ],
)
def test_broken_reports(data: bytes) -> None:
    with pytest.raises(FormatError):
        NvidiaReport.decode(data)


@pytest.mark.parametrize(
    "opaque",
    [b"\x03", b"\x03\x00\x05\x00abc", encode_fields({3: b"a"}) * 2, encode_fields(dict.fromkeys(range(70), b""))],
)
def test_broken_fields(opaque: bytes) -> None:
    with pytest.raises(FormatError):
        decode_fields(opaque)


@pytest.mark.parametrize("version", [b"\xff\x00", b"\x00", b"a" * 41, b"a\nb"])
def test_texts_that_are_none(version: bytes) -> None:
    report = NvidiaReport.decode(ForgedDevice(opaque=fields(extra={Field.DRIVER_VERSION: version})).report)
    with pytest.raises(FormatError):
        _ = report.driver_version


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=80).map(lambda tail: REPORT[:60] + tail)))
def test_arbitrary_reports(data: bytes) -> None:
    try:
        report = NvidiaReport.decode(data)
    except FormatError:
        return
    assert report.signed + report.response.signature == data


@given(st.one_of(st.binary(max_size=120), st.binary(max_size=60).map(lambda tail: REPORT[37:90] + tail)))
def test_arbitrary_messages(data: bytes) -> None:
    for read in (MeasurementRequest.decode, Algorithms.decode, spdm.decode_versions, spdm.capability_flags):
        try:
            read(data)
        except FormatError:
            continue
    for size in (0, 64):
        try:
            found = Measurements.decode(data, signature_size=size)
        except FormatError:
            continue
        assert found.encode()[5:] == data[5:]
    try:
        assert CertificateChain.decode(data, hash_size=32).encode() == data
    except FormatError:
        return


@given(st.one_of(st.binary(max_size=120), st.binary(max_size=40).map(lambda tail: INTERFACE[:40] + tail)))
def test_arbitrary_interface_reports(data: bytes) -> None:
    try:
        assert InterfaceReport.decode(data).encode() == data
    except FormatError:
        return


def test_ranges_that_contradict() -> None:
    report = InterfaceReport.decode(INTERFACE)
    assert report.contradictions() == ()
    assert report.device_specific == b"abcd"
    empty = InterfaceReport.decode(INTERFACE[:24] + bytes(4) + INTERFACE[28:])
    assert "empty" in empty.contradictions()[0]
    high = InterfaceReport.decode(INTERFACE[:16] + b"\xff" * 8 + INTERFACE[24:])
    assert "leaves the address space" in high.contradictions()[0]


def test_a_manifest_says_what_it_covers() -> None:
    rim = SwidRim.decode(RIM)
    assert (rim.product, rim.version, sorted(rim.active)) == ("GH100", "550.90.07", [1, 2])
    assert rim.active[2].values == (bytes(48), VALUES[2])
    wrapped = JsonObject.parse(b'{"id": "x", "rim": "' + base64.b64encode(RIM) + b'"}', what="t", limit=1 << 20)
    assert from_service(wrapped) == RIM


CHANGES = {
    "another algorithm": (b"ecdsa-sha384", b"ecdsa-sha1"),
    "another digest": (b"xmldsig-more#sha384", b"xmldsig#sha1"),
    "another document": (b'URI=""', b'URI="#part"'),
    "no envelope": (b"enveloped-signature", b"base64"),
    "comments": (b"xml-c14n11", b"xml-c14n11#WithComments"),
    "two metas": (b"<n:Payload>", b'<n:Meta edition="GPU" colloquialVersion="1"/><n:Payload>'),
    "twice": (b'index="2"', b'index="1"'),
    "no number": (b'index="2"', b'index="two"'),
    "another size": (b'size="48"', b'size="47"'),
    "more alternatives": (b'alternatives="2"', b'alternatives="3"'),
    "half active": (b'active="True"', b'active="Maybe"'),
    "no product": (b'name="GH100"', b'title="GH100"'),
    "another root": (b"SoftwareIdentity", b"SoftwareEntities"),
    "no certificate": (b"X509Certificate>", b"X509Nothing>"),
    "no base64": (b"<ds:SignatureValue>", b"<ds:SignatureValue>!"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_broken_manifests(name: str) -> None:
    before, after = CHANGES[name]
    assert before in RIM
    with pytest.raises(FormatError):
        SwidRim.decode(RIM.replace(before, after))


@given(st.integers(0, len(RIM) - 1), st.integers(0, 255))
def test_arbitrary_manifests(at: int, byte: int) -> None:
    changed = bytearray(RIM)
    changed[at] = byte
    try:
        SwidRim.decode(bytes(changed))
    except FormatError:
        return


def test_an_answer_says_until_when() -> None:
    found = OcspResponse.decode(ANSWER)
    assert ocsp.looks_like(ANSWER)
    assert [status.status.value for status in found.statuses] == ["good"]
    assert found.statuses[0].serial == Certificate.decode(certificate(MIDDLE)).serial


@given(st.one_of(st.binary(max_size=100), st.tuples(st.integers(0, len(ANSWER) - 1), st.integers(0, 255))))
def test_arbitrary_answers(change: bytes | tuple[int, int]) -> None:
    data = bytearray(change if isinstance(change, bytes) else ANSWER)
    if not isinstance(change, bytes):
        data[change[0]] = change[1]
    ocsp.looks_like(bytes(data))
    try:
        OcspResponse.decode(bytes(data))
    except FormatError:
        return


def test_what_a_leaf_says_of_its_firmware() -> None:
    first = dice.firmware_of(Certificate.decode(certificate(LEAF)).extensions)
    assert first is not None
    assert (first.ids, first.flags) == (((dice.SHA384, FWID),), None)
    oid, value = tcb_info(FWID, b"\x10\x00\x00\x01")
    second = dice.firmware_of({oid: Extension(critical=False, value=value)})
    assert second is not None
    assert second.flags == frozenset({3, 31})
    assert dice.firmware_of({}) is None
    assert dice.device_names(Certificate.decode(certificate(NAMED)).extensions) == {dice.DEVICE_INFO: NAME}


@given(st.binary(max_size=60))
def test_arbitrary_extensions(value: bytes) -> None:
    for oid in (composite(FWID)[0], tcb_info(FWID, b"\x00")[0], dice.ALTERNATIVE_NAMES):
        for shape in (value, b"\x30" + bytes([len(value)]) + value):
            held = {oid: Extension(critical=False, value=shape)}
            for read in (dice.firmware_of, dice.device_names):
                try:
                    read(held)
                except FormatError:
                    continue


ENTRY = {"arch": "HOPPER", "nonce": "00" * 32, "evidence": "AAAA", "certificate": ""}


def test_an_evidence_file() -> None:
    (found,) = nvidia_evidence.decode(json.dumps([ENTRY]).encode())
    assert (found.report, found.certificates, found.nonce, found.arch) == (bytes(3), (), bytes(32), "HOPPER")
    (inner,) = nvidia_evidence.decode(
        json.dumps({"nonce": "01", "arch": "X", "evidence_list": [{"evidence": ""}]}).encode()
    )
    assert (inner.nonce, inner.arch) == (b"\x01", "X")


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "[1]",
        "[{}]",
        json.dumps([ENTRY] * 65),
        json.dumps([ENTRY | {"evidence": "!"}]),
        json.dumps([ENTRY | {"certificate": "AAAA"}]),
        json.dumps([ENTRY | {"nonce": "zz"}]),
        json.dumps([ENTRY | {"arch": 1}]),
        "[" + "[" * 100000,
    ],
)
def test_broken_evidence_files(text: str) -> None:
    with pytest.raises(FormatError):
        nvidia_evidence.decode(text.encode())
