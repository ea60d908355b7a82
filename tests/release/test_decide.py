from datetime import UTC, datetime

import pytest

from warily.core.appraisal import Appraisal
from warily.core.finding import Finding, failed, passed, undecided
from warily.release import registry
from warily.release.decide import Granted, Reason, Refused, decide
from warily.release.messages import VolumeState
from warily.release.registry import Confirmed, ToInitialise, Volume

IDENTITY = b"i" * 32
NOW = 1_800_000_000


def appraisal(*findings: Finding) -> Appraisal:
    return Appraisal(
        platform="snp",
        at=datetime(2026, 1, 1, tzinfo=UTC),
        anchor="AMD ARK-Genoa",
        required={"snp.measurement"},
        findings=findings,
    )


GOOD = appraisal(passed("snp.measurement"))


def blank(name: str = "data") -> Volume:
    return registry.blank(identity=IDENTITY, name=name, wrapped=b"w")


def initialised(name: str = "data") -> Volume:
    asked = registry.ask(blank(name), identity=IDENTITY, session="zero", now=0)
    assert isinstance(asked, ToInitialise)
    done = registry.confirm(asked.volume, session="zero", descriptor=b"d" * 32, epoch=1)
    assert isinstance(done, Confirmed)
    return done.volume


def asked(verdict: Appraisal, *volumes: Volume, identity: bytes = IDENTITY) -> tuple[Granted | Refused, list[str]]:
    unwrapped: list[str] = []

    def unwrap(volume: Volume) -> bytes:
        unwrapped.append(volume.name)
        return b"s" * 32

    answer = decide(verdict, volumes, identity=identity, session="one", now=NOW, unwrap=unwrap)
    return answer, unwrapped


def test_accepted_evidence_gets_each_key_with_what_is_remembered() -> None:
    answer, _ = asked(GOOD, blank("new"), initialised("old"))
    assert isinstance(answer, Granted)
    new, old = answer.keys
    assert (new.name, new.state, new.descriptor) == ("new", VolumeState.BLANK, None)
    assert (old.name, old.state, old.descriptor) == ("old", VolumeState.INITIALISED, b"d" * 32)
    assert answer.remember[0].holder == "one"


@pytest.mark.parametrize(
    ("verdict", "reason", "code"),
    [
        (appraisal(failed("snp.measurement", expected="a", found="b")), Reason.REJECTED, "rejected"),
        (appraisal(), Reason.REJECTED, "rejected"),
        (appraisal(passed("snp.other")), Reason.REJECTED, "rejected"),
        (appraisal(undecided("snp.measurement", missing="a VCEK")), Reason.UNDECIDED, "undecided"),
    ],
)
def test_nothing_less_than_an_accepted_appraisal_unwraps_a_key(verdict: Appraisal, reason: Reason, code: str) -> None:
    answer, unwrapped = asked(verdict, initialised())
    assert isinstance(answer, Refused)
    assert (answer.reason, answer.code, answer.findings) == (reason, code, verdict.findings)
    assert unwrapped == []


def test_one_refused_volume_keeps_all_keys() -> None:
    answer, unwrapped = asked(GOOD, initialised("good"), registry.retire(initialised("gone")))
    assert isinstance(answer, Refused)
    assert (answer.reason, answer.code) == (Reason.REGISTRY, "volume-retired")
    assert unwrapped == []


def test_a_volume_of_another_vm_is_refused() -> None:
    answer, unwrapped = asked(GOOD, initialised(), identity=b"j" * 32)
    assert isinstance(answer, Refused)
    assert (answer.reason, answer.code) == (Reason.REGISTRY, "volume-of-another")
    assert unwrapped == []


def test_a_held_volume_is_a_matter_of_waiting() -> None:
    held = registry.ask(blank(), identity=IDENTITY, session="zero", now=NOW - 10)
    assert isinstance(held, ToInitialise)
    answer, unwrapped = asked(GOOD, held.volume)
    assert isinstance(answer, Refused)
    assert (answer.reason, answer.seconds) == (Reason.UNDECIDED, registry.HOLD - 10)
    assert unwrapped == []
