"""The rehearsal's digest against a chain put together from sev-snp-measure's own parts."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from sevsnpmeasure.gctx import GCTX  # type: ignore[import-untyped]  # an oracle without types
from sevsnpmeasure.sev_hashes import SevHashes  # type: ignore[import-untyped]  # an oracle without types
from sevsnpmeasure.sev_mode import SevMode  # type: ignore[import-untyped]  # an oracle without types
from sevsnpmeasure.vmsa import VMSA  # type: ignore[import-untyped]  # an oracle without types

from warily.errors import FormatError, UsageError
from warily.measure import rehearsal

FIRMWARE = hashlib.sha256(b"bios").digest() * 128 * 64
INPUTS: dict[str, Any] = {
    "firmware": FIRMWARE,
    "kernel": b"kernel",
    "initrd": b"initrd",
    "command_line": b"warily.root=00 quiet ",
    "cpu": "EPYC-v4",
}


def oracle(tmp_path: Path, vcpus: int) -> bytes:
    (tmp_path / "kernel").write_bytes(INPUTS["kernel"])
    (tmp_path / "initrd").write_bytes(INPUTS["initrd"])
    hashes = SevHashes(str(tmp_path / "kernel"), str(tmp_path / "initrd"), INPUTS["command_line"].decode())
    chain = GCTX()
    chain.update_normal_pages(0x100000000 - len(FIRMWARE), FIRMWARE)
    chain.update_normal_pages(0x810000, hashes.construct_page(0))
    for page in VMSA(SevMode.SEV_SNP, 0xFFFFFFF0, 0x800F12, 1).pages(vcpus):
        chain.update_vmsa_page(page)
    found: bytes = chain.ld()
    return found


@pytest.mark.parametrize("vcpus", [1, 2, 5])
def test_the_chain_is_snps(tmp_path: Path, vcpus: int) -> None:
    prediction = rehearsal.predict(**INPUTS, vcpus=vcpus)
    assert prediction.registers == {"launch_digest": oracle(tmp_path, vcpus)}
    assert prediction.trace[-1].after == prediction.registers["launch_digest"].hex()
    assert [step.input for step in prediction.trace][:4] == ["firmware", "kernel", "initrd", "command line"]


def test_counts_agree_with_single_predictions() -> None:
    counts = rehearsal.predict_counts(**INPUTS, counts=range(1, 9))
    assert counts == {n: rehearsal.predict(**INPUTS, vcpus=n).registers["launch_digest"] for n in range(1, 9)}


@pytest.mark.parametrize("part", ["firmware", "kernel", "initrd", "command_line"])
def test_one_changed_byte_changes_the_digest(part: str) -> None:
    changed = {**INPUTS, part: b"#" + INPUTS[part][1:]}
    assert rehearsal.predict(**changed, vcpus=1).registers != rehearsal.predict(**INPUTS, vcpus=1).registers


def test_refused() -> None:
    with pytest.raises(FormatError, match="whole 4 KiB pages"):
        rehearsal.predict(**{**INPUTS, "firmware": b"short"}, vcpus=1)
    with pytest.raises(UsageError, match="needs a kernel"):
        rehearsal.predict(**{**INPUTS, "kernel": None}, vcpus=1)
    with pytest.raises(UsageError, match="0 vCPUs"):
        rehearsal.predict(**INPUTS, vcpus=0)
    with pytest.raises(UsageError, match="unknown CPU model"):
        rehearsal.predict(**{**INPUTS, "cpu": "max"}, vcpus=1)
