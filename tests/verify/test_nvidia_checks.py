"""NVIDIA devices: each check can fail alone and first, over devices and manifests that are forged for it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.x509 import ReasonFlags
from cryptography.x509.ocsp import OCSPCertStatus

from tests.forge_nvidia import (
    BLOCKS,
    DRIVER,
    DRIVER_MANIFEST,
    FWID,
    LEAF,
    MIDDLE,
    NONCE,
    NOW,
    RIM_ROOT,
    RIM_SIGNER,
    ROOT,
    VALUES,
    VBIOS,
    VBIOS_MANIFEST,
    ForgedDevice,
    ForgedManifest,
    ForgedNvidia,
    Plan,
    answer,
    fields,
    tcb_info,
)
from warily.core.appraisal import Appraisal
from warily.core.collateral import SnpCollateral
from warily.core.finding import Outcome, Waived
from warily.errors import FormatError, UsageError
from warily.formats.nvidia_report import Field, Mode, request_bytes
from warily.formats.spdm import DeviceMode, MeasurementBlock
from warily.verify import appraise
from warily.verify.ear_vector import vector_of
from warily.verify.nvidia import checks
from warily.verify.nvidia.presets import BASELINE


def judge(case: ForgedNvidia) -> Appraisal:
    return appraise(case.evidence, case.collateral, case.expectation, at=NOW)


def device(**changes: Any) -> ForgedNvidia:  # noqa: ANN401  # any field
    return ForgedNvidia(devices=(ForgedDevice(**changes),))


def wanting(**changes: Any) -> ForgedNvidia:  # noqa: ANN401  # any field
    return ForgedNvidia(expect=replace(BASELINE, **changes))


def manifests(part: str, **changes: Any) -> ForgedNvidia:  # noqa: ANN401  # any field
    driver = replace(DRIVER_MANIFEST, **changes) if part == "driver" else DRIVER_MANIFEST
    vbios = replace(VBIOS_MANIFEST, **changes) if part == "vbios" else VBIOS_MANIFEST
    return ForgedNvidia(manifests=(driver, vbios))


OTHER_LEAF = replace(LEAF, common="GH100 A01 OTHER LF", key="other")
SPLIT = Plan(common="signer", issuer="manifest root", ca=False, points=True, key="vbios signer")
REVOKED: dict[str, Any] = {"status": OCSPCertStatus.REVOKED, "reason": ReasonFlags.key_compromise}
FORGED_MANIFEST = ForgedManifest(version="1.0", golden={9: (bytes(48),)}, key="mallory")

PART_FAILURES: dict[str, Any] = {
    "present": lambda part: ForgedNvidia(
        manifests=(VBIOS_MANIFEST if part == "driver" else DRIVER_MANIFEST, FORGED_MANIFEST)
    ),
    "links": lambda part: manifests(part, signer=replace(RIM_SIGNER, signer="mallory")),
    "root": lambda part: manifests(
        part,
        signer=replace(RIM_SIGNER, issuer="another root"),
        authorities=(Plan(common="another root", issuer="another root"),),
    ),
    "signed": lambda part: manifests(part, key="mallory"),
    "digest": lambda part: manifests(part, digest=b"\x01" * 48),
    "dates": lambda part: manifests(part, signer=replace(RIM_SIGNER, days=(-30, -1))),
    "revoked": lambda part: replace(
        manifests(part, signer=replace(RIM_SIGNER, common=f"{part} signer"), key=f"{part} signer"),
        answers=(
            answer(MIDDLE, ROOT),
            answer(RIM_SIGNER, RIM_ROOT),
            answer(replace(RIM_SIGNER, common=f"{part} signer"), RIM_ROOT, **REVOKED),
        ),
    ),
    "device": lambda part: manifests(part, product="LS10"),
    "match": lambda part: manifests(part, golden={1 if part == "driver" else 3: (VALUES[7], VALUES[6])}),
}
FIRST_FAILURES: dict[str, ForgedNvidia] = {
    "nvidia.chain.leaf": device(leaf=MIDDLE, authorities=(ROOT,)),
    "nvidia.chain.links": device(leaf=replace(LEAF, signer="mallory")),
    "nvidia.chain.root": ForgedNvidia(trusted=(RIM_ROOT,)),
    "nvidia.chain.dates": device(leaf=replace(LEAF, days=(-30, -1))),
    "nvidia.chain.revoked": ForgedNvidia(answers=(answer(MIDDLE, ROOT, **REVOKED), answer(RIM_SIGNER, RIM_ROOT))),
    "nvidia.signature": device(key="mallory"),
    "nvidia.request": device(request=request_bytes(NONCE)[:3] + b"\x01" + request_bytes(NONCE)[4:]),
    "nvidia.firmware-id": device(opaque=fields(fwid=b"\x01" * 48)),
    "nvidia.envelope": device(beside={"arch": "BLACKWELL"}),
    **{f"nvidia.{part}.{suffix}": make(part) for part in ("driver", "vbios") for suffix, make in PART_FAILURES.items()},
    "nvidia.disjoint": manifests("vbios", golden={2: (VALUES[2],), 3: (VALUES[3],)}),
    "nvidia.debug": device(leaf=replace(LEAF, extra=(tcb_info(FWID, b"\x10\x00\x00\x01"),))),
    "nvidia.mode": wanting(modes=frozenset({Mode.ENCRYPTED_LINKS.value})),
    "nvidia.nonce": wanting(nonce=bytes(32)),
    "nvidia.model": wanting(models=frozenset({"GB100"})),
    "nvidia.driver-version": wanting(drivers=frozenset({"1.0"})),
    "nvidia.vbios-version": wanting(vbioses=frozenset({"1.0"})),
    "nvidia.device.listed": wanting(devices=frozenset({bytes(32)})),
    "nvidia.device.distinct": ForgedNvidia(devices=(ForgedDevice(), ForgedDevice())),
    "nvidia.count": wanting(count=8),
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


def test_the_case_they_all_start_from_is_accepted_as_a_rehearsal() -> None:
    appraisal = judge(ForgedNvidia())
    assert appraisal.accepted, appraisal.first_failure
    assert appraisal.rehearsal
    assert [finding.check for finding in appraisal.findings] == [check for check, _ in checks()]
    assert (appraisal.claims["driver_version"], appraisal.claims["vbios_version"]) == (DRIVER, VBIOS)
    assert appraisal.claims["compared"] == {"driver": "2 of 2 match", "vbios": "2 of 2 match"}


@pytest.mark.parametrize("part", ["driver", "vbios"])
def test_no_measurement_passes_by_being_absent(part: str) -> None:
    absent = manifests(part, golden={40: (bytes(48),)})
    assert judge(absent).outcome_of(f"nvidia.{part}.match") is Outcome.FAIL
    nothing = manifests(part, golden={})
    assert judge(nothing).outcome_of(f"nvidia.{part}.match") is Outcome.FAIL
    missing = ForgedNvidia(manifests=(VBIOS_MANIFEST if part == "driver" else DRIVER_MANIFEST,))
    appraisal = judge(missing)
    assert appraisal.undecided
    assert appraisal.first_failure is not None
    assert appraisal.first_failure.check == f"nvidia.{part}.present"
    assert "NV_GPU_" in appraisal.first_failure.hint or part == "vbios"
    assert judge(replace(missing, expect=replace(BASELINE, manifests=Waived("a test")))).accepted


def test_the_decoders_measurement_is_spared_only_while_it_is_off() -> None:
    covered = manifests("driver", golden={1: (VALUES[1],), 35: (bytes(48),)})
    assert judge(covered).outcome_of("nvidia.driver.match") is Outcome.FAIL
    off = ForgedDevice(opaque=fields(extra={Field.NVDEC0_STATUS: b"\x55"}))
    assert judge(replace(covered, devices=(off,))).accepted


def test_the_better_of_two_manifests_counts() -> None:
    wrong = replace(VBIOS_MANIFEST, golden={3: (VALUES[7],)})
    forged = replace(VBIOS_MANIFEST, key="mallory")
    assert judge(ForgedNvidia(manifests=(forged, wrong, VBIOS_MANIFEST, DRIVER_MANIFEST))).accepted


def test_a_switch_has_no_driver() -> None:
    switch = ForgedDevice(
        leaf=replace(LEAF, common="LS_10 A01 TEST LF"), key="LS_10 A01 TEST LF", opaque=fields(driver=None)
    )
    manifest = replace(VBIOS_MANIFEST, product="LS10", edition="SWITCH")
    appraisal = judge(ForgedNvidia(devices=(switch,), manifests=(manifest,)))
    assert appraisal.accepted, appraisal.first_failure
    assert appraisal.claims["model"] == "LS10"
    assert appraisal.outcome_of("nvidia.driver.present") is Outcome.PASS
    assert appraisal.outcome_of("nvidia.driver.match") is None
    wrong = judge(ForgedNvidia(devices=(switch,), manifests=(VBIOS_MANIFEST,)))
    assert wrong.outcome_of("nvidia.vbios.device") is Outcome.FAIL


def test_several_devices_are_judged_each_and_together() -> None:
    other = ForgedDevice(leaf=OTHER_LEAF, key="other")
    good = judge(ForgedNvidia(devices=(ForgedDevice(), other)))
    assert good.accepted, good.first_failure
    assert list(good.parts) == ["GPU-0", "GPU-1"]
    assert all(part.accepted for part in good.parts.values())
    bad = judge(ForgedNvidia(devices=(ForgedDevice(), replace(other, key="mallory"))))
    assert (bad.accepted, bad.parts["GPU-0"].accepted, bad.parts["GPU-1"].accepted) == (False, True, False)
    assert bad.first_failure is not None
    assert bad.first_failure.found.startswith("GPU-1: ")
    assert list(bad.as_json()["parts"]) == ["GPU-0", "GPU-1"]  # type: ignore[call-overload]  # an object
    with pytest.raises(FormatError):
        judge(ForgedNvidia(devices=()))


@pytest.mark.parametrize(
    ("answers", "hold", "outcome"),
    [
        ((answer(MIDDLE, ROOT),), False, Outcome.PASS),
        ((answer(MIDDLE, ROOT, days=(-9, -2)),), False, Outcome.UNDECIDED),
        ((answer(MIDDLE, ROOT, days=(1, 6)),), False, Outcome.UNDECIDED),
        ((answer(RIM_SIGNER, RIM_ROOT),), False, Outcome.UNDECIDED),
        ((answer(MIDDLE, ROOT, key="mallory"),), False, Outcome.FAIL),
        ((answer(MIDDLE, ROOT, status=OCSPCertStatus.UNKNOWN),), False, Outcome.FAIL),
        ((answer(MIDDLE, ROOT, **{**REVOKED, "reason": ReasonFlags.certificate_hold}),), False, Outcome.FAIL),
        ((answer(MIDDLE, ROOT, **{**REVOKED, "reason": ReasonFlags.certificate_hold}),), True, Outcome.PASS),
        ((answer(MIDDLE, ROOT, **REVOKED),), True, Outcome.FAIL),
    ],
)
def test_revocation(answers: tuple[bytes, ...], hold: bool, outcome: Outcome) -> None:  # noqa: FBT001  # a parameter
    case = ForgedNvidia(answers=answers, expect=replace(BASELINE, certificate_hold=hold))
    assert judge(case).outcome_of("nvidia.chain.revoked") is outcome


def test_a_responder_needs_its_issuers_word_for_that_purpose() -> None:
    delegate = Plan(common="responder", issuer="device root", ca=False, purpose=True)
    rim = answer(RIM_SIGNER, RIM_ROOT)
    good = ForgedNvidia(answers=(answer(MIDDLE, ROOT, signer=delegate), rim))
    assert judge(good).accepted
    for wrong in (
        replace(delegate, purpose=False),
        replace(delegate, signer="mallory"),
        replace(delegate, days=(-30, -1)),
    ):
        case = ForgedNvidia(answers=(answer(MIDDLE, ROOT, signer=wrong), rim))
        assert judge(case).outcome_of("nvidia.chain.revoked") is Outcome.FAIL


@pytest.mark.parametrize(
    "plan",
    [
        replace(MIDDLE, ca=False),
        replace(MIDDLE, signer="mallory"),
        replace(MIDDLE, extra=(("1.2.3.4", b"\x05\x00"),), common="identity"),
    ],
)
def test_links(plan: Plan) -> None:
    appraisal = judge(device(authorities=(plan, ROOT)))
    ok = plan.extra != ()
    assert (appraisal.outcome_of("nvidia.chain.links") is Outcome.PASS) is ok


def test_what_is_missing_of_a_chain() -> None:
    alone = judge(device(authorities=()))
    assert alone.undecided
    gap = judge(device(authorities=(ROOT,)))
    assert gap.outcome_of("nvidia.chain.links") is Outcome.FAIL
    evidence = ForgedNvidia().evidence
    bare = replace(evidence, devices=(replace(evidence.devices[0], certificates=()),))
    appraisal = appraise(bare, ForgedNvidia().collateral, ForgedNvidia().expectation, at=NOW)
    assert (appraisal.undecided, appraisal.first_failure and appraisal.first_failure.check) == (
        True,
        "nvidia.chain.leaf",
    )


def test_debugging_in_a_device_mode() -> None:
    mode = DeviceMode(operational_capabilities=0, operational_state=4, debug_capabilities=3, debug_state=2)
    block = MeasurementBlock(index=9, type=5, raw=True, value=mode.pack())
    assert judge(device(blocks=(*BLOCKS, block))).outcome_of("nvidia.debug") is Outcome.FAIL
    closed = replace(block, value=replace(mode, debug_state=0).pack())
    assert judge(device(blocks=(*BLOCKS, closed))).outcome_of("nvidia.debug") is Outcome.PASS
    odd = replace(block, value=b"\x00")
    assert judge(device(blocks=(*BLOCKS, odd))).outcome_of("nvidia.debug") is Outcome.FAIL
    flags = replace(LEAF, extra=(tcb_info(FWID, b"\x80\x00\x00\x01"),))
    assert judge(device(leaf=flags)).outcome_of("nvidia.debug") is Outcome.PASS


def test_gaps_and_misuse() -> None:
    assert judge(device(blocks=BLOCKS[1:])).outcome_of("nvidia.request") is Outcome.FAIL
    with pytest.raises(UsageError):
        appraise(ForgedNvidia().evidence, SnpCollateral(), ForgedNvidia().expectation, at=NOW)
    later = appraise(
        ForgedNvidia().evidence, ForgedNvidia().collateral, ForgedNvidia().expectation, at=NOW + timedelta(days=4000)
    )
    assert later.outcome_of("nvidia.chain.dates") is Outcome.FAIL


def test_what_the_trustworthiness_vector_says() -> None:
    whole = wanting(modes=frozenset({Mode.SINGLE.value}))
    vector = vector_of(judge(whole), runtime=False)
    assert (vector.executables, vector.configuration) == (3, 2)
    half = replace(whole, manifests=(VBIOS_MANIFEST,), expect=replace(whole.expect, manifests=False))
    appraisal = judge(half)
    assert appraisal.accepted
    assert vector_of(appraisal, runtime=False).executables == 0
    wrong = vector_of(judge(FIRST_FAILURES["nvidia.driver.match"]), runtime=False)
    assert wrong.executables == 33
