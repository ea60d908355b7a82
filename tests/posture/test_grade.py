"""Cells follow from evidence alone, and less evidence never makes a better cell."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.posture.examples import AT, HARDWARE, MANIFEST, NOTHING, REHEARSAL, RELEASE, STATE, plugged_in
from warily.core.finding import Finding, Outcome
from warily.core.manifest import VolumeSpec
from warily.formats.guest_state import Device
from warily.posture.cell import Adversary, Cell, Component, Grade, State, clip
from warily.posture.facts import FRESH_FOR, STALE_FOR, Facts
from warily.posture.grade import RULES, grade

C, S = Component, State
HYPERVISOR, ADMIN, OPERATOR = Adversary
MICROSECOND = timedelta(microseconds=1)
STRANGE = "pci/0000:00:1d.0 8086:100e:020000 e1000"


def states(facts: Facts, adversary: Adversary = OPERATOR) -> dict[Component, State]:
    posture = grade(facts)
    return {component: posture.cell(component, adversary).state for component in Component}


def cell(facts: Facts, component: Component, adversary: Adversary = OPERATOR) -> Cell:
    return grade(facts).cell(component, adversary)


def with_claims(facts: Facts, **claims: object) -> Facts:
    return replace(facts, appraisal=replace(facts.appraisal, claims={**facts.appraisal.claims, **claims}))


def with_finding(facts: Facts, check: str, outcome: Outcome) -> Facts:
    findings = [f if f.check != check else replace(f, outcome=outcome) for f in facts.appraisal.findings]
    return replace(facts, appraisal=replace(facts.appraisal, findings=tuple(findings)))


# What full evidence says.


def test_hardware_with_full_facts() -> None:
    assert states(HARDWARE) == {
        C.MEMORY: S.EXCLUDED,
        C.FIRMWARE: S.EXCLUDED,
        C.STORAGE: S.EXCLUDED,
        C.NETWORK: S.EXPOSED,
        C.DEVICES: S.EXCLUDED,
        C.ATTESTATION: S.EXCLUDED,
        C.RUNTIME: S.ASSUMED,
    }
    assert cell(HARDWARE, C.MEMORY).grade is Grade.E5
    assert cell(HARDWARE, C.ATTESTATION).grade is Grade.E4
    assert cell(HARDWARE, C.DEVICES).grade is Grade.E2


def test_a_rehearsal_exposes_memory_and_grades_the_rest_as_software() -> None:
    assert states(REHEARSAL, HYPERVISOR) == {
        C.MEMORY: S.EXPOSED,
        C.FIRMWARE: S.EXCLUDED,
        C.STORAGE: S.EXCLUDED,
        C.NETWORK: S.EXPOSED,
        C.DEVICES: S.EXCLUDED,
        C.ATTESTATION: S.ASSUMED,
        C.RUNTIME: S.ASSUMED,
    }
    assert max(c.grade for c in grade(REHEARSAL).cells if c.grade is not None) is Grade.E2
    assert "rehearsal key" in cell(REHEARSAL, C.ATTESTATION).who


def test_nothing_is_known_of_nothing() -> None:
    assert set(states(NOTHING).values()) == {S.UNKNOWN}
    assert not any(name.holds for name in grade(NOTHING).names)


# Each rule's turning points.


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        (with_claims(HARDWARE, policy={"bits": ["DEBUG"]}), S.EXPOSED),
        (with_claims(HARDWARE, policy={"bits": ["MIGRATE_MA"]}), S.EXPOSED),
        (with_claims(HARDWARE, policy={}), S.UNKNOWN),
        (with_claims(HARDWARE, policy="debug"), S.UNKNOWN),
        (with_finding(HARDWARE, "snp.signature", Outcome.FAIL), S.UNKNOWN),
        (replace(HARDWARE, release=None), S.EXCLUDED),
    ],
)
def test_memory(facts: Facts, state: State) -> None:
    assert cell(facts, C.MEMORY).state is state


def test_memory_is_less_sure_without_a_recent_answer() -> None:
    old = cell(replace(HARDWARE, release=None), C.MEMORY)
    assert old.grade is Grade.E4
    assert "nothing shows that this report is recent" in old.still_open


@pytest.mark.parametrize(
    ("bits", "word"),
    [
        (["ALIAS_CHECK_COMPLETE", "RAPL_DIS"], "CIPHERTEXT_HIDING"),
        (["CIPHERTEXT_HIDING_DRAM_EN", "RAPL_DIS"], "ALIAS_CHECK_COMPLETE"),
        (["CIPHERTEXT_HIDING_DRAM_EN", "ALIAS_CHECK_COMPLETE"], "RAPL"),
        (["CIPHERTEXT_HIDING_DRAM_EN", "ALIAS_CHECK_COMPLETE", "RAPL_DIS", "SMT_EN"], "SMT"),
    ],
)
def test_each_platform_bit_leaves_one_thing_open(bits: list[str], word: str) -> None:
    closed = cell(HARDWARE, C.MEMORY).still_open
    opened = cell(with_claims(HARDWARE, platform={"bits": bits}), C.MEMORY).still_open
    (new,) = set(opened) - set(closed)
    assert word in new


def test_firmware_is_excluded_only_where_no_bytecode_runs() -> None:
    found = cell(HARDWARE, C.FIRMWARE)
    assert found.state is S.EXCLUDED
    assert any("static tables" in line for line in found.still_open)
    line = MANIFEST.command_line.replace("initcall_blacklist=acpi_init", "")
    opened = cell(of_image(command_line=line), C.FIRMWARE)
    assert opened.state is S.EXPOSED
    assert any("BadAML" in line for line in opened.still_open)
    assert not any("SSDT" in line for line in opened.still_open)
    assert any("SSDT" in line for line in cell(of_image(command_line="quiet"), C.FIRMWARE).still_open)


def of_image(facts: Facts = HARDWARE, **changes: object) -> Facts:
    return replace(facts, manifest=replace(MANIFEST, **changes))  # type: ignore[arg-type]  # fields by name


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        (of_image(command_line="quiet"), S.EXPOSED),
        (of_image(volumes=()), S.EXCLUDED),
        (of_image(volumes=(VolumeSpec(name="data", size=1, mount="/d", cipher="aes-xts-plain64"),)), S.EXPOSED),
        (of_image(volumes=(*MANIFEST.volumes, replace(MANIFEST.volumes[0], name="more"))), S.UNKNOWN),
        (of_image(registers=()), S.UNKNOWN),
        (replace(HARDWARE, release=None), S.UNKNOWN),
        (replace(HARDWARE, release=replace(RELEASE, accepted=False)), S.UNKNOWN),
        (replace(HARDWARE, release=replace(RELEASE, granted=frozenset({"other"}))), S.UNKNOWN),
        (replace(HARDWARE, release=replace(RELEASE, verifier_apart=False)), S.ASSUMED),
        (with_finding(HARDWARE, "snp.report-data", Outcome.WAIVED), S.UNKNOWN),
    ],
)
def test_storage(facts: Facts, state: State) -> None:
    assert cell(facts, C.STORAGE).state is state


def sampled(**changes: object) -> Facts:
    return replace(HARDWARE, state=replace(STATE, **changes))  # type: ignore[arg-type]  # fields by name


def plugged(*texts: str) -> Facts:
    """The hardware machine with these devices as well."""
    return sampled(devices=(*STATE.devices, *map(Device.parse, texts)))


def test_network_names_a_listener_the_manifest_does_not() -> None:
    strange = cell(sampled(listening=("127.0.0.1:5", "[::]:22")), C.NETWORK)
    assert (strange.state, strange.grade) == (S.EXPOSED, Grade.E1)
    assert "[::]:22" in strange.because


def test_network_of_an_image_without_ports_is_unknown() -> None:
    assert cell(replace(of_image(ports=()), state=replace(STATE, listening=())), C.NETWORK).state is S.UNKNOWN


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        (HARDWARE, S.EXCLUDED),
        (plugged("pci/0000:00:1d.0 1af4:1042:010000 virtio-pci"), S.EXPOSED),
        (plugged("pci/0000:00:13.0 1af4:1042:010000 virtio-pci"), S.EXPOSED),
        (plugged("pci/0000:00:07.0 1af4:1041:020000 e1000"), S.EXPOSED),
        (plugged("pci/0000:00:07.0 8086:100e:020000 virtio-pci"), S.EXPOSED),
        (plugged("pci/0000:01:07.0 1af4:1041:020000 virtio-pci"), S.EXPOSED),
        (plugged("virtio/0000:00:1d.0 1af4:0004 virtio_rng"), S.EXPOSED),
        (plugged("virtio/0000:00:08.0 1af4:0003 virtio_console"), S.EXPOSED),
        (plugged("pci/0000:00:1d.0 8086:100e:020000"), S.EXCLUDED),
        (sampled(autoprobe=("pci",)), S.DETECTED),
        (of_image(command_line=MANIFEST.command_line.replace(" warily.devices=declared", "")), S.DETECTED),
        (replace(REHEARSAL, state=STATE), S.EXCLUDED),
        (sampled(modules_disabled=False), S.EXPOSED),
        (replace(HARDWARE, state=None), S.UNKNOWN),
        (replace(HARDWARE, release=replace(RELEASE, answered=AT - FRESH_FOR - MICROSECOND)), S.ASSUMED),
        (replace(HARDWARE, release=replace(RELEASE, answered=AT - STALE_FOR - MICROSECOND)), S.UNKNOWN),
        (replace(HARDWARE, release=replace(RELEASE, answered=AT + MICROSECOND)), S.UNKNOWN),
        (with_finding(HARDWARE, "snp.report-data", Outcome.WAIVED), S.UNKNOWN),
    ],
)
def test_devices(facts: Facts, state: State) -> None:
    assert cell(facts, C.DEVICES).state is state


def test_an_unknown_device_that_nothing_drives_is_named() -> None:
    found = cell(plugged("pci/0000:00:1d.0 8086:100e:020000"), C.DEVICES)
    assert "1 unknown ones are left without a driver" in found.because
    assert found.still_open[0].startswith("pci/0000:00:1d.0 8086:100e:020000 ")
    assert "nothing unknown" in cell(HARDWARE, C.DEVICES).because


@pytest.mark.parametrize(
    ("facts", "adversary", "state"),
    [
        (replace(HARDWARE, manifest=None), OPERATOR, S.UNKNOWN),
        (replace(HARDWARE, release=None), OPERATOR, S.UNKNOWN),
        (replace(HARDWARE, release=replace(RELEASE, nonce_was_ours=False)), OPERATOR, S.UNKNOWN),
        (replace(HARDWARE, release=replace(RELEASE, verifier_apart=False)), OPERATOR, S.ASSUMED),
        (replace(HARDWARE, release=replace(RELEASE, verifier_apart=False)), ADMIN, S.ASSUMED),
        (replace(HARDWARE, release=replace(RELEASE, verifier_apart=False)), HYPERVISOR, S.EXCLUDED),
        (replace(HARDWARE, release=replace(RELEASE, answered=AT - FRESH_FOR - MICROSECOND)), HYPERVISOR, S.ASSUMED),
    ],
)
def test_attestation(facts: Facts, adversary: Adversary, state: State) -> None:
    assert cell(facts, C.ATTESTATION, adversary).state is state


@pytest.mark.parametrize(
    "change",
    [
        {"modules_disabled": False},
        {"kexec_disabled": False},
        {"lockdown": "none"},
        {"root_is_verity": False},
        {"swaps": 1},
        {"hibernation": True},
    ],
)
def test_runtime_falls_with_each_latch(change: dict[str, object]) -> None:
    assert cell(sampled(**change), C.RUNTIME).state is S.EXPOSED


def test_a_manifest_that_predicts_another_platform_explains_nothing() -> None:
    registers = tuple(entry for entry in MANIFEST.registers if entry.platform == "rehearsal")
    assert grade(of_image(registers=registers)).image == ""
    assert grade(of_image(REHEARSAL, registers=registers)).image == "ledger"


# Names.


def test_names_follow_from_cells_and_list_the_failing_ones() -> None:
    names = {name.name: name for name in grade(HARDWARE).names}
    assert names["attestable execution environment"].holds
    failing = {one.cell.component for one in names["hypervisor-isolated workload"].failing}
    assert failing == {C.NETWORK}
    assert {one.cell.component for one in names["continuously verified runtime"].failing} == {C.RUNTIME}
    assert not any(name.holds for name in grade(REHEARSAL).names)


# What always holds.


def test_every_cell_is_there_once_and_in_order() -> None:
    wanted = [(component, adversary) for component in RULES for adversary in Adversary]
    assert [(c.component, c.adversary) for c in grade(HARDWARE).cells] == wanted
    assert tuple(RULES) == tuple(Component)


def test_only_checks_that_passed_are_cited() -> None:
    for facts in (HARDWARE, REHEARSAL):
        for found in grade(facts).cells:
            cited = [check for check in found.evidence if check.startswith("snp.")]
            assert all(facts.appraisal.outcome_of(check) is Outcome.PASS for check in cited)
            assert found.state in (S.EXPOSED, S.UNKNOWN) or found.evidence


def test_a_cell_without_a_reason_cannot_be_made() -> None:
    good = cell(HARDWARE, C.MEMORY)
    for wrong in ({"because": ""}, {"because": "x" * 77}, {"state": S.UNKNOWN}, {"who": "me"}, {"grade": None}):
        with pytest.raises(ValueError, match="memory"):
            replace(good, **wrong)


def test_clip_keeps_terminals_safe() -> None:
    assert clip("a\x1b[31mb\nc") == "a·[31mb·c"
    assert clip("x" * 77) == "x" * 75 + "…"


Weakening = Callable[[Facts], Facts]


def _findings(facts: Facts, change: Callable[[tuple[Finding, ...]], tuple[Finding, ...]]) -> Facts:
    return replace(facts, appraisal=replace(facts.appraisal, findings=change(facts.appraisal.findings)))


def _spoiled(facts: Facts, check: str, outcome: Outcome) -> Facts:
    """The check no longer passes; where it did not pass before, it is left: a waiver is better than a failure."""
    passes = facts.appraisal.outcome_of(check) is Outcome.PASS
    return with_finding(facts, check, outcome) if passes else facts


def _without_claim(facts: Facts, claim: str) -> Facts:
    claims = {key: value for key, value in facts.appraisal.claims.items() if key != claim}
    return replace(facts, appraisal=replace(facts.appraisal, claims=claims))


def _release(facts: Facts, **changes: object) -> Facts:
    if facts.release is None:
        return facts
    return replace(facts, release=replace(facts.release, **changes))  # type: ignore[arg-type]  # fields by name


CHECKS = [finding.check for finding in HARDWARE.appraisal.findings]
BAD = [outcome for outcome in Outcome if outcome is not Outcome.PASS]
ADVISORY = Finding(check="snp.advisory.AMD-SB-3015", outcome=Outcome.FAIL)

weakenings: st.SearchStrategy[Weakening] = st.one_of(
    st.sampled_from(CHECKS).flatmap(
        lambda check: st.sampled_from(BAD).map(lambda outcome: lambda facts: _spoiled(facts, check, outcome))
    ),
    st.sampled_from(CHECKS).map(
        lambda check: lambda facts: _findings(facts, lambda all_: tuple(f for f in all_ if f.check != check))
    ),
    st.just(lambda facts: _findings(facts, lambda all_: (*all_, ADVISORY))),
    st.just(lambda facts: _findings(facts, lambda _: ())),
    st.sampled_from(sorted(HARDWARE.appraisal.claims)).map(lambda claim: lambda facts: _without_claim(facts, claim)),
    st.just(lambda facts: replace(facts, manifest=None)),
    st.just(lambda facts: replace(facts, state=None)),
    st.just(lambda facts: replace(facts, release=None)),
    st.just(lambda facts: _release(facts, accepted=False)),
    st.just(lambda facts: _release(facts, nonce_was_ours=False)),
    st.just(lambda facts: _release(facts, verifier_apart=False)),
    st.just(lambda facts: _release(facts, granted=frozenset())),
    st.timedeltas(timedelta(0), timedelta(days=9)).map(lambda age: lambda facts: replace(facts, at=facts.at + age)),
)

flags = st.booleans()
sampled_states = st.builds(
    lambda latches, extra, devices, autoprobe, bound, listening: replace(
        STATE,
        modules_disabled=latches[0],
        kexec_disabled=latches[1],
        root_is_verity=latches[2],
        swaps=extra,
        devices=devices if bound else tuple(replace(device, driver="") for device in devices),
        autoprobe=autoprobe,
        listening=listening,
    ),
    st.tuples(flags, flags, flags),
    st.integers(0, 1),
    st.sampled_from([STATE.devices, plugged_in(rehearsal=True), (*STATE.devices, Device.parse(STRANGE)), ()]),
    st.sampled_from([(), ("pci", "virtio")]),
    st.booleans(),
    st.sampled_from([STATE.listening, ("[::]:22",), ()]),
)
manifests = st.builds(
    lambda volumes, ports, line: replace(MANIFEST, volumes=volumes, ports=ports, command_line=line),
    st.sampled_from([(), MANIFEST.volumes, (replace(MANIFEST.volumes[0], cipher="none"),)]),
    st.sampled_from([(), MANIFEST.ports]),
    st.sampled_from([MANIFEST.command_line, MANIFEST.command_line + " acpi=off", "quiet"]),
)
platform_bits = st.lists(
    st.sampled_from(["ALIAS_CHECK_COMPLETE", "CIPHERTEXT_HIDING_DRAM_EN", "RAPL_DIS", "SMT_EN"]), unique=True
)
policy_bits = st.lists(st.sampled_from(["DEBUG", "MIGRATE_MA", "SMT"]), unique=True)
facts_of_any_kind = st.builds(
    lambda base, state, manifest, bits, policy: with_claims(
        replace(base, state=state, manifest=manifest), platform={"bits": bits}, policy={"bits": policy}
    ),
    st.sampled_from([HARDWARE, REHEARSAL]),
    sampled_states,
    manifests,
    platform_bits,
    st.one_of(st.just([]), policy_bits),
)


@given(facts_of_any_kind, st.lists(weakenings, max_size=2), weakenings)
@settings(deadline=None)
def test_less_evidence_more_age_or_an_advisory_never_improves_a_cell(
    facts: Facts, before: list[Weakening], weaken: Weakening
) -> None:
    for earlier in before:
        facts = earlier(facts)
    for was, now in zip(grade(facts).cells, grade(weaken(facts)).cells, strict=True):
        assert now.worth <= was.worth, (was, now)
        if now.worth == was.worth and now.worth[0]:
            assert set(was.still_open) <= set(now.still_open)


@given(facts_of_any_kind, st.lists(weakenings, max_size=3))
@settings(deadline=None)
def test_a_stronger_adversary_never_meets_a_better_cell(facts: Facts, changes: list[Weakening]) -> None:
    for change in changes:
        facts = change(facts)
    posture = grade(facts)
    for component in Component:
        worths = [found.worth for found in posture.row(component)]
        assert worths == sorted(worths, reverse=True)
