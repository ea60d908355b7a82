"""Every check can fail, alone and first: one case for each id, and none of them is ever forgotten."""

from dataclasses import replace
from typing import Any

import pytest

from tests.forge import (
    ARK_SERIAL,
    ASK_SERIAL,
    NOW,
    REPORT,
    TCB,
    VLEK,
    Forged,
    LeafPlan,
    ark,
    ask,
    asvk,
    authority,
    crl,
    leaf,
    signed,
)
from warily.core.appraisal import CLEAN, Appraisal
from warily.core.expect import BitRule, TcbFloor
from warily.core.finding import Outcome, Waived
from warily.errors import CollateralError, UsageError
from warily.formats.snp_report import SnpReport, Tcb
from warily.verify import appraise
from warily.verify.snp import checks
from warily.verify.snp.presets import BASELINE, GENUINE


def judge(case: Forged) -> Appraisal:
    return appraise(case.evidence, case.collateral, case.expectation, at=NOW)


def wanting(**fields: Any) -> Forged:  # noqa: ANN401  # any field
    return Forged(expect=replace(BASELINE, **fields))


def reporting(**fields: Any) -> Forged:  # noqa: ANN401  # any field
    return Forged(report=replace(REPORT, **fields))


def self_styled_root() -> bytes:
    return authority("ARK-Milan", issuer="ARK-Milan", key="mallory", signer="mallory", serial=ARK_SERIAL)


OLDER = replace(TCB, microcode=218).encode()

FIRST_FAILURES: dict[str, Forged] = {
    "snp.signing-key": reporting(key_info=7 << 2),
    "snp.chain.root": Forged(trusts=None),
    "snp.chain.intermediate": Forged(
        certificates=(
            leaf(LeafPlan(signer="mallory")),
            authority("SEV-Milan", issuer="ARK-Milan", key="mallory", signer="mallory", serial=ASK_SERIAL),
            ark(),
        )
    ),
    "snp.chain.leaf": Forged(certificates=(leaf(LeafPlan(signer="mallory")), ask(), ark())),
    "snp.chain.dates": Forged(certificates=(leaf(LeafPlan(days=-1)), ask(), ark())),
    "snp.chain.revoked": Forged(crls=(crl(ASK_SERIAL),)),
    "snp.signature": Forged(key="mallory"),
    "snp.product": reporting(cpuid_family=0x1A, cpuid_model=0x02),
    "snp.tcb.layout": reporting(launch_tcb=TCB.encode() | 1 << 16),
    "snp.tcb.bound": reporting(reported_tcb=OLDER),
    "snp.chip.bound": reporting(chip_id=bytes(reversed(range(64)))),
    "snp.policy.reserved": reporting(policy=0x1001F),
    "snp.tcb.committed": reporting(committed_tcb=replace(TCB, snp=25).encode()),
    "snp.tcb.reported": reporting(committed_tcb=OLDER),
    "snp.vmpl.guest": reporting(vmpl=0xFFFFFFFF),
    "snp.vmpl": reporting(vmpl=4),
    "snp.policy": reporting(policy=0xB001F),
    "snp.migration-agent": reporting(policy=0x7001F),
    "snp.platform": wanting(platform=BitRule(required=1 << 6, forbidden=0)),
    "snp.unknown-bits": reporting(platform_info=1 << 63),
    "snp.tcb.floor": wanting(tcb_floor=TcbFloor(bootloader=4, tee=0, snp=24, microcode=220)),
    "snp.attacks": wanting(must_exclude=frozenset({"AMD-SB-3020"})),
    "snp.firmware.committed": Forged(
        report=replace(REPORT, current_tcb=replace(TCB, microcode=220).encode()),
        expect=replace(BASELINE, provisional_firmware=False),
    ),
    "snp.measurement": wanting(measurements=frozenset({bytes(48)})),
    "snp.report-data": wanting(report_data=bytes(64)),
    "snp.host-data": wanting(host_data=frozenset()),
    "snp.guest-svn": wanting(guest_svn=2),
    "snp.chip.listed": wanting(chip_ids=frozenset({bytes(64)})),
    "snp.id-key": wanting(id_key_digests=frozenset({b"\x01" * 48})),
    "snp.author-key": wanting(author_key_digests=frozenset({bytes(48)})),
    "snp.family-id": wanting(family_id=b"\x01" * 16),
    "snp.image-id": wanting(image_id=b"\x01" * 16),
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
    with pytest.raises(Exception, match=check):
        appraisal.require()


def test_the_case_they_all_start_from_is_accepted_as_a_rehearsal() -> None:
    appraisal = judge(Forged())
    assert appraisal.accepted
    assert appraisal.rehearsal
    assert appraisal.anchor.startswith("rehearsal root ")
    assert appraisal.claims["measurement"] == "22" * 48


def test_a_failed_authenticity_check_leaves_the_rest_unreached_and_claims_nothing() -> None:
    appraisal = judge(FIRST_FAILURES["snp.signature"])
    outcomes = [finding.outcome for finding in appraisal.findings]
    at = outcomes.index(Outcome.FAIL)
    assert all(outcome in CLEAN for outcome in outcomes[:at])
    assert set(outcomes[at + 1 :]) == {Outcome.NOT_REACHED}
    assert appraisal.claims == {}


def test_every_broken_rule_is_reported_at_once() -> None:
    appraisal = judge(reporting(policy=0xF001F, vmpl=0xFFFFFFFF, platform_info=1 << 40))
    failing = [finding.check for finding in appraisal.findings if finding.outcome is Outcome.FAIL]
    assert failing == ["snp.vmpl.guest", "snp.vmpl", "snp.policy", "snp.migration-agent", "snp.unknown-bits"]


def test_no_expectation_waives_what_a_processor_can_never_report() -> None:
    for check in ("snp.policy.reserved", "snp.tcb.committed", "snp.tcb.reported"):
        case = replace(FIRST_FAILURES[check], expect=GENUINE)
        assert judge(case).outcome_of(check) is Outcome.FAIL


def test_a_vlek_is_judged_under_its_own_authority() -> None:
    report = replace(REPORT, key_info=1 << 2, chip_id=bytes(64))
    good = Forged(report=report, key="vlek", certificates=(leaf(VLEK), asvk(), ask(), ark()))
    assert judge(good).accepted
    under_ask = replace(good, certificates=(leaf(VLEK), ask(), ark()))
    assert judge(under_ask).outcome_of("snp.chain.intermediate") is Outcome.FAIL
    posing = authority("SEV-Milan", issuer="ARK-Milan", key="asvk", signer="ark", serial=ASK_SERIAL)
    disguised = replace(good, certificates=(leaf(replace(VLEK, issuer="SEV-Milan")), posing, ark()))
    assert judge(disguised).outcome_of("snp.chain.intermediate") is Outcome.FAIL
    with_chip = replace(good, report=replace(report, chip_id=REPORT.chip_id))
    assert judge(with_chip).outcome_of("snp.chip.bound") is Outcome.FAIL


def test_a_vcek_where_a_vlek_signed_is_refused() -> None:
    assert judge(reporting(key_info=1 << 2)).outcome_of("snp.signing-key") is Outcome.FAIL


@pytest.mark.parametrize("plan", [LeafPlan(salt=32), LeafPlan(issuer="SEV-Genoa"), LeafPlan(kind="SEV-VLEK")])
def test_a_leaf_of_the_wrong_make_is_refused(plan: LeafPlan) -> None:
    assert not judge(Forged(certificates=(leaf(plan), ask(), ark()))).accepted


def test_a_wrapped_hardware_id_and_a_raw_one_that_looks_wrapped_are_both_read() -> None:
    wrapped = Forged(certificates=(leaf(LeafPlan(wrapped=True)), ask(), ark()))
    assert judge(wrapped).accepted
    sly = bytes([4, 62]) + bytes(range(62))
    raw = Forged(report=replace(REPORT, chip_id=sly), certificates=(leaf(LeafPlan(hardware_id=sly)), ask(), ark()))
    assert judge(raw).accepted


def test_an_authority_that_is_none_signs_nothing() -> None:
    plain = authority("SEV-Milan", issuer="ARK-Milan", key="ask", signer="ark", serial=ASK_SERIAL, ca=False)
    assert not judge(Forged(certificates=(leaf(), plain, ark()))).accepted


@pytest.mark.parametrize("serial", [1, ARK_SERIAL])
def test_leaf_and_root_can_be_revoked_too(serial: int) -> None:
    assert judge(Forged(crls=(crl(serial),))).outcome_of("snp.chain.revoked") is Outcome.FAIL


def test_a_good_revocation_list_passes_and_its_absence_is_said() -> None:
    assert judge(Forged(crls=(crl(99),))).outcome_of("snp.chain.revoked") is Outcome.PASS
    assert judge(Forged()).outcome_of("snp.chain.revoked") is Outcome.WAIVED


def test_a_revocation_list_by_another_key_is_refused() -> None:
    assert judge(Forged(crls=(crl(signer="mallory"),))).outcome_of("snp.chain.revoked") is Outcome.FAIL


@pytest.mark.parametrize("listed", [crl(days=(-30, -1)), crl(days=(1, 30)), crl(issuer="ARK-Genoa")])
def test_a_stale_early_or_foreign_revocation_list_decides_nothing(listed: bytes) -> None:
    appraisal = judge(Forged(crls=(listed,)))
    assert appraisal.undecided
    assert appraisal.outcome_of("snp.chain.revoked") is Outcome.UNDECIDED
    with pytest.raises(CollateralError):
        appraisal.require()


def test_a_missing_leaf_is_undecided_and_the_hint_says_where_it_is() -> None:
    appraisal = judge(Forged(certificates=()))
    assert appraisal.undecided
    assert appraisal.first_failure is not None
    assert f"/vcek/v1/Milan/{REPORT.chip_id.hex()}?blSPL=04&teeSPL=00" in appraisal.first_failure.hint


def test_a_missing_chain_under_an_unknown_name_is_undecided() -> None:
    stranger = leaf(LeafPlan(issuer="SEV-Venice", product="Venice"))
    assert judge(Forged(certificates=(stranger,))).undecided


def test_a_pinned_name_with_another_key_is_no_root() -> None:
    appraisal = judge(Forged(certificates=(leaf(), ask(), self_styled_root())))
    assert appraisal.outcome_of("snp.chain.root") is Outcome.FAIL


def test_a_pinned_chain_does_not_vouch_for_our_leaf() -> None:
    appraisal = judge(Forged(certificates=(leaf(),)))
    assert appraisal.outcome_of("snp.chain.root") is Outcome.PASS
    assert appraisal.outcome_of("snp.chain.leaf") is Outcome.FAIL


def test_the_signature_algorithm_is_looked_at() -> None:
    assert judge(reporting(signature_algorithm=2)).outcome_of("snp.signature") is Outcome.FAIL


def test_the_leaf_in_date_is_taken_where_two_are_offered() -> None:
    expired = leaf(LeafPlan(days=-1, serial=7))
    assert judge(Forged(certificates=(expired, leaf(), ask(), ark()))).accepted
    stranger = leaf(LeafPlan(key="mallory", hardware_id=bytes(64), serial=8))
    assert judge(Forged(certificates=(stranger, leaf(), ask(), ark()))).accepted


def test_a_version_2_report_names_no_processor() -> None:
    report = replace(REPORT, version=2, cpuid_family=0, cpuid_model=0, cpuid_stepping=0)
    appraisal = judge(Forged(report=report))
    assert appraisal.accepted
    assert appraisal.claims["cpuid"] is None


def test_turin_has_its_own_tcb_layout_and_a_short_chip_id() -> None:
    tcb = Tcb(fmc=1, bootloader=2, tee=3, snp=4, microcode=5)
    chip = bytes(range(1, 9))
    fields: dict[str, Any] = dict.fromkeys(("reported_tcb", "current_tcb", "committed_tcb", "launch_tcb"), tcb.encode())
    report = replace(REPORT, version=5, cpuid_family=0x1A, cpuid_model=0x11, chip_id=chip.ljust(64, b"\x00"), **fields)
    plan = LeafPlan(
        product="Turin", levels=((9, 1), (1, 2), (2, 3), (3, 4), (5, 0), (6, 0), (7, 0), (8, 5)), hardware_id=chip
    )
    case = Forged(report=report, certificates=(leaf(plan), ask(), ark()))
    appraisal = judge(case)
    assert appraisal.accepted
    assert appraisal.claims["tcb"]["reported"] == tcb.components()  # type: ignore[index]  # a nested object
    long = replace(case, certificates=(leaf(replace(plan, hardware_id=chip.ljust(64, b"\x00"))), ask(), ark()))
    assert judge(long).outcome_of("snp.chip.bound") is Outcome.FAIL
    legacy = replace(case, certificates=(leaf(LeafPlan(product="Turin", hardware_id=chip)), ask(), ark()))
    assert judge(legacy).outcome_of("snp.tcb.bound") is Outcome.FAIL


def test_a_mask_chip_key_report_names_no_chip() -> None:
    masked = replace(REPORT, key_info=2)
    assert judge(Forged(report=masked)).outcome_of("snp.chip.bound") is Outcome.FAIL
    assert judge(Forged(report=replace(masked, chip_id=bytes(64)))).accepted
    assert judge(reporting(chip_id=bytes(64))).outcome_of("snp.chip.bound") is Outcome.FAIL


def test_what_was_wanted_and_is_there_passes() -> None:
    report = replace(REPORT, key_info=1, author_key_digest=b"\x05" * 48, policy=0x7001F)
    wanted = replace(
        BASELINE,
        measurements=frozenset({REPORT.measurement, bytes(48)}),
        report_data=REPORT.report_data,
        host_data=frozenset({REPORT.host_data}),
        vmpls=frozenset({0}),
        platform=BitRule(required=1 << 5, forbidden=1 << 1),
        tcb_floor=TcbFloor(bootloader=4, tee=0, snp=24, microcode=219),
        guest_svn=1,
        chip_ids=frozenset({REPORT.chip_id}),
        id_key_digests=frozenset({bytes(48)}),
        author_key_digests=frozenset({b"\x05" * 48}),
        family_id=bytes(16),
        image_id=bytes(16),
        migration_agent=True,
        provisional_firmware=False,
        must_exclude=frozenset({"AMD-SB-3005", "AMD-SB-3015", "AMD-SB-3019"}),
        unknown_bits=True,
    )
    appraisal = judge(Forged(report=report, expect=wanted))
    assert appraisal.accepted
    outcomes = {finding.check: finding.outcome for finding in appraisal.findings}
    assert [check for check, outcome in outcomes.items() if outcome is not Outcome.PASS] == ["snp.chain.revoked"]


def test_an_fmc_floor_is_not_met_by_a_product_without_one() -> None:
    floor = TcbFloor(bootloader=0, tee=0, snp=0, microcode=0, fmc=1)
    assert judge(wanting(tcb_floor=floor)).outcome_of("snp.tcb.floor") is Outcome.FAIL


def test_a_bound_migration_agent_is_seen() -> None:
    assert judge(reporting(report_id_ma=bytes(32))).outcome_of("snp.migration-agent") is Outcome.FAIL


def test_genuine_says_why_it_waives() -> None:
    appraisal = judge(replace(reporting(policy=0xB001F, vmpl=0xFFFFFFFF), expect=GENUINE))
    assert appraisal.accepted
    waived = [finding for finding in appraisal.findings if finding.outcome is Outcome.WAIVED]
    assert {finding.found for finding in waived[1:]} == {"genuine: authenticity alone was asked for"}


def test_a_waiver_needs_a_reason() -> None:
    with pytest.raises(ValueError, match="reason"):
        Waived("  ")


def test_time_needs_a_zone() -> None:
    case = Forged()
    with pytest.raises(UsageError):
        appraise(case.evidence, case.collateral, case.expectation, at=NOW.replace(tzinfo=None))


def test_no_bit_of_a_signed_report_can_change() -> None:
    """Two bits of each byte here; every single bit of genuine reports in test_snp_vectors."""
    case = Forged()
    genuine = case.evidence.report
    for at in range(0x2A0):
        for bit in (at % 8, (at + 3) % 8):
            changed = bytearray(genuine)
            changed[at] ^= 1 << bit
            try:
                SnpReport.unpack(bytes(changed))
            except Exception:  # noqa: BLE001, S112  # refused even earlier
                continue
            assert not judge(replace(case, raw=bytes(changed))).accepted


def test_a_report_signed_again_elsewhere_is_another_report() -> None:
    raw = signed(REPORT, key="mallory")
    assert judge(Forged(raw=raw)).outcome_of("snp.signature") is Outcome.FAIL
