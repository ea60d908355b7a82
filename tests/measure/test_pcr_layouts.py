"""PCRs of firmware that does not show its event layout."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.uki_images import assemble, minimal_stub
from warily.core.acpi_blobs import AcpiBlobs
from warily.core.registers import Prediction
from warily.measure import pcr, pcr_layouts
from warily.measure.boot import FirmwareFacts, examine, facts_of, layouts
from warily.measure.pcr import PcrBoot, boot_events, predict
from warily.measure.pcr_layouts import predict_boot

UKI = assemble(minimal_stub(version="252"), [(".linux", minimal_stub()), (".cmdline", b"quiet")])
BANKS = ("sha256", "sha384")


@pytest.fixture
def boot(vectors: Path) -> PcrBoot:
    firmware = (vectors / "measure/firmware/OVMF.generic.fd").read_bytes()
    return PcrBoot(firmware=firmware, program=UKI, acpi=AcpiBlobs(loader=b"l", rsdp=b"r", tables=b"t"))


def shown(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """The firmware shows these layouts, where nobody names one, and measures no SMBIOS tables."""

    def facts(firmware: bytes, *, layout: str | None) -> FirmwareFacts:
        found = facts_of(firmware, layout=layout)
        fitting = tuple(each for each in layouts() if each.name in names)
        return replace(found, layouts=fitting if layout is None else found.layouts, drivers=frozenset())

    monkeypatch.setattr(pcr, "facts_of", facts)
    monkeypatch.setattr(pcr_layouts, "facts_of", facts)


def values(found: Prediction, register: str) -> dict[str, bytes]:
    return {each.name: each.value for each in found.candidates if each.register == register}


def test_a_layout_that_is_shown_or_named_is_the_one(boot: PcrBoot) -> None:
    assert len(examine(boot.firmware).layouts) == 1
    for each in (boot, replace(boot, layout="ovmf-2024.11")):
        plain = predict(boot_events(each, BANKS), banks=BANKS, paths=("a",))
        assert predict_boot(each, banks=BANKS, paths=("a",)) == plain


def test_what_the_layouts_that_fit_agree_on_is_predicted(boot: PcrBoot, monkeypatch: pytest.MonkeyPatch) -> None:
    shown(monkeypatch, "ovmf-2024.11", "ovmf-2025.08")
    found = predict_boot(boot, banks=BANKS)
    assert dict(found.absent).keys() == {"sha256:1", "sha384:1"}  # other boot options
    assert "several event layouts fit this firmware (ovmf-2024.11, ovmf-2025.08)" in dict(found.absent)["sha256:1"]
    for name in ("ovmf-2024.11", "ovmf-2025.08"):
        one = predict_boot(replace(boot, layout=name), banks=BANKS)
        assert values(found, "sha256:1")[name] == one.registers["sha256:1"]
        assert found.registers.items() <= one.registers.items()
    assert {step.register for step in found.trace} <= found.registers.keys()
    assert "retried exit" in values(found, "sha256:5")


def test_without_a_layout_all_are_candidates(boot: PcrBoot, monkeypatch: pytest.MonkeyPatch) -> None:
    shown(monkeypatch)
    found = predict_boot(boot, banks=BANKS, paths=("enter-initrd",))
    assert found.registers.keys() == {"sha256:11", "sha384:11"}  # the image's own
    assert "no event layout fits" in dict(found.absent)["sha256:4"]
    assert len({*values(found, "sha256:1").values()}) == len(values(found, "sha256:1")) > 2
    assert {each.register.partition(":")[2] for each in found.candidates} == {*"012345679", "11"}
    named = predict_boot(replace(boot, layout="ovmf-2022.11"), banks=BANKS)
    assert named.registers["sha256:1"] in values(found, "sha256:1").values()
    assert "ovmf-2022.11 retried exit" in values(found, "sha256:5")


def test_what_is_open_under_every_layout_keeps_its_reason(boot: PcrBoot, monkeypatch: pytest.MonkeyPatch) -> None:
    shown(monkeypatch, "ovmf-2023.02", "ovmf-2025.08")
    found = predict_boot(replace(boot, acpi=None), banks=BANKS)
    assert "ACPI tables" in dict(found.absent)["sha256:1"]
    assert not values(found, "sha256:1")
