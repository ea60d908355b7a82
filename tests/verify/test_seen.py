"""Collateral against what was seen before, on forged and on genuine evidence."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests import forge, forge_tdx
from warily.core.appraisal import Appraisal
from warily.core.evidence import NitroEvidence
from warily.core.finding import Outcome
from warily.core.seen import NOTHING_SEEN, Mark, Seen
from warily.formats.x509 import RevocationList
from warily.verify import appraise, recognise, x509
from warily.verify.presets import preset
from warily.verify.seen import RULES, against, checks
from warily.verify.seen.marks import mark_of_list, mark_of_qe_identity, mark_of_tcb_info

ROOT = (x509.decoded(forge.ark()),)
LATER = datetime(2026, 3, 14, 12, tzinfo=UTC)


def list_mark(der: bytes) -> Mark:
    mark = mark_of_list(RevocationList.decode(der), ROOT)
    assert mark is not None
    return mark


def snp(seen: Seen, forged: forge.Forged) -> Appraisal:
    judged = appraise(forged.evidence, forged.collateral, forged.expectation, at=forge.NOW)
    return against(judged, forged.evidence, forged.collateral, seen, at=forge.NOW)


def tdx(seen: Seen, forged: forge_tdx.Forged) -> Appraisal:
    judged = appraise(forged.evidence, forged.collateral, forged.expectation, at=forge_tdx.NOW)
    return against(judged, forged.evidence, forged.collateral, seen, at=forge_tdx.NOW)


def test_snp_lists() -> None:
    old, new = forge.crl(days=(-3, 30)), forge.crl(days=(-2, 30))
    seen = NOTHING_SEEN.with_marks([list_mark(new)])
    check = "snp.crl.regressed"
    assert snp(seen, forge.Forged(crls=(new,))).outcome_of(check) is Outcome.PASS
    assert snp(seen, forge.Forged(crls=(old, new))).outcome_of(check) is Outcome.PASS, "the newest one counts"
    regressed = snp(seen, forge.Forged(crls=(old,)))
    assert regressed.outcome_of(check) is Outcome.UNDECIDED
    assert regressed.undecided
    assert not regressed.accepted
    assert snp(seen, forge.Forged(crls=())).outcome_of(check) is Outcome.UNDECIDED, "a list seen is not left out"
    assert snp(NOTHING_SEEN, forge.Forged(crls=())).outcome_of(check) is Outcome.WAIVED
    assert snp(NOTHING_SEEN, forge.Forged(crls=(old,))).accepted
    rejected = snp(seen, forge.Forged(crls=(old,), key="another"))
    assert rejected.outcome_of(check) is Outcome.NOT_REACHED
    assert not rejected.undecided
    nothing = snp(seen, forge.Forged(certificates=()))
    assert nothing.outcome_of(check) is Outcome.UNDECIDED


@pytest.mark.parametrize("what", ["tcb", "qe", "root", "pck"])
def test_each_piece_of_tdx_collateral(what: str) -> None:
    forged = forge_tdx.Forged()
    root, authority = (
        x509.decoded(forge_tdx.certificate(one)) for one in (forge_tdx.ROOT_PLAN, forge_tdx.PLATFORM_PLAN)
    )
    marks = {
        "tcb": mark_of_tcb_info(forged.tcb_infos[0], ()),
        "qe": mark_of_qe_identity(forged.qe_identities[0], ()),
        "root": mark_of_list(RevocationList.decode(forge_tdx.ROOT_CRL), (root,)),
        "pck": mark_of_list(RevocationList.decode(forge_tdx.PCK_CRL), (authority,)),
    }
    mark = marks[what]
    assert mark is not None
    check = "tdx.collateral.regressed"
    assert tdx(NOTHING_SEEN.with_marks([mark]), forged).accepted
    newer = replace(mark, number=mark.number + 1, issued=LATER)
    judged = tdx(NOTHING_SEEN.with_marks([newer]), forged)
    assert judged.outcome_of(check) is Outcome.UNDECIDED
    assert judged.undecided
    finding = next(one for one in judged.findings if one.check == check)
    assert mark.series in finding.expected
    assert finding.hint


def test_whose_key_it_is_makes_the_series() -> None:
    evil = forge.authority("ARK-Milan", issuer="ARK-Milan", key="asvk", signer="asvk", serial=7)
    forged = RevocationList.decode(forge.crl(signer="asvk"))
    assert mark_of_list(forged, ROOT) is None
    mark = mark_of_list(forged, (x509.decoded(evil),))
    assert mark is not None
    assert mark.series != list_mark(forge.crl()).series
    statement = forge_tdx.statement(forge_tdx.tcb_info())
    assert mark_of_tcb_info(replace(statement, signature=bytes(64)), ()) is None
    assert mark_of_tcb_info(replace(statement, chain=()), ()) is None


def test_evidence_without_collateral_is_as_it_was() -> None:
    from warily.core.collateral import NitroCollateral

    judged = snp(NOTHING_SEEN, forge.Forged())
    assert against(judged, NitroEvidence(document=b""), NitroCollateral(), NOTHING_SEEN, at=forge.NOW) is judged


def test_every_check_has_a_sentence() -> None:
    assert [check for check, _ in checks()] == list(RULES)
    assert all(sentence.endswith(".") for _, sentence in checks())


def test_the_processor_below_a_virtual_tpm(vectors: Path) -> None:
    data = (vectors / "evidence/azure_snp_vtpm/trustee/evidence-v2.json").read_bytes()
    evidence = recognise.evidence_from(data)
    collateral = recognise.collateral_for(evidence, [])
    at = datetime(2026, 3, 15, tzinfo=UTC)
    judged = against(
        appraise(evidence, collateral, preset("genuine", evidence), at=at), evidence, collateral, NOTHING_SEEN, at=at
    )
    assert judged.outcome_of("snp.crl.regressed") is Outcome.WAIVED
    assert judged.accepted
