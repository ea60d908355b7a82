"""A broker's own answers become facts; anything else is refused."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import forge
from tests.posture.examples import MANIFEST as OTHER
from tests.service.forge_guest import IDENTITY, MANIFEST, STATE, Guest, Lab
from warily.core.manifest import Manifest
from warily.errors import FormatError
from warily.formats.volume_descriptor import KERNEL_CIPHER
from warily.posture.cell import Adversary, Component, State
from warily.posture.facts import Facts, Freshness
from warily.posture.from_broker import facts_from_broker
from warily.posture.grade import grade

Answer = dict[str, Any]
SEALED = replace(
    MANIFEST,
    volumes=tuple(replace(volume, cipher=KERNEL_CIPHER) for volume in MANIFEST.volumes[:1]),
    command_line=f"quiet warily.root={MANIFEST.root.root_hash.hex()}",
)


def told(folder: Path, *guests: Guest) -> Answer:
    """What a broker's operator hears once these guests have asked for keys."""

    async def main() -> Answer:
        lab = await Lab.open(folder)
        try:
            for guest in guests:
                await lab.attest(guest)
            answer: Answer = await lab.operator("GET", f"appraisals/{IDENTITY.hex()}")
            return answer
        finally:
            await lab.close()

    return asyncio.run(main())


@pytest.fixture(scope="module")
def accepted(tmp_path_factory: pytest.TempPathFactory) -> Answer:
    return told(tmp_path_factory.mktemp("broker"), Guest())


def facts(answer: Answer, *manifests: Manifest, minutes: int = 1) -> Facts:
    return facts_from_broker(answer, manifests or (SEALED,), at=forge.NOW + timedelta(minutes=minutes))


def state(given_facts: Facts, component: Component) -> State:
    return grade(given_facts).cell(component, Adversary.HYPERVISOR).state


def test_an_accepted_guest_is_graded(accepted: Answer) -> None:
    found = facts(accepted, OTHER, SEALED)
    assert found.accepted
    assert found.rehearsal
    assert found.image is SEALED
    assert found.sample == STATE
    assert found.freshness is Freshness.FRESH
    assert found.release is not None
    assert found.release.granted == {"data"}
    assert state(found, Component.MEMORY) is State.EXPOSED
    assert state(found, Component.STORAGE) is State.EXCLUDED
    assert state(found, Component.ATTESTATION) is State.ASSUMED
    assert state(found, Component.RUNTIME) is State.ASSUMED


def test_the_answer_ages(accepted: Answer) -> None:
    assert facts(accepted, minutes=11).freshness is Freshness.STALE
    assert facts(accepted, minutes=61).freshness is Freshness.NONE


def test_a_manifest_of_another_image_explains_nothing(accepted: Answer) -> None:
    found = facts(accepted, OTHER)
    assert found.image is None
    assert "ledger does not predict" in grade(found).cell(Component.FIRMWARE, Adversary.HYPERVISOR).because


def test_a_refused_guest_has_nothing_excluded(tmp_path: Path) -> None:
    debug = Guest(report=lambda report: replace(report, policy=report.policy | 1 << 19))
    found = facts(told(tmp_path, debug))
    assert not found.accepted
    assert {cell.state for cell in grade(found).cells} == {State.EXPOSED, State.UNKNOWN}


def test_a_replayed_nonce_has_nothing_excluded(tmp_path: Path) -> None:
    async def main() -> Answer:
        lab = await Lab.open(tmp_path)
        try:
            nonce = await lab.nonce()
            await lab.attest(Guest(identity=b"\x01" * 32), nonce)
            await lab.attest(Guest(), nonce)
            answer: Answer = await lab.operator("GET", f"appraisals/{IDENTITY.hex()}")
            return answer
        finally:
            await lab.close()

    found = facts(asyncio.run(main()))
    assert found.appraisal.first_failure is not None
    assert found.appraisal.first_failure.check == "release.nonce"
    assert {cell.state for cell in grade(found).cells} == {State.UNKNOWN}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content.pop("appraisal"),
        lambda content: content.pop("evidence"),
        lambda content: content.update(at="today"),
        lambda content: content.update(accepted="yes"),
        lambda content: content["appraisal"].update(claims=[]),
        lambda content: content["appraisal"]["findings"][0].update(outcome="fine"),
        lambda content: content["evidence"].update(state=["application/vnd.warily.guest-state+json", "e30"]),
    ],
)
def test_a_spoiled_answer_is_a_format_error(accepted: Answer, spoil: Callable[[Answer], object]) -> None:
    copy = json.loads(json.dumps(accepted))
    spoil(copy["accepted"])
    with pytest.raises(FormatError):
        facts(copy)


def test_an_answer_without_evidence_is_a_format_error() -> None:
    with pytest.raises(FormatError, match="neither accepted nor refused"):
        facts({"accepted": None, "refused": None})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
@settings(deadline=None)
def test_any_changed_member_is_refused_or_never_improves_a_cell(accepted: Answer, data: st.DataObject) -> None:
    copy = json.loads(json.dumps(accepted))
    place = copy["accepted"]
    for _ in range(data.draw(st.integers(0, 2))):
        inner = [value for value in place.values() if isinstance(value, dict)]
        place = data.draw(st.sampled_from(inner)) if inner else place
    key = data.draw(st.sampled_from(sorted(place)))
    place[key] = data.draw(json_values)
    if key in ("at", "measurement"):
        return  # another time or another image is another story
    try:
        now = grade(facts(copy))
    except FormatError:
        return
    for was, found in zip(grade(facts(accepted)).cells, now.cells, strict=True):
        assert found.worth <= was.worth
