"""What the host can run, found by running it."""

from pathlib import Path

import pytest

from warily.core.declaration import Platform
from warily.errors import HostError
from warily.launch import readiness
from warily.launch.plan import Accelerator


def test_the_probe_runs_to_its_end() -> None:
    assert readiness.runs(Accelerator.TCG)


def test_a_rom_that_never_leaves_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a KVM that cannot go on: QEMU is there, and never ends."""
    stuck = bytearray(readiness.probe_rom())
    stuck[0xFFF0:0xFFF2] = b"\xeb\xfe"
    monkeypatch.setattr(readiness, "probe_rom", lambda: bytes(stuck))
    monkeypatch.setattr(readiness, "PROBE_SECONDS", 0.5)
    assert not readiness.runs(Accelerator.TCG)


def test_the_answer_is_kept_until_the_next_boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def runs(kind: Accelerator) -> bool:
        tries.append(kind)
        return True

    monkeypatch.setattr(readiness, "runs", runs)
    monkeypatch.setattr("os.access", lambda *_: True)
    cache = tmp_path / "state"
    assert readiness.accelerator(cache) is Accelerator.KVM
    assert readiness.accelerator(cache) is Accelerator.KVM
    assert len(tries) == 1

    boot = tmp_path / "boot_id"
    boot.write_text("another-boot\n")
    monkeypatch.setattr(readiness, "BOOT_ID", boot)
    assert readiness.accelerator(cache) is Accelerator.KVM
    assert len(tries) == 2

    (cache / "accelerator").write_text("nonsense")
    assert readiness.accelerator(cache) is Accelerator.KVM
    assert len(tries) == 3


def test_no_kvm_device_is_tcg_without_a_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    monkeypatch.setattr(readiness, "runs", lambda _: pytest.fail("tried"))
    assert readiness.accelerator() is Accelerator.TCG


def test_rehearsal_needs_qemu_alone() -> None:
    readiness.require(Platform.REHEARSAL)


@pytest.mark.parametrize(
    ("tee", "switch"),
    [
        (Platform.SNP, "sys/module/kvm_amd/parameters/sev_snp"),
        (Platform.TDX, "sys/module/kvm_intel/parameters/tdx"),
    ],
)
def test_hardware_is_named_when_it_is_missing(tmp_path: Path, tee: Platform, switch: str) -> None:
    with pytest.raises(HostError, match=f"no {tee.value}: /{switch}") as missing:
        readiness._require_hardware(tee, tmp_path)
    assert "--tee rehearsal" in (missing.value.hint or "")

    (tmp_path / switch).parent.mkdir(parents=True)
    (tmp_path / switch).write_text("N\n")
    with pytest.raises(HostError, match="is not Y"):
        readiness._require_hardware(tee, tmp_path)

    (tmp_path / switch).write_text("Y\n")
    with pytest.raises(HostError, match="may not be used"):
        readiness._require_hardware(tee, tmp_path)

    (tmp_path / "dev").mkdir()
    for device in ("sev", "kvm"):
        (tmp_path / "dev" / device).touch()
    readiness._require_hardware(tee, tmp_path)


def test_an_old_qemu_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_require_hardware", lambda _: None)
    monkeypatch.setattr(readiness, "qemu_version", lambda: (7, 2))
    for tee, need in ((Platform.SNP, "9.1"), (Platform.TDX, "10.1")):
        with pytest.raises(HostError, match=f"{tee.value} needs QEMU {need}, and this host has 7.2"):
            readiness.require(tee)
    monkeypatch.setattr(readiness, "qemu_version", lambda: (10, 1))
    readiness.require(Platform.TDX)
