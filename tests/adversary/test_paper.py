"""Attacks that need no machine: the real broker, the guest's own code, the verifier; each control falls."""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from tests.service.forge_guest import MANIFEST
from warily.adversary import desk as desks
from warily.adversary import headers
from warily.adversary.attack import Alone, Attack, Verdict
from warily.adversary.attacks import collateral, evidence, grants, records
from warily.adversary.lab import Lab
from warily.adversary.once import Once
from warily.core.declaration import Platform
from warily.core.manifest import PredictedRegister
from warily.launch.rehearsal_keys import hierarchy

PAPER = (*evidence.ATTACKS, *collateral.ATTACKS, *grants.ATTACKS, *records.ATTACKS)
MEASURED = sha256(b"an image").digest() + bytes(16)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A laboratory without an image: its measurement is made up, all else is real."""
    folder = tmp_path_factory.mktemp("lab")
    hierarchy(folder / "rehearsal")
    measured = PredictedRegister(
        platform=Platform.REHEARSAL, register="launch_digest", when={"vcpus": "2"}, value=MEASURED
    )
    home = SimpleNamespace(rehearsal=folder / "rehearsal", image=folder, machine=folder / "machine")
    home.machine.mkdir()
    manifest = replace(MANIFEST, registers=(measured,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warily.launch.rehearsal_sp.measure", lambda _: MEASURED)
        yield cast("Lab", SimpleNamespace(stage=SimpleNamespace(home=home, manifest=manifest)))


@pytest.mark.parametrize("attack", PAPER, ids=lambda attack: attack.id)
def test_the_control_falls_and_the_image_does_not(lab: Lab, attack: Attack) -> None:
    assert isinstance(attack.how, Alone)
    assert attack.how.control(lab).verdict is Verdict.SUCCEEDED
    seen = attack.how.image(lab)
    assert seen.verdict in (Verdict.REFUSED, Verdict.DETECTED), seen.evidence


def test_an_honest_guest_is_granted(lab: Lab) -> None:
    """Without it, every refusal above would mean nothing."""
    with desks.desk(lab.stage) as broker:
        guest, nonce = desks.paper_guest(lab.stage), broker.nonce()
        assert grants.honest(broker, guest, nonce).nonce == nonce


def test_a_forged_header_opens_in_cryptsetup(tmp_path: Path) -> None:
    genuine = headers.forged_header(tmp_path)
    assert headers.NULL.encode() in genuine
    assert headers.opened_by_cryptsetup().verdict is Verdict.SUCCEEDED


def test_what_is_shared_is_made_once_and_fails_for_all() -> None:
    once, calls = Once(), []

    def fail() -> int:
        calls.append(1)
        raise ValueError("no")

    assert once.make("a", lambda: 1) == once.make("a", lambda: 2) == 1
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            once.make("b", fail)
    assert calls == [1]
