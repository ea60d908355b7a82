"""The rehearsal processor: measures what QEMU is given, speaks the genuine formats, is believed only where named."""

import hashlib
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.launch.conftest import HOST_DATA
from warily.core import built
from warily.core.appraisal import Appraisal
from warily.core.collateral import SnpCollateral
from warily.core.evidence import SnpEvidence
from warily.core.expect import SnpExpect
from warily.core.finding import Outcome
from warily.errors import HostError, UsageError
from warily.formats import snp_certs
from warily.formats.snp_guest_message import (
    INVALID_PARAMETERS,
    PREFIX_SIZE,
    SUCCESS,
    ReportAnswer,
    ReportRequest,
    frame_length,
)
from warily.formats.snp_report import SnpReport
from warily.launch import rehearsal_sp
from warily.launch.plan import Plan
from warily.launch.rehearsal_keys import Hierarchy
from warily.launch.rehearsal_sp import Processor, fingerprint, measure
from warily.measure import rehearsal
from warily.verify import appraise
from warily.verify.snp.presets import BASELINE

AT = datetime(2026, 11, 23, tzinfo=UTC)
DATA = bytes(range(64))
REQUEST = ReportRequest(report_data=DATA, vmpl=0).pack()


def judged(answer: ReportAnswer, expect: SnpExpect) -> Appraisal:
    certificates = tuple(der for _, der in snp_certs.decode_table(answer.certificates))
    return appraise(SnpEvidence(report=answer.report, certificates=certificates), SnpCollateral(), expect, at=AT)


def wanted(plan: Plan, keys: Hierarchy) -> SnpExpect:
    return replace(
        BASELINE,
        rehearsal_roots=frozenset({fingerprint(keys.ark)}),
        measurements=frozenset({measure(plan)}),
        report_data=DATA,
        host_data=frozenset({HOST_DATA}),
        vmpls=frozenset({0}),
    )


def answered(processor: Processor, request: bytes = REQUEST) -> ReportAnswer:
    return ReportAnswer.decode(processor.answer(request))


def test_a_report_is_accepted_where_its_root_is_named(rehearsed: Plan, keys: Hierarchy) -> None:
    appraisal = judged(answered(Processor(rehearsed, keys)), wanted(rehearsed, keys))
    assert appraisal.first_failure is None
    assert appraisal.accepted
    assert appraisal.rehearsal
    assert "rehearsal" in appraisal.anchor


def test_nowhere_else(rehearsed: Plan, keys: Hierarchy) -> None:
    for roots in (frozenset[bytes](), frozenset({hashlib.sha256(b"another").digest()})):
        expect = replace(wanted(rehearsed, keys), rehearsal_roots=roots)
        appraisal = judged(answered(Processor(rehearsed, keys)), expect)
        assert not appraisal.accepted
        assert appraisal.first_failure is not None
        assert appraisal.first_failure.check == "snp.chain.root"
        assert not appraisal.rehearsal


@pytest.mark.parametrize(
    ("made", "check"),
    [
        (lambda p, k: Processor(p, k, policy=0xB0000), "snp.policy"),
        (lambda p, k: Processor(p, k, vmpl=2), "snp.vmpl"),
        (lambda p, k: Processor(p, k, host_data=bytes(32)), "snp.host-data"),
        (lambda p, k: Processor(p, k, signing_key=ec.generate_private_key(ec.SECP384R1())), "snp.signature"),
    ],
)
def test_each_false_report_fails_where_it_should(
    rehearsed: Plan, keys: Hierarchy, made: Callable[[Plan, Hierarchy], Processor], check: str
) -> None:
    appraisal = judged(answered(made(rehearsed, keys)), wanted(rehearsed, keys))
    assert appraisal.first_failure is not None
    assert (appraisal.first_failure.check, appraisal.first_failure.outcome) == (check, Outcome.FAIL)


def test_the_measurement_is_the_predicted_one(rehearsed: Plan, image: Path) -> None:
    prediction = rehearsal.predict(
        firmware=(image / built.FIRMWARE_REHEARSAL).read_bytes(),
        kernel=(image / built.KERNEL).read_bytes(),
        initrd=(image / built.INITRD).read_bytes(),
        command_line=("console=ttyS0 warily.root=" + "ab" * 32).encode(),
        vcpus=2,
        cpu="EPYC-v4",
    )
    assert measure(rehearsed) == prediction.registers["launch_digest"]


@pytest.mark.parametrize("name", [built.KERNEL, built.INITRD, built.FIRMWARE_REHEARSAL])
def test_a_changed_file_is_another_measurement(rehearsed: Plan, keys: Hierarchy, image: Path, name: str) -> None:
    before = wanted(rehearsed, keys)
    content = bytearray((image / name).read_bytes())
    content[-1] ^= 1
    (image / name).write_bytes(content)
    appraisal = judged(answered(Processor(rehearsed, keys)), before)
    assert appraisal.first_failure is not None
    assert appraisal.first_failure.check == "snp.measurement"


@pytest.mark.parametrize(("name", "value"), [("-append", "console=ttyS0"), ("-smp", "3")])
def test_a_changed_argument_is_another_measurement(rehearsed: Plan, name: str, value: str) -> None:
    """What is measured is what stands on QEMU's command line, not what the manifest says of it."""
    words = list(rehearsed.argv)
    words[words.index(name) + 1] = value
    assert measure(replace(rehearsed, argv=tuple(words))) != measure(rehearsed)


def test_what_cannot_be_measured_is_not_launched(rehearsed: Plan, keys: Hierarchy) -> None:
    with pytest.raises(UsageError, match="stands twice"):
        Processor(replace(rehearsed, argv=(*rehearsed.argv, "-kernel", "/other")), keys)
    with pytest.raises(UsageError, match="no vCPUs"):
        Processor(replace(rehearsed, argv=("qemu",)), keys)
    Path(rehearsed.reads[1]).unlink()
    with pytest.raises(HostError, match="cannot measure"):
        Processor(rehearsed, keys)
    with pytest.raises(UsageError, match="only a rehearsal"):
        Processor(replace(rehearsed, sp_socket=None), keys)


def test_the_report_says_what_the_launch_is(rehearsed: Plan, keys: Hierarchy) -> None:
    processor = Processor(rehearsed, keys)
    report = SnpReport.unpack(answered(processor).report)
    assert (report.version, report.vmpl, report.policy) == (5, 0, rehearsed.policy)
    assert (report.report_data, report.host_data, report.chip_id) == (DATA, HOST_DATA, keys.chip_id)
    again = SnpReport.unpack(answered(processor).report)
    other = SnpReport.unpack(answered(Processor(rehearsed, keys)).report)
    assert report.report_id == again.report_id != other.report_id


@pytest.mark.parametrize(
    "request_",
    [REQUEST[:95], REQUEST + b"\0", REQUEST[:-1] + b"\1", ReportRequest(report_data=DATA, vmpl=4).pack(), b""],
)
def test_a_malformed_request_gets_a_status_alone(rehearsed: Plan, keys: Hierarchy, request_: bytes) -> None:
    answer = answered(Processor(rehearsed, keys), request_)
    assert answer == ReportAnswer(status=INVALID_PARAMETERS)


def receive(guest: socket.socket) -> ReportAnswer:
    length = frame_length(guest.recv(PREFIX_SIZE, socket.MSG_WAITALL))
    return ReportAnswer.decode(guest.recv(length, socket.MSG_WAITALL))


def connected(plan: Plan) -> socket.socket:
    guest = socket.socket(socket.AF_UNIX)
    guest.settimeout(10)
    assert plan.sp_socket is not None
    guest.connect(plan.sp_socket)
    return guest


def test_it_answers_over_its_socket(rehearsed: Plan, keys: Hierarchy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal_sp, "PARTIAL_SECONDS", 0.2)
    with Processor(rehearsed, keys):
        with connected(rehearsed) as guest:
            guest.sendall(REQUEST[:50])
            guest.sendall(REQUEST[50:])
            assert judged(receive(guest), wanted(rehearsed, keys)).accepted
            guest.sendall(REQUEST * 3)  # three at once are answered one after another
            assert [receive(guest).status for _ in range(3)] == [SUCCESS] * 3
            guest.sendall(REQUEST[:95])  # stuck half-way: dropped, and the next one is heard whole
            assert receive(guest).status == INVALID_PARAMETERS
            guest.sendall(REQUEST)
            assert receive(guest).status == SUCCESS
        with connected(rehearsed) as guest:  # QEMU was started again
            guest.sendall(REQUEST)
            assert receive(guest).status == SUCCESS
    assert rehearsed.sp_socket is not None
    assert not Path(rehearsed.sp_socket).exists()


def test_it_stops_while_a_guest_is_connected(rehearsed: Plan, keys: Hierarchy) -> None:
    with Processor(rehearsed, keys):
        guest = connected(rehearsed)
        guest.sendall(REQUEST)
        assert receive(guest).status == SUCCESS
    with guest:
        assert guest.recv(1) == b""


def test_a_socket_that_cannot_be_made_is_named(rehearsed: Plan, keys: Hierarchy) -> None:
    processor = Processor(replace(rehearsed, sp_socket="/nowhere/sp.sock"), keys)
    with pytest.raises(HostError, match="cannot listen at /nowhere"), processor:
        pytest.fail("it listens")
