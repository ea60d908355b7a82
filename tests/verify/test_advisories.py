"""Advisories: the data are whole, each condition is judged as it says, and one more never makes a result better."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.forge import NOW, REPORT, Forged
from tests.forge_tdx import Forged as ForgedQuote
from tests.forge_tdx import level, statement, tcb_info
from tests.verify.test_snp_vectors import rows
from warily.core.advisory import Exposure, Standing
from warily.core.finding import Outcome, Waived
from warily.errors import UsageError
from warily.verify import appraise, snp, tdx
from warily.verify.advisories import Advisory, Condition, Facts, Held, advisories, demanded, judge, read_advisory
from warily.verify.front import verify
from warily.verify.snp import exposure as snp_exposure
from warily.verify.snp.products import by_cpuid, products
from warily.verify.tdx import exposure as tdx_exposure

PLAIN = """
id = "X-1"
title = "a title"
attacks = []
cves = []
platform = "snp"
data_of = 2026-11-23
source = "https://example.org/"
grounds = "nothing"

[[answer]]
for = ["Milan"]
ways = [[{ tcb = "snp", least = 25 }]]
"""
MILAN = next(product for product in products() if product.kds == "Milan")


def standings(found: Sequence[Exposure]) -> dict[str, Standing]:
    return {one.advisory: one.standing for one in found}


def test_every_file_is_whole_and_every_condition_means_something() -> None:
    known = advisories()
    assert len({entry.id for entry in known}) == len(known) > 25
    assert all(entry.source.startswith("https://") for entry in known)
    judged = {"snp": snp_exposure.is_judged, "tdx": tdx_exposure.is_judged}
    assert [entry.id for entry in known if not judged[entry.platform](entry)] == []
    names = {product.kds for product in products()} | {line.name for line in snp_exposure.lines()} | {"TDX", "SGX"}
    assert {name for entry in known for answer in entry.answers for name in answer.products} <= names


@pytest.mark.parametrize("entry", [entry for entry in advisories() if entry.platform == "snp"], ids=lambda one: one.id)
def test_every_bulletin_speaks_of_every_product(entry: Advisory) -> None:
    for line in snp_exposure.lines():
        assert entry.answer_for(line.name, line.product) is not None, line.name


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('id = "X-1"', ""),
        ('title = "a title"', 'title = ""'),
        ("data_of = 2026-11-23", "data_of = 2026-11-23T00:00:00Z"),
        ('platform = "snp"', 'platform = "abacus"'),
        ('for = ["Milan"]', "for = []"),
        ("ways = [[", "unaffected = true\nways = [["),
        ("ways = [[{ tcb", "wais = [[{ tcb"),
        ("ways = [[{", "ways = []  #"),
        ("least = 25", 'least = "25"'),
        ("least = 25", "most = 25"),
        ("tcb =", "bits ="),
        ("[[answer]]", "[answer]"),
        ('id = "X-1"', 'id = "X-1"\nmore = 1'),
    ],
)
def test_what_is_wrong_with_a_file_is_said(old: str, new: str) -> None:
    assert read_advisory(PLAIN).id == "X-1"
    with pytest.raises(UsageError, match="advisory"):
        read_advisory(PLAIN.replace(old, new))


def test_how_far_behind_a_report_is() -> None:
    found = {one.advisory: one for one in snp_exposure.exposures(REPORT, MILAN)}
    assert found["AMD-SB-3020"].because == "SNP firmware 24, answered since 27"
    assert found["AMD-SB-3020"].behind
    assert found["AMD-SB-3019"].standing is Standing.EXCLUDED
    assert found["AMD-SB-3034"].standing is Standing.UNKNOWN  # the report has no mitigation vector
    assert not found["AMD-SB-3045"].behind
    assert not found["AMD-SB-3045"].answerable


def test_the_least_of_the_four_versions_counts() -> None:
    newest = int.from_bytes(bytes([4, 0, 0, 0, 0, 0, 29, 222]), "little")
    report = replace(REPORT, version=5, launch_mitigations=0x1E, current_mitigations=0x1E)
    report = replace(report, reported_tcb=newest, committed_tcb=newest, current_tcb=newest)
    before = standings(snp_exposure.exposures(replace(report, launch_tcb=newest), MILAN))
    after = {one.advisory: one for one in snp_exposure.exposures(report, MILAN)}
    assert before["AMD-SB-3030"] is before["AMD-SB-3034"] is before["AMD-SB-3020"] is Standing.EXCLUDED
    assert after["AMD-SB-3030"].because == "SNP firmware 24 (launch), answered since 29"
    bit = replace(report, launch_tcb=newest, current_mitigations=0x0E)
    assert "mitigation bit 4 is clear (current)" in {one.because for one in snp_exposure.exposures(bit, MILAN)}


def test_microcode_of_one_line_says_nothing_of_another() -> None:
    tcb = int.from_bytes(bytes([4, 0, 0, 0, 0, 0, 24, 0x44]), "little")
    report = replace(REPORT, reported_tcb=tcb, committed_tcb=tcb, current_tcb=tcb, launch_tcb=tcb)
    classic, stacked = (replace(report, cpuid_stepping=stepping) for stepping in (1, 2))
    assert standings(snp_exposure.exposures(classic, MILAN))["AMD-SB-3019"] is Standing.OPEN
    assert standings(snp_exposure.exposures(stacked, MILAN))["AMD-SB-3019"] is Standing.EXCLUDED
    silent = replace(classic, version=2, cpuid_family=0, cpuid_model=0, cpuid_stepping=0)
    found = {one.advisory: one for one in snp_exposure.exposures(silent, MILAN)}
    assert found["AMD-SB-3019"].standing is Standing.UNKNOWN
    assert "does not say which silicon" in found["AMD-SB-3019"].because
    assert found["AMD-SB-3016"].standing is Standing.OPEN  # the same answer for every line


def test_an_unknown_product_is_told_nothing() -> None:
    venice = replace(MILAN, kds="Venice")
    assert set(standings(snp_exposure.exposures(REPORT, venice)).values()) == {Standing.UNKNOWN}


@pytest.mark.parametrize(
    "row", [row for row in rows("CASES.tsv") if row["expected"] == "ACCEPT"], ids=lambda r: r["id"]
)
def test_genuine_reports_exclude_what_their_firmware_answers(vectors: Path, row: dict[str, str]) -> None:
    if row["platform"] != "SNP":
        pytest.skip("another platform")
    offered = [(vectors / "evidence" / name).read_bytes() for name in row["endorsements"].split(" + ")]
    at = datetime.fromisoformat(row["verify_at"])
    appraisal = verify(
        (vectors / "evidence" / row["evidence"]).read_bytes(), collateral=offered, expect="genuine", at=at
    )
    found = standings(appraisal.advisories)
    assert len(found) == sum(entry.platform == "snp" for entry in advisories())
    recent = "turin" in row["id"] or "v3" in row["id"]
    assert (found["AMD-SB-3015"] is Standing.EXCLUDED) is recent
    assert appraisal.as_json()["advisories"] == [one.as_json() for one in appraisal.advisories]


def test_intels_word_comes_first() -> None:
    levels = [
        level("UpToDate", sgx=5, tdx=(5, 0, 3)),
        level("OutOfDate", sgx=4, tdx=(4, 0, 3), advisoryIDs=["INTEL-SA-01397", "INTEL-SA-09999"]),
    ]
    reached = ForgedQuote(tcb_infos=(statement(tcb_info(tcbLevels=levels)),))
    found = standings(judged(reached))
    assert found["INTEL-SA-01397"] is Standing.EXCLUDED
    assert "INTEL-SA-09999" not in found
    low = [replace_status(levels[1], sgx=5)]
    behind = {one.advisory: one for one in judged(ForgedQuote(tcb_infos=(statement(tcb_info(tcbLevels=low)),)))}
    for name in ("INTEL-SA-01397", "INTEL-SA-09999"):
        assert (behind[name].standing, behind[name].behind) == (Standing.OPEN, True)
        assert "Intel names it" in behind[name].because
    assert behind["INTEL-SA-09999"].data_of is None


def replace_status(one: dict[str, object], *, sgx: int) -> dict[str, object]:
    return level("OutOfDate", sgx=sgx, tdx=(5, 0, 3), advisoryIDs=one["advisoryIDs"])


def judged(case: ForgedQuote) -> Sequence[Exposure]:
    return appraise(
        case.evidence, case.collateral, replace(case.expectation, statuses=Waived("a test")), at=NOW
    ).advisories


def test_evidence_that_is_not_authentic_says_nothing_of_attacks() -> None:
    case = Forged(key="mallory")
    assert appraise(case.evidence, case.collateral, case.expectation, at=NOW).advisories == ()


def entry(name: str, standing: Standing, *, answerable: bool, published: date | None) -> Exposure:
    return Exposure(
        advisory=name,
        title="t",
        attacks=(),
        cves=(),
        published=published,
        data_of=None,
        source="s",
        standing=standing,
        because="b",
        answerable=answerable,
        behind=False,
    )


EXPOSURES = st.builds(
    entry,
    st.sampled_from([f"X-{number}" for number in range(6)]),
    st.sampled_from(Standing),
    answerable=st.booleans(),
    published=st.none() | st.dates(date(2025, 1, 1), date(2026, 12, 31)),
)
WANTED = st.dates(date(2025, 1, 1), date(2026, 12, 31)) | st.frozensets(st.sampled_from(["X-0", "X-1"]))
ORDER = {Outcome.PASS: 0, Outcome.FAIL: 1}


@given(st.lists(EXPOSURES, unique_by=lambda one: one.advisory, max_size=5), EXPOSURES, WANTED)
def test_one_more_advisory_never_improves_a_result(
    known: list[Exposure], more: Exposure, want: frozenset[str] | date
) -> None:
    """An expectation names only advisories that are known; one more is listed besides, and may only be demanded."""
    names = {one.advisory for one in known}
    if more.advisory in names or (isinstance(want, frozenset) and not want <= names):
        return
    before, after = (demanded("x", entries, want).outcome for entries in (known, [*known, more]))
    assert ORDER[after] >= ORDER[before]


@given(st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=4), st.booleans())
def test_three_answers_are_never_mixed(held: list[bool | None], each: bool) -> None:  # noqa: FBT001  # drawn
    conditions = ", ".join(f"{{ mitigation = {number} }}" for number in range(len(held)))
    ways = f"[{conditions}]" if not each else ", ".join(f"[{{ mitigation = {number} }}]" for number in range(len(held)))
    advisory = read_advisory(PLAIN.replace('[{ tcb = "snp", least = 25 }]', ways))

    def decide(_: Advisory, condition: Condition) -> Held:
        return Held(yes=held[condition["mitigation"]], says="x")

    found = judge(advisory, Facts(product="Milan", lines=(), holds=decide)).standing
    together = (all(one is True for one in held), False in held)
    excluded, decided = (True in held, None not in held) if each else together
    assert found is (Standing.EXCLUDED if excluded else Standing.OPEN if decided else Standing.UNKNOWN)


def test_what_an_expectation_demands() -> None:
    known = [entry("X-1", Standing.EXCLUDED, answerable=True, published=date(2025, 5, 1))]
    assert demanded("c", known, Waived("w")).outcome is Outcome.WAIVED
    assert demanded("c", known, frozenset({"X-1"})).outcome is Outcome.PASS
    missing = demanded("c", known, frozenset({"X-2"}))
    assert (missing.outcome, missing.found) == (Outcome.FAIL, "X-2: not judged")
    later = entry("X-2", Standing.OPEN, answerable=True, published=date(2025, 6, 1))
    assert demanded("c", [*known, later], date(2025, 5, 31)).outcome is Outcome.PASS
    assert demanded("c", [*known, later], date(2025, 6, 1)).outcome is Outcome.FAIL


def test_floors_live_in_data_alone() -> None:
    assert snp.presets.BASELINE.tcb_floor == Waived("baseline: no TCB floor was named")
    assert all(isinstance(preset.must_exclude, Waived) for preset in snp.presets.PRESETS.values())
    assert all(isinstance(preset.must_exclude, Waived) for preset in tdx.presets.PRESETS.values())


def test_a_report_names_its_product_and_line() -> None:
    assert by_cpuid(REPORT) is MILAN
    assert datetime(2026, 11, 23, tzinfo=UTC).date() >= max(entry.data_of for entry in advisories())
