"""Of which shape registers are, told by a manifest: forged shapes, and genuine registers of dstack's machines."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.measure.boot.test_layout import BEFORE, ITEMS, firmware
from tests.measure.test_shapes import MANIFEST as SNP
from tests.measure.test_snp_vectors import published
from tests.measure.test_td_rules import GIB, MADE, TABLES
from tests.measure.test_td_rules import manifest as td_manifest
from tests.measure.test_tdx import image, launch
from tests.measure.test_tdx_vectors import HARDWARE, _sections
from warily.core.declaration import Platform
from warily.core.manifest import Ingredient, Manifest
from warily.core.shape_rules import EventRule, LaunchRule
from warily.data.cpu_signatures import SIGNATURES
from warily.errors import UsageError
from warily.formats.ovmf import Section, SectionType
from warily.formats.tcg_log import EventType
from warily.formats.tdvf import Tdvf
from warily.formats.tdx_quote import Quote
from warily.measure.boot import BootEvent, hashed, known
from warily.measure.boot.layout import RTMR_DRIVER, SMBIOS_DRIVER
from warily.measure.cpu import signature
from warily.measure.matching import match_boot, match_launch
from warily.measure.shapes import Shape, recompute
from warily.measure.td_memory import memory_of, td_hob_of
from warily.measure.tdx import predict

HOB = next(rule.td_hob for rule in MADE.events if rule.td_hob)


def hob(memory: int) -> BootEvent:
    """The event of a TD HOB as a log has it: its digest alone counts."""
    return hashed(1, EventType.EFI_HANDOFF_TABLES2, "", ingredient="", data=td_hob_of(HOB, memory).measured)


@pytest.mark.parametrize(
    ("vcpus", "cpu", "host"),
    [(2, "EPYC-v4", "linux-6.10"), (1, "EPYC-v4", "linux-6.6"), (512, "EPYC-Milan", "linux-6.9")],
)
def test_an_snp_launch_names_its_shape(vcpus: int, cpu: str, host: str) -> None:
    value = recompute(SNP, Platform.SNP, Shape(vcpus=vcpus, cpu=cpu, memory=0, host=host)).registers["launch_digest"]
    found = match_launch(SNP, Platform.SNP, value)
    assert found.matches
    assert (found.shape.vcpus, found.shape.cpu, found.shape.host) == (vcpus, cpu, host)
    other = match_launch(SNP, Platform.REHEARSAL, value)
    assert (other.matches, other.wrong) == (False, ("launch_digest",))


def test_a_launch_of_no_shape_is_wrong_and_the_declared_value_is_expected() -> None:
    found = match_launch(SNP, Platform.SNP, bytes(48))
    usual = recompute(SNP, Platform.SNP, Shape(vcpus=SNP.cpus, cpu=SNP.cpu, memory=0)).registers["launch_digest"]
    assert found.values == {"launch_digest": (usual,)}
    assert not found.matches
    with pytest.raises(UsageError, match="no shape rule"):
        match_launch(replace(SNP, launches=()), Platform.SNP, bytes(48))


@pytest.mark.parametrize(
    ("shape", "names"),
    [
        ({}, {"mrtd": "usual", "rtmr1": "usual", "rtmr2": "usual"}),
        ({"host": "two-pass"}, {"mrtd": "two-pass", "rtmr1": "usual", "rtmr2": "usual"}),
        ({"host": "second-exit"}, {"mrtd": "usual", "rtmr1": "second-exit", "rtmr2": "usual"}),
        ({"qemu": (10, 1), "memory": GIB}, {"mrtd": "usual", "rtmr1": "qemu-before-10.2", "rtmr2": "usual"}),
    ],
)
def test_a_td_names_what_the_host_did(shape: dict[str, Any], names: dict[str, str]) -> None:
    usual = Shape(vcpus=4, cpu="", memory=2 * GIB)
    values = recompute(MADE, Platform.TDX, replace(usual, **shape)).registers
    found = match_boot(MADE, values | {"rtmr0": b"\x40" * 48})
    assert dict(found.named) == names
    assert found.matches
    assert set(found.absent) == {"rtmr0"}


def test_a_log_fills_in_what_the_manifest_leaves_open() -> None:
    """And shows the size of the memory; the register vouches for the log."""
    whole = predict_with(memory=24 * GIB)
    found = match_boot(MADE, whole, (hob(24 * GIB), *TABLES))
    assert (found.named["rtmr0"], found.shape.memory, found.supplied) == ("usual", 24 * GIB, ("acpi",))
    without = match_boot(MADE, whole, TABLES)
    assert without.wrong == ("rtmr0",)
    lying = match_boot(MADE, whole, (hob(32 * GIB), *TABLES))
    assert lying.wrong == ("rtmr0",)
    other = (*TABLES[:2], replace(TABLES[2], hashed=b"other tables"))
    assert match_boot(MADE, whole, (hob(24 * GIB), *other)).wrong == ("rtmr0",)


def predict_with(**more: Any) -> dict[str, bytes]:  # noqa: ANN401  # whatever a launch takes
    return {name: value for name, value in predict(launch(**more)).registers.items() if name != "rtmr3"}


def test_smbios_tables_come_from_the_log_too() -> None:
    built = image(firmware(BEFORE, ITEMS, drivers=(RTMR_DRIVER, SMBIOS_DRIVER)))
    made = td_manifest(built)
    smbios = known(1, EventType.EFI_HANDOFF_TABLES, "x", ingredient="smbios", digests={"sha384": b"\x51" * 48})
    log = (hob(2 * GIB), *TABLES, smbios)
    values = predict_with(firmware=built, log=log)
    assert match_boot(made, values, log).supplied == ("acpi", "smbios")
    assert "rtmr0" in match_boot(made, values, log).named
    assert "SMBIOS" in match_boot(made, values, (hob(2 * GIB), *TABLES)).absent["rtmr0"]


@pytest.mark.parametrize("register", ["mrtd", "rtmr1", "rtmr2"])
def test_any_other_value_is_wrong(register: str) -> None:
    values = recompute(MADE, Platform.TDX, Shape(vcpus=1, cpu="", memory=2 * GIB)).registers | {register: b"x" * 48}
    found = match_boot(MADE, values)
    assert found.wrong == (register,)
    assert not found.matches


def test_a_report_that_hardware_signed_has_the_published_shape(vectors: Path) -> None:
    """dstack's machine: a manifest made of the published ingredients names the processors of its report."""
    facts = next(row for row in published() if row["id"] == "snppub-dstack-real-hw")
    report = (vectors / "measure/snp/hw/dstack_report.bin").read_bytes()
    sections = facts["ovmf_sections"]
    assert isinstance(sections, list)
    rule = LaunchRule(
        platform=Platform.SNP,
        vmm="qemu",
        firmware="firmware-snp",
        firmware_gpa=0xFFC00000,
        seed=bytes.fromhex(str(facts["ovmf_hash"])),
        sections=tuple(Section(gpa=gpa, size=size, type=SectionType(kind)) for gpa, size, kind in sections),
        hashes_offset=int(str(facts["sev_hashes_table_gpa"])) % 4096,
        reset_eip=int(str(facts["sev_es_reset_eip"])),
        features=int(str(facts["guest_features"])),
    )
    digests = {"kernel": str(facts["kernel_sha256"]), "initrd": str(facts["initrd_sha256"]), "firmware-snp": "00" * 32}
    made = replace(
        SNP,
        cpu="EPYC-Milan",
        ingredients=tuple(
            Ingredient(role=role, name=role, size=1, sha256=bytes.fromhex(digest)) for role, digest in digests.items()
        ),
        command_line=str(facts["base_cmdline"]),
        launches=(rule,),
    )
    found = match_launch(Manifest.decode(made.encode()), Platform.SNP, report[0x90:0xC0])
    assert found.matches
    assert found.shape.vcpus == int(str(facts["vcpus"]))
    assert signature(found.shape.cpu) == SIGNATURES[str(facts["vcpu_type"])]


def test_a_quote_that_hardware_signed_is_matched_with_its_log(vectors: Path) -> None:
    """dstack's machine with 64 GiB: TD HOB by formula, tables by the log, the rest as rules; RTMR0 to RTMR2."""
    assert vectors.is_dir()
    logged = json.loads((HARDWARE / "event_log.json").read_text())
    expected = json.loads((HARDWARE / "expected.json").read_text())
    tdvf = Tdvf(size=1 << 22, sections=_sections(bytes.fromhex(expected["td_hob_ranges_witness_v1"])))
    place = {0: 1, 1: 4, 2: 9}
    rules, log = [], []
    for at, entry in enumerate(entry for entry in logged if entry["imr"] in place):
        digest = {"sha384": bytes.fromhex(entry["digest"])}
        tables = at in (8, 9, 10)
        event = replace(
            known(place[entry["imr"]], entry["event_type"], "x", ingredient="acpi" if tables else "", digests=digest),
            data=b"ACPI DATA" if tables else b"",
        )
        log.append(event)
        if at not in (9, 10):
            rules.append(_rule(event, memory=memory_of(tdvf) if at == 0 else None, empty=tables))
    td = Quote.decode((HARDWARE / "quote.bin").read_bytes()).td
    assert td is not None
    values = {f"rtmr{index}": getattr(td, f"rtmr{index}") for index in range(3)}
    made = replace(SNP, platforms=(Platform.TDX,), registers=(), launches=(), events=tuple(rules), memory=GIB)
    found = match_boot(made, values, log)
    assert (dict(found.named), found.wrong, found.absent) == (dict.fromkeys(values, "usual"), (), {})
    assert found.shape.memory == expected["td_hob_memory_bytes"]
    assert found.supplied == ("acpi",)
    assert match_boot(made, values).absent.keys() == {"rtmr0"}


def _rule(event: BootEvent, *, memory: Any, empty: bool) -> EventRule:  # noqa: ANN401  # TdMemory or None
    return EventRule(
        platform=Platform.TDX,
        register=event.register,
        type=EventType.EFI_HANDOFF_TABLES2 if memory else event.type,
        name=event.name,
        ingredient="acpi" if empty else "other",
        digests={} if empty or memory else event.digests,
        because="the host's tables" if empty else "",
        when={},
        td_hob=memory,
    )
