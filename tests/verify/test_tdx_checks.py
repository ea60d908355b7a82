"""Every TDX check can fail, alone and first: one case for each id, and none of them is ever forgotten."""

from dataclasses import fields, replace
from typing import Any

import pytest

from tests.forge_tdx import (
    CHAIN,
    ENCLAVE,
    INSTANCE,
    NOW,
    PCK_CRL,
    PCK_PLAN,
    PCK_SERIAL,
    PLATFORM,
    PLATFORM_PLAN,
    PLATFORM_SERIAL,
    PPID,
    QE,
    ROOT,
    ROOT_CRL,
    ROOT_PLAN,
    SIGNING_PLAN,
    SIGNING_SERIAL,
    TD,
    TD15,
    Forged,
    certificate,
    crl,
    level,
    module_level,
    qe_identity,
    sgx_extensions,
    statement,
    tcb_info,
)
from warily.core.appraisal import CLEAN, Appraisal
from warily.core.collateral import SnpCollateral
from warily.core.expect import BitRule, StatusRule
from warily.core.finding import Outcome
from warily.errors import CollateralError, FormatError, UsageError
from warily.formats.tdx_quote import Quote, TdReport15Extended
from warily.verify import appraise
from warily.verify.snp.presets import BASELINE as SNP_BASELINE
from warily.verify.tdx import checks, p256
from warily.verify.tdx.acceptable import RULES
from warily.verify.tdx.presets import BASELINE, GENUINE
from warily.verify.tdx.roots import intel_root


def judge(case: Forged) -> Appraisal:
    return appraise(case.evidence, case.collateral, case.expectation, at=NOW)


def wanting(**changes: Any) -> Forged:  # noqa: ANN401  # any field
    return Forged(expect=replace(BASELINE, **changes))


def saying(**changes: Any) -> Forged:  # noqa: ANN401  # any field
    return Forged(body=replace(TD15, base=replace(TD, **changes)))


def informed(value: dict[str, Any], **more: Any) -> Forged:  # noqa: ANN401  # how it is signed
    return Forged(tcb_infos=(statement(value, **more),))


def identified(value: dict[str, Any], **more: Any) -> Forged:  # noqa: ANN401  # how it is signed
    return Forged(qe_identities=(statement(value, **more),))


ELSE = frozenset({b"\x01" * 48})
UNDER_AUTHORITY = (PLATFORM_PLAN, ROOT_PLAN)
OLD = {"issueDate": "2025-01-01T00:00:00Z", "nextUpdate": "2025-02-01T00:00:00Z"}
REVOKED_LEVELS = [level("Revoked", sgx=5, tdx=(5, 0, 3), advisoryIDs=["INTEL-SA-00001"])]

FIRST_FAILURES: dict[str, Forged] = {
    "tdx.chain.shape": Forged(chain=(PCK_PLAN, ROOT_PLAN)),
    "tdx.chain.root": Forged(trusts=None),
    "tdx.chain.authority": Forged(chain=(PCK_PLAN, replace(PLATFORM_PLAN, signer="mallory"), ROOT_PLAN)),
    "tdx.chain.pck": Forged(chain=(replace(PCK_PLAN, signer="mallory"), *CHAIN[1:])),
    "tdx.chain.dates": Forged(chain=(replace(PCK_PLAN, days=(-30, -1)), *CHAIN[1:])),
    "tdx.qe.signature": Forged(keys={"qe": "mallory"}),
    "tdx.qe.binding": Forged(keys={"bound": "mallory"}),
    "tdx.signature": Forged(keys={"quote": "mallory"}),
    "tdx.qe.vendor": Forged(vendor=bytes(16)),
    "tdx.tcb-info.issuer": informed(tcb_info(), signer="platform", chain=UNDER_AUTHORITY),
    "tdx.tcb-info.signature": informed(tcb_info(), signer="mallory"),
    "tdx.tcb-info.platform": informed(tcb_info(fmspc="000000000000")),
    "tdx.tcb-info.dates": informed(tcb_info(**OLD)),
    "tdx.qe-identity.issuer": identified(qe_identity(), signer="platform", chain=UNDER_AUTHORITY),
    "tdx.qe-identity.signature": identified(qe_identity(), signer="mallory"),
    "tdx.qe-identity.dates": identified(qe_identity(**OLD)),
    "tdx.crl.root": Forged(root_crls=(crl(issuer=ROOT, signer="mallory"),)),
    "tdx.crl.pck": Forged(pck_crls=(crl(issuer=PLATFORM, signer="platform", days=(-40, -10)),)),
    "tdx.revoked": Forged(pck_crls=(crl(PCK_SERIAL, issuer=PLATFORM, signer="platform"),)),
    "tdx.qe.identity": Forged(qe=replace(QE, mrsigner=bytes(32))),
    "tdx.module": saying(mrsignerseam=b"\x01" * 48),
    "tdx.tcb.level": Forged(chain=(replace(PCK_PLAN, extension=sgx_extensions(svn=1)), *CHAIN[1:])),
    "tdx.tcb.revoked": informed(tcb_info(tcbLevels=REVOKED_LEVELS)),
    "tdx.enclave": Forged(
        body=ENCLAVE,
        tcb_infos=(statement(tcb_info(id="SGX")),),
        qe_identities=(statement(qe_identity(id="QE")),),
    ),
    "tdx.debug": saying(td_attributes=1),
    "tdx.tcb.status": informed(tcb_info(tcbLevels=[level("ConfigurationNeeded", sgx=5, tdx=(5, 0, 3))])),
    "tdx.advisories": Forged(
        tcb_infos=(statement(tcb_info(tcbLevels=[level("UpToDate", sgx=5, tdx=(5, 0, 3), advisoryIDs=["A-1"])])),),
        expect=replace(BASELINE, advisories=frozenset({"A-2"})),
    ),
    "tdx.attacks": wanting(must_exclude=frozenset({"INTEL-SA-01397"})),
    "tdx.tcb.evaluation": wanting(evaluation=19),
    "tdx.attributes": saying(td_attributes=1 << 29),
    "tdx.xfam": wanting(xfam=BitRule(required=1 << 11, forbidden=0)),
    "tdx.unknown-bits": saying(xfam=1 << 62),
    "tdx.mrservicetd": Forged(body=replace(TD15, mrservicetd=b"\x01" * 48)),
    "tdx.platform": wanting(platform=BitRule(required=0, forbidden=1 << 2)),
    "tdx.platform.listed": wanting(platform_ids=frozenset({bytes(16)})),
    "tdx.svn.tee": wanting(tee_tcb_svn=bytes([5, 1, 4]) + bytes(13)),
    "tdx.svn.qe": wanting(qe_svn=5),
    "tdx.svn.pce": wanting(pce_svn=14),
    "tdx.mrseam": wanting(mrseams=ELSE),
    "tdx.mrtd": wanting(mrtds=ELSE),
    "tdx.rtmr0": wanting(rtmr0=ELSE),
    "tdx.rtmr1": wanting(rtmr1=ELSE),
    "tdx.rtmr2": wanting(rtmr2=ELSE),
    "tdx.rtmr3": wanting(rtmr3=ELSE),
    "tdx.report-data": wanting(report_data=bytes(64)),
    "tdx.mrconfigid": wanting(mrconfigids=ELSE),
    "tdx.mrowner": wanting(mrowners=ELSE),
    "tdx.mrownerconfig": wanting(mrownerconfigs=frozenset()),
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
    assert appraisal.accepted, appraisal.first_failure
    assert appraisal.rehearsal
    assert appraisal.platform == "Intel TDX"
    assert appraisal.anchor.startswith("rehearsal root ")
    assert appraisal.claims["mrtd"] == "22" * 48


def test_a_failed_authenticity_check_leaves_the_rest_unreached_and_claims_nothing() -> None:
    appraisal = judge(FIRST_FAILURES["tdx.signature"])
    outcomes = [finding.outcome for finding in appraisal.findings]
    at = outcomes.index(Outcome.FAIL)
    assert all(outcome in CLEAN for outcome in outcomes[:at])
    assert set(outcomes[at + 1 :]) == {Outcome.NOT_REACHED}
    assert appraisal.claims == {}


def test_every_broken_rule_is_reported_at_once() -> None:
    appraisal = judge(saying(td_attributes=1 | 1 << 29 | 1 << 40, mrsignerseam=bytes(48)))
    failing = [finding.check for finding in appraisal.findings if finding.outcome is Outcome.FAIL]
    assert failing == ["tdx.debug", "tdx.attributes", "tdx.unknown-bits"]


@pytest.mark.parametrize(
    ("case", "check"),
    [
        (Forged(tcb_infos=()), "tdx.tcb-info.issuer"),
        (Forged(qe_identities=()), "tdx.qe-identity.issuer"),
        (Forged(root_crls=()), "tdx.crl.root"),
        (Forged(pck_crls=()), "tdx.crl.pck"),
        (Forged(certification_type=2, certification=bytes(276)), "tdx.chain.shape"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_missing_collateral_is_undecided(case: Forged, check: str) -> None:
    appraisal = judge(case)
    assert appraisal.undecided
    assert appraisal.outcome_of(check) is Outcome.UNDECIDED
    with pytest.raises(CollateralError):
        appraisal.require()


def test_a_forged_quote_is_rejected_even_where_collateral_is_missing() -> None:
    appraisal = judge(Forged(keys={"quote": "mallory"}, tcb_infos=(), root_crls=()))
    assert appraisal.outcome_of("tdx.signature") is Outcome.FAIL
    assert not appraisal.undecided


def test_a_quote_that_names_its_platform_takes_the_chain_from_the_collateral() -> None:
    offered = tuple(certificate(plan) for plan in reversed(CHAIN))
    case = Forged(certification_type=3, certification=bytes(404), certificates=offered)
    assert judge(case).accepted
    stranger = replace(PCK_PLAN, key="mallory")
    wrong = replace(case, certificates=tuple(certificate(plan) for plan in (stranger, *CHAIN[1:])))
    assert judge(wrong).outcome_of("tdx.qe.signature") is Outcome.FAIL


@pytest.mark.parametrize(
    "chain",
    [
        (),
        (PCK_PLAN,),
        tuple(reversed(CHAIN)),
        (PCK_PLAN, *CHAIN),
        (PCK_PLAN, ROOT_PLAN, ROOT_PLAN),
        (PLATFORM_PLAN, PLATFORM_PLAN, ROOT_PLAN),
        (replace(PCK_PLAN, extension=None), *CHAIN[1:]),
        (replace(PCK_PLAN, ca=True), *CHAIN[1:]),
    ],
    ids=lambda chain: str(len(chain)),
)
def test_a_chain_of_another_shape_is_refused(chain: tuple[Any, ...]) -> None:
    assert judge(Forged(chain=chain)).outcome_of("tdx.chain.shape") is Outcome.FAIL


def test_an_unknown_critical_extension_and_a_signature_by_a_leaf_count_for_nothing() -> None:
    critical = replace(PCK_PLAN, critical=True)
    assert judge(Forged(chain=(critical, *CHAIN[1:]))).outcome_of("tdx.chain.pck") is Outcome.FAIL
    other = replace(PCK_PLAN, issuer="Intel SGX PCK Processor CA")
    assert judge(Forged(chain=(other, *CHAIN[1:]))).outcome_of("tdx.chain.pck") is Outcome.FAIL


def test_a_root_of_the_pinned_name_is_no_root() -> None:
    assert judge(FIRST_FAILURES["tdx.chain.root"]).anchor == "none"


@pytest.mark.parametrize(
    ("lists", "check"),
    [
        ({"root_crls": (PCK_CRL,), "pck_crls": (ROOT_CRL,)}, "tdx.crl.root"),
        ({"root_crls": (crl(issuer=ROOT, signer="root", days=(1, 30)),)}, "tdx.crl.root"),
        ({"pck_crls": (crl(issuer=PLATFORM, signer="root"),)}, "tdx.crl.pck"),
        ({"root_crls": (crl(PLATFORM_SERIAL, issuer=ROOT, signer="root"),)}, "tdx.revoked"),
        ({"root_crls": (crl(SIGNING_SERIAL, issuer=ROOT, signer="root"),)}, "tdx.revoked"),
    ],
)
def test_revocation_lists_are_judged(lists: dict[str, Any], check: str) -> None:
    assert judge(replace(Forged(), **lists)).outcome_of(check) is Outcome.FAIL


def test_an_old_list_beside_a_current_one_does_no_harm_and_still_revokes() -> None:
    old = crl(issuer=ROOT, signer="root", days=(-60, -30))
    assert judge(Forged(root_crls=(old, ROOT_CRL))).accepted
    revoking = crl(PLATFORM_SERIAL, issuer=ROOT, signer="root", days=(-60, -30))
    assert judge(Forged(root_crls=(revoking, ROOT_CRL))).outcome_of("tdx.revoked") is Outcome.FAIL


@pytest.mark.parametrize(
    "plan",
    [
        replace(SIGNING_PLAN, signer="mallory"),
        replace(SIGNING_PLAN, name="Intel SGX PCK Certificate"),
        replace(SIGNING_PLAN, days=(-90, -1)),
        replace(SIGNING_PLAN, ca=True),
    ],
    ids=["signer", "name", "days", "ca"],
)
def test_a_signing_certificate_of_the_wrong_make_is_refused(plan: Any) -> None:  # noqa: ANN401  # a plan
    case = informed(tcb_info(), chain=(plan, ROOT_PLAN))
    assert judge(case).outcome_of("tdx.tcb-info.issuer") is Outcome.FAIL


def test_a_response_without_its_chain_finds_the_signer_among_all_certificates() -> None:
    bare = replace(statement(tcb_info()), chain=())
    case = Forged(tcb_infos=(bare,))
    assert judge(case).undecided
    posing = certificate(replace(SIGNING_PLAN, key="mallory", signer="mallory"))
    assert judge(replace(case, certificates=(posing, certificate(SIGNING_PLAN)))).accepted
    assert judge(replace(case, certificates=(posing,))).outcome_of("tdx.tcb-info.issuer") is Outcome.FAIL


def test_the_statement_for_this_platform_is_picked() -> None:
    other = statement(tcb_info(fmspc="000000000000", issueDate="2026-03-14T00:00:00Z"))
    assert judge(Forged(tcb_infos=(other, statement(tcb_info())))).accepted


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "QE"},
        {"miscselect": "01000000"},
        {"attributes": "13000000000000000000000000000000"},
        {"isvprodid": 1},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_another_quoting_enclave_is_refused(changes: dict[str, Any]) -> None:
    assert judge(identified(qe_identity(**changes))).outcome_of("tdx.qe.identity") is Outcome.FAIL


def test_seam_attributes_and_unknown_modules_are_refused() -> None:
    assert judge(saying(seam_attributes=1)).outcome_of("tdx.module") is Outcome.FAIL
    assert judge(saying(tee_tcb_svn=bytes([5, 9, 3]) + bytes(13))).outcome_of("tdx.module") is Outcome.FAIL


def test_version_4_does_not_say_who_serves_it_and_a_file_may_insist() -> None:
    case = Forged(version=4, body=TD)
    assert judge(case).accepted
    strict = replace(case, expect=replace(BASELINE, mrservicetds=frozenset({bytes(48)})))
    assert judge(strict).outcome_of("tdx.mrservicetd") is Outcome.FAIL


def test_the_extended_body_is_a_td_of_version_1_5() -> None:
    blank = TdReport15Extended.unpack(TD15.pack() + bytes(885 - 648))
    appraisal = judge(Forged(body=replace(blank, vmid=3, td_id=b"\x09" * 32)))
    assert appraisal.accepted, appraisal.first_failure
    assert appraisal.claims["td_id"] == "09" * 32
    assert appraisal.claims["vmid"] == 3


def test_an_sgx_enclave_is_accepted_by_its_measurement_alone() -> None:
    case = FIRST_FAILURES["tdx.enclave"]
    wanted = replace(
        GENUINE, enclaves=frozenset({ENCLAVE.mrenclave}), debug=False, report_data=ENCLAVE.report_data, qe_svn=4
    )
    appraisal = judge(replace(case, expect=wanted))
    assert appraisal.accepted
    assert appraisal.platform == "Intel SGX"
    of_a_td = judge(Forged(expect=replace(wanted, report_data=TD.report_data)))
    assert [finding.check for finding in of_a_td.findings if finding.outcome is Outcome.FAIL] == ["tdx.enclave"]
    third = replace(case, version=3, expect=wanted)
    assert judge(third).accepted
    assert not judge(replace(case, expect=replace(wanted, enclaves=frozenset({bytes(32)})))).accepted
    debugged = replace(case, body=replace(ENCLAVE, flags=ENCLAVE.flags | 2), expect=wanted)
    assert judge(debugged).outcome_of("tdx.debug") is Outcome.FAIL


def test_no_wish_about_tds_is_met_by_an_enclave() -> None:
    wishes: dict[str, Any] = {
        "attributes": BitRule(required=0, forbidden=0),
        "xfam": BitRule(required=0, forbidden=0),
        "tee_tcb_svn": bytes(16),
        "mrservicetds": frozenset({bytes(48)}),
    } | dict.fromkeys(
        ("mrseams", "mrtds", "mrconfigids", "mrowners", "mrownerconfigs", "rtmr0", "rtmr1", "rtmr2", "rtmr3"),
        frozenset({bytes(48)}),
    )
    appraisal = judge(replace(FIRST_FAILURES["tdx.enclave"], expect=replace(GENUINE, **wishes)))
    failing = [finding.check for finding in appraisal.findings if finding.outcome is Outcome.FAIL]
    assert len(failing) == len(wishes)


def test_a_status_may_be_accepted_for_levels_of_some_date_only() -> None:
    levels = [level("OutOfDate", sgx=5, tdx=(5, 0, 3), tcbDate="2024-03-13T00:00:00Z")]
    case = informed(tcb_info(tcbLevels=levels))
    from datetime import date

    for since, accepted in ((None, True), (date(2024, 3, 13), True), (date(2024, 3, 14), False)):
        rule = StatusRule(status="OutOfDate", since=since)
        appraisal = judge(replace(case, expect=replace(BASELINE, statuses=frozenset({rule}))))
        assert appraisal.accepted is accepted


def test_what_was_wanted_and_is_there_passes() -> None:
    wanted = replace(
        BASELINE,
        advisories=frozenset(),
        must_exclude=frozenset({"migtd-2026-11"}),
        evaluation=18,
        attributes=BitRule(required=1 << 28, forbidden=0xFF),
        xfam=BitRule(required=3, forbidden=0),
        platform=BitRule(required=1, forbidden=2),
        platform_ids=frozenset({PPID}),
        tee_tcb_svn=TD.tee_tcb_svn,
        qe_svn=4,
        pce_svn=13,
        enclaves=frozenset(),
        mrseams=frozenset({TD.mrseam}),
        mrtds=frozenset({TD.mrtd, bytes(48)}),
        mrconfigids=frozenset({TD.mrconfigid}),
        mrowners=frozenset({bytes(48)}),
        mrownerconfigs=frozenset({bytes(48)}),
        rtmr0=frozenset({TD.rtmr0}),
        rtmr1=frozenset({TD.rtmr1}),
        rtmr2=frozenset({TD.rtmr2}),
        rtmr3=frozenset({TD.rtmr3}),
        report_data=TD.report_data,
    )
    appraisal = judge(Forged(expect=wanted))
    assert {finding.outcome for finding in appraisal.findings} == {Outcome.PASS}
    assert judge(Forged(expect=replace(wanted, platform_ids=frozenset({INSTANCE})))).accepted


def test_a_platform_that_does_not_say_how_it_is_configured_is_refused_where_it_matters() -> None:
    single = replace(PCK_PLAN, extension=sgx_extensions(instance=None, flags=None))
    case = Forged(chain=(single, *CHAIN[1:]))
    assert judge(case).accepted
    strict = replace(case, expect=replace(BASELINE, platform=BitRule(required=0, forbidden=4)))
    assert judge(strict).outcome_of("tdx.platform") is Outcome.FAIL


def test_bytes_after_the_quote_are_accepted_and_said() -> None:
    appraisal = judge(Forged(trailing=b"\x00" * 70))
    assert appraisal.accepted
    assert appraisal.claims["trailing"] == {"bytes": 70, "zero": True}
    appraisal = judge(Forged(trailing=b"padding"))
    assert appraisal.accepted
    assert appraisal.claims["trailing"] == {"bytes": 7, "zero": False}
    signature = next(finding for finding in appraisal.findings if finding.check == "tdx.signature")
    assert "7 bytes that are not all zero follow" in signature.found


def test_genuine_waives_every_rule_and_says_why() -> None:
    appraisal = judge(replace(saying(td_attributes=1 | 1 << 29), expect=GENUINE))
    assert appraisal.accepted
    waived = [finding for finding in appraisal.findings if finding.outcome is Outcome.WAIVED]
    assert {finding.check for finding in waived} == set(RULES)
    assert {finding.found for finding in waived} == {"genuine: authenticity alone was asked for"}


def test_presets_decide_every_field() -> None:
    for preset in (GENUINE, BASELINE):
        assert all(getattr(preset, one.name) is not None for one in fields(preset))


def test_no_bit_of_a_signed_quote_can_change() -> None:
    """A bit of every byte of header and body here, and of every byte of the QE report."""
    case = Forged()
    genuine = case.quote.encode()
    parts = (*range(len(case.quote.signed)), *range(len(case.quote.signed) + 138, len(case.quote.signed) + 138 + 384))
    for at in parts:
        changed = bytearray(genuine)
        changed[at] ^= 1 << (at * 5 % 8)
        try:
            Quote.decode(bytes(changed))
        except FormatError:
            continue
        assert not judge(replace(case, raw=bytes(changed))).accepted


def test_collateral_of_another_platform_is_a_mistake_of_the_caller() -> None:
    case = Forged()
    with pytest.raises(UsageError, match="another platform"):
        appraise(case.evidence, SnpCollateral(), case.expectation, at=NOW)
    with pytest.raises(UsageError, match="another platform"):
        appraise(case.evidence, case.collateral, SNP_BASELINE, at=NOW)


def test_over_much_collateral_is_refused() -> None:
    with pytest.raises(FormatError, match="over"):
        judge(Forged(root_crls=(ROOT_CRL,) * 17))
    with pytest.raises(FormatError, match="over"):
        judge(Forged(certificates=(certificate(ROOT_PLAN),) * 65))


def test_module_levels_decide_as_well() -> None:
    assert judge(identified(qe_identity(tcbLevels=[module_level("Revoked", 4)]))).outcome_of("tdx.tcb.revoked") is (
        Outcome.FAIL
    )
    assert judge(Forged(qe=replace(QE, isvsvn=1))).outcome_of("tdx.tcb.level") is Outcome.FAIL


def test_the_pinned_root_signs_itself() -> None:
    """Which is why it need not be shown again for each quote."""
    assert p256.is_signed_by(intel_root(), intel_root())
