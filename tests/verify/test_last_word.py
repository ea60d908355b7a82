"""The last word in CEL: it rejects what it does not find true, errors included, and accepts nothing by itself."""

import sys
from dataclasses import replace

import pytest

from tests.forge import NOW, Forged
from tests.verify.test_expectation import WHOLE
from warily.core.appraisal import Appraisal
from warily.core.expect import LastWord, SnpExpect
from warily.core.finding import Outcome
from warily.errors import HostError, UsageError
from warily.verify import appraise
from warily.verify.expectation import read_expectation
from warily.verify.last_word import CHECK, checks
from warily.verify.last_word.cel import MAX_STEPS, Unspoken, evaluate
from warily.verify.policy import check_policy

pytest.importorskip("celpy", reason="cel-python is not installed")


def judged(cel: str, case: Forged | None = None) -> Appraisal:
    case = case or Forged()
    return appraise(case.evidence, case.collateral, LastWord(over=case.expectation, cel=cel), at=NOW)


@pytest.mark.parametrize(
    "cel",
    [
        "true",
        "claims.tcb.reported.snp >= 24",
        'claims.product == "Milan" && !rehearsal || rehearsal',
        'findings.all(f, f.outcome in ["pass", "waived"])',
        'advisories.exists(a, a.advisory == "AMD-SB-3019" && a.standing == "excluded")',
        'size(findings) > 10 && platform.startsWith("AMD")',
        "accepted",
    ],
)
def test_what_is_true_lets_the_findings_stand(cel: str) -> None:
    appraisal = judged(cel)
    assert appraisal.accepted, appraisal.first_failure
    assert appraisal.findings[-1].check == CHECK
    assert CHECK in appraisal.required


@pytest.mark.parametrize(
    ("cel", "found"),
    [
        ("false", "false"),
        ("claims.tcb.reported.snp >= 25", "false"),
        ("1", "no boolean: 'IntType 1'"),
        ('"true"', "no boolean"),
        ("claims.no_such_claim == 1", "no such member"),
        ("nobody", "CELEvalError"),
        ("1 / 0 == 1", "divide by zero"),
        ("claims.tcb >", "CELParseError"),
        ("", ""),
        ("(" * 65 + "true" + ")" * 65, "over 64 brackets"),
        ('findings.all(a, findings.all(b, findings.all(c, c.check != "x")))', f"over {MAX_STEPS} steps"),
        ("[findings, findings].all(f, f.all(g, f.all(h, f.all(i, true))))", f"over {MAX_STEPS} steps"),
    ],
)
def test_everything_else_is_a_rejection(cel: str, found: str) -> None:
    before = sys.getrecursionlimit()
    appraisal = judged(cel)
    assert not appraisal.accepted
    first = appraisal.first_failure
    assert first is not None
    assert (first.check, first.outcome) == (CHECK, Outcome.FAIL)
    assert found in first.found
    assert sys.getrecursionlimit() == before


def test_it_accepts_nothing_that_the_findings_reject() -> None:
    appraisal = judged("true", Forged(report=replace(Forged().report, policy=0xB001F)))
    assert not appraisal.accepted
    assert appraisal.outcome_of(CHECK) is Outcome.PASS
    appraisal = judged("true", Forged(key="mallory"))
    assert appraisal.outcome_of(CHECK) is Outcome.NOT_REACHED
    assert not appraisal.accepted


def test_it_stands_in_the_file_beside_the_table() -> None:
    want = read_expectation(f'{WHOLE}\n[last_word]\ncel = "claims.guest_svn == 3"\n'.encode())
    assert isinstance(want, LastWord)
    assert want.cel == "claims.guest_svn == 3"
    assert isinstance(want.over, SnpExpect)
    for wrong in ("cel = 1", "", 'cel = ""', 'cel = "a"\nmore = 1', f'cel = "{"a" * 4097}"'):
        with pytest.raises(UsageError, match="last_word"):
            read_expectation(f"{WHOLE}\n[last_word]\n{wrong}\n".encode())
    with pytest.raises(UsageError, match="0 tables"):
        read_expectation(b'[last_word]\ncel = "true"\n')
    assert check_policy(f'{WHOLE}\n[last_word]\ncel = "true"\n'.encode()) == check_policy(WHOLE.encode())


def test_without_the_language_this_machine_lacks_something(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "celpy", None)
    with pytest.raises(HostError, match="cel-python is not installed"):
        judged("true")


def test_values_are_bounded_and_odd_ones_are_text() -> None:
    assert evaluate("x == '9223372036854775808' && y == null", {"x": 1 << 63, "y": None}) is True
    with pytest.raises(Unspoken, match="values"):
        evaluate("true", {"x": [0] * 100_001})
    assert [check for check, _ in checks()] == [CHECK]
