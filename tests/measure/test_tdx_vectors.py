"""TDX measurements that other implementations made of the same inputs, and a quote that hardware signed.

A row whose input is not kept here is skipped, and says which; `WARILY_PAYLOADS` may name a folder that has it.
"""

import csv
import hashlib
import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from tests.conftest import ABSENT, vectors_folder
from warily.formats.tcg_log import EventType
from warily.formats.tdvf import MR_EXTEND, Section, SectionType, Tdvf
from warily.formats.tdx_quote import Quote
from warily.measure.authenticode import authenticode
from warily.measure.boot import BootEvent, facts_of, fold, known, layout_named, predict_events, rtmr
from warily.measure.mrtd import firmware_regions, google_candidates, measure_regions
from warily.measure.qemu_kernel import patched_kernel
from warily.measure.td_boot import TdBoot, TdxLaunch, Variant
from warily.measure.td_memory import dstack_witness, qemu_td_hob
from warily.measure.tdx import predict

FOLDER = vectors_folder() / "measure"
TABLE = FOLDER / "tdx/tdx_vectors.tsv"
HARDWARE = FOLDER / "tdx/hw/dstack_64g_16vcpu_1gpu_qemu9.2.1"
Inputs = dict[str, Any]

LAYOUT_OF_WORD: Final = {"before": "ovmf-2025.08", "after": "ovmf-2024.11"}


def payload(name: str) -> Path:
    folders = [FOLDER / "payload", *(Path(one) for one in [os.environ.get("WARILY_PAYLOADS")] if one)]
    return next((folder / name for folder in folders if (folder / name).exists()), folders[0] / name)


def rows() -> list[object]:
    if not TABLE.exists():
        return [pytest.param({}, marks=pytest.mark.skip(reason=ABSENT))]
    params: list[object] = []
    with TABLE.open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            inputs = json.loads(row["inputs_json"])
            paths = [FOLDER / "firmware" / inputs["firmware"]] if "firmware" in inputs else []
            paths += [payload(inputs[key]) for key in ("kernel", "initrd") if key in inputs]
            missing = [path.name for path in paths if not path.exists()]
            marks = [pytest.mark.skip(reason=f"input not kept: {', '.join(missing)}")] if missing else []
            params.append(pytest.param(row, id=f"{row['kind']}-{row['id']}", marks=marks))
    return params


@cache
def firmware(name: str) -> tuple[Tdvf, bytes]:
    data = (FOLDER / "firmware" / name).read_bytes()
    return Tdvf.parse(data), data


def variable_volume(inputs: Inputs) -> bytes:
    tdvf, data = firmware(inputs["firmware"])
    section = tdvf.only(SectionType.CFV)
    assert section is not None
    return hashlib.sha384(tdvf.content(section, data)).digest()


def static(inputs: Inputs, *, two_pass: bool) -> bytes:
    tdvf, data = firmware(inputs["firmware"])
    assert hashlib.sha256(data).hexdigest() == inputs["sha256"]
    return measure_regions(firmware_regions(tdvf, data), two_pass=two_pass).value


def google(inputs: Inputs) -> bytes:
    name = f"gce-td-hob-bug {inputs['machine_type']}"
    return next(one.value for one in google_candidates(*firmware(inputs["firmware"])) if one.name == name)


def kernel(inputs: Inputs) -> bytes:
    return payload(inputs["kernel"]).read_bytes()


def kernel_before(inputs: Inputs) -> bytes:
    program = patched_kernel(
        kernel(inputs), initrd_size=inputs["initrd_len"], memory=inputs["mem_bytes"], command_line=b""
    )
    return authenticode(program, "sha384")


def acpi(inputs: Inputs) -> tuple[BootEvent, ...]:
    """The row has the digests of the blobs alone."""
    return tuple(
        known(
            1, EventType.PLATFORM_CONFIG_FLAGS, name, ingredient="acpi", digests={"sha384": bytes.fromhex(inputs[name])}
        )
        for name in ("acpi_loader", "acpi_rsdp", "acpi_tables")
    )


def predicted(register: str, inputs: Inputs, **more: Any) -> bytes:  # noqa: ANN401  # whatever a launch takes
    _, data = firmware(inputs.get("firmware", "OVMF.generic.fd"))
    launch = TdxLaunch(firmware=data, memory=inputs.get("mem_bytes", 2 << 30), vcpus=2, **more)
    return predict(launch).registers[register]


def direct(inputs: Inputs, qemu: tuple[int, int]) -> bytes:
    initrd = payload(inputs["initrd"]).read_bytes() if "initrd" in inputs else None
    return predicted("rtmr1", inputs, kernel=kernel(inputs), initrd=initrd, command_line=b"", qemu=qemu)


def command_line(inputs: Inputs) -> bytes:
    word = "before" if inputs["measured_cmdline"].startswith("initrd=") else "after"
    return predicted(
        "rtmr2",
        inputs,
        kernel=payload("kernel_a.bin").read_bytes(),
        initrd=payload(inputs["initrd"]).read_bytes(),
        command_line=inputs["cmdline"].encode(),
        layout=LAYOUT_OF_WORD[word],
    )


KINDS: dict[str, Callable[[Inputs], bytes]] = {
    "td_hob_witness_v1": lambda inputs: dstack_witness(firmware(inputs["firmware"])[0]),
    "cfv_sha384": variable_volume,
    "mrtd_single_pass": lambda inputs: static(inputs, two_pass=False),
    "mrtd_two_pass": lambda inputs: static(inputs, two_pass=True),
    "mrtd_gce_tdhob_bug": google,
    "td_hob_sha384": lambda inputs: hashlib.sha384(
        qemu_td_hob(firmware(inputs["firmware"])[0], inputs["mem_bytes"]).measured
    ).digest(),
    "rtmr0_pre202505": lambda inputs: predicted("rtmr0", inputs, acpi=acpi(inputs), layout="ovmf-2024.11"),
    "kernel_authenticode_sha384_unpatched": lambda inputs: authenticode(kernel(inputs), "sha384"),
    "kernel_authenticode_sha384_qemu_lt_10_2": kernel_before,
    "rtmr1_direct_qemu_ge_10_2": lambda inputs: direct(inputs, (10, 2)),
    "rtmr1_direct_qemu_lt_10_2": lambda inputs: direct(inputs, (9, 2)),
    "rtmr2_direct": command_line,
}


@pytest.mark.parametrize("row", rows())
def test_row(row: dict[str, str]) -> None:
    assert KINDS[row["kind"]](json.loads(row["inputs_json"])).hex() == row["value"]


def test_every_kind_of_row_is_tested() -> None:
    if not TABLE.exists():
        pytest.skip(ABSENT)
    with TABLE.open(newline="") as file:
        assert {row["kind"] for row in csv.DictReader(file, delimiter="\t")} == KINDS.keys()


@pytest.fixture
def logged() -> list[dict[str, Any]]:
    if not HARDWARE.exists():
        pytest.skip(ABSENT)
    found: list[dict[str, Any]] = json.loads((HARDWARE / "event_log.json").read_text())
    return found


def signed() -> dict[str, bytes]:
    """The registers of the quote, of which another test checks the signature."""
    quote = Quote.decode((HARDWARE / "quote.bin").read_bytes())
    assert quote.td is not None
    return {f"rtmr{index}": getattr(quote.td, f"rtmr{index}") for index in range(4)}


def test_the_log_of_a_signed_quote_folds_to_its_registers(logged: list[dict[str, Any]]) -> None:
    index = {0: 1, 1: 2, 2: 8}
    events = tuple(
        known(
            index[entry["imr"]],
            entry["event_type"],
            "logged",
            ingredient="",
            digests={"sha384": bytes.fromhex(entry["digest"])},
        )
        for entry in logged
        if entry["imr"] in index
    )
    registers = signed()
    assert fold(events, "sha384", place=rtmr).registers == {
        name: registers[name] for name in ("rtmr0", "rtmr1", "rtmr2")
    }


def test_a_signed_quote_is_reproduced_as_far_as_its_inputs_are_public(logged: list[dict[str, Any]]) -> None:
    """Of the image only the memory ranges are published; ACPI tables, kernel, command line and initrd are not."""
    expected = json.loads((HARDWARE / "expected.json").read_text())
    tdvf = Tdvf(size=1 << 22, sections=_sections(bytes.fromhex(expected["td_hob_ranges_witness_v1"])))
    assert dstack_witness(tdvf).hex() == expected["td_hob_ranges_witness_v1"]
    volume = (FOLDER / "firmware/OVMF.generic.fd").read_bytes()[:0x84000]  # the same empty store
    _, data = firmware("OVMF.generic.fd")
    launch = TdxLaunch(firmware=data, memory=expected["td_hob_memory_bytes"], vcpus=16)
    layout = layout_named("ovmf-2024.11")
    inputs = TdBoot(launch, firmware("OVMF.generic.fd")[0], facts_of(data, layout=layout.name)).inputs(
        Variant(layout=layout)
    )
    hob = qemu_td_hob(tdvf, expected["td_hob_memory_bytes"])
    assert hashlib.sha384(hob.measured).hexdigest() == expected["td_hob_event_digest"]
    given = [bytes.fromhex(entry["digest"]) for entry in logged]
    values = {name: getattr(inputs, name) for name in type(inputs).__annotations__} | {
        "td_hob": hob,
        "variable_volume": volume,
        "acpi": tuple(_known(1, digest) for digest in given[8:11]),
        "image": {"sha384": given[11]},
        "initrd": {"sha384": given[17]},
    }
    events = predict_events(type(inputs)(**values), layout, platform="tdx", route="kernel")
    found = [event.digest("sha384") for event in events]
    assert found[:16] == given[:16]
    assert found[16] is None  # the command line
    assert found[17:] == given[17:20]
    registers = signed()
    folded = fold(events, "sha384", place=rtmr).registers
    assert folded == {name: registers[name] for name in ("rtmr0", "rtmr1")}


def _known(register: int, digest: bytes) -> BootEvent:
    return known(register, EventType.PLATFORM_CONFIG_FLAGS, "acpi", ingredient="acpi", digests={"sha384": digest})


def _sections(witness: bytes) -> tuple[Section, ...]:
    """The sections that a witness (single-byte numbers, except the first) tells of."""
    base = (witness[0] & 0x7F | witness[1] << 7) * 4096
    hob, count = base + witness[2] * 4096, witness[3]
    found = [
        Section(
            data_offset=0,
            raw_size=0,
            gpa=base + witness[at] * 4096,
            memory_size=witness[at + 1] * 4096,
            type=SectionType.TD_HOB if base + witness[at] * 4096 == hob else SectionType.TEMP_MEM,
            attributes=0,
        )
        for at in range(4, 4 + 2 * count, 2)
    ]
    boot = Section(
        data_offset=0, raw_size=4096, gpa=0xFFFFF000, memory_size=4096, type=SectionType.BFV, attributes=MR_EXTEND
    )
    return (boot, *found)
