"""Every way of being wrongly accepted, refused."""

from datetime import UTC, datetime

import pytest

from warily.core.appraisal import Appraisal, Rejected
from warily.core.finding import Finding, Outcome, Waived, failed, passed, undecided, waived
from warily.errors import CollateralError

AT = datetime(2026, 1, 1, tzinfo=UTC)


def appraisal(*findings: Finding, required: frozenset[str] = frozenset({"a", "b"})) -> Appraisal:
    return Appraisal(platform="snp", at=AT, anchor="AMD", required=required, findings=findings)


def test_all_required_checks_passed_or_waived() -> None:
    good = appraisal(passed("a"), waived("b", Waived("a lab")))
    assert good.accepted
    good.require()


@pytest.mark.parametrize(
    "bad",
    [
        appraisal(required=frozenset()),
        appraisal(passed("a"), required=frozenset()),
        appraisal(),
        appraisal(passed("a")),
        appraisal(passed("a"), failed("b", expected="x", found="y")),
        appraisal(passed("a"), passed("b"), failed("a", expected="x", found="y")),
        appraisal(failed("a", expected="x", found="y"), passed("a"), passed("b")),
        appraisal(passed("a"), passed("b"), failed("c", expected="x", found="y")),
        appraisal(passed("a"), Finding(check="b", outcome=Outcome.NOT_REACHED)),
    ],
)
def test_anything_less_is_rejected(bad: Appraisal) -> None:
    assert not bad.accepted
    with pytest.raises(Rejected):
        bad.require()


def test_undecided_is_neither() -> None:
    open_question = appraisal(passed("a"), undecided("b", missing="a CRL"))
    assert not open_question.accepted
    with pytest.raises(CollateralError):
        open_question.require()


def test_a_failure_outweighs_an_open_question() -> None:
    both = appraisal(undecided("a", missing="a CRL"), failed("b", expected="x", found="y"))
    with pytest.raises(Rejected):
        both.require()


def test_it_is_no_boolean() -> None:
    with pytest.raises(TypeError):
        bool(appraisal(passed("a"), passed("b")))


def test_a_waiver_needs_a_reason() -> None:
    with pytest.raises(ValueError, match="reason"):
        Waived(" ")
