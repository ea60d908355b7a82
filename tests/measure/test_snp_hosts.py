"""What a host decides: each variant is a candidate with a name, and a digest names the one that made it."""

import hashlib
import struct
from dataclasses import replace
from pathlib import Path

import pytest
from sevsnpmeasure import guest  # type: ignore[import-untyped]  # an oracle without types
from sevsnpmeasure.sev_mode import SevMode  # type: ignore[import-untyped]  # an oracle without types

from tests.ovmf_images import CPUID, KERNEL_HASHES, SEC_MEM, SECRETS, SEV_METADATA, entry, image, metadata, usual
from warily.data.cpu_signatures import SIGNATURES
from warily.data.snp_hosts import HOSTS
from warily.errors import FormatError, UsageError
from warily.formats.snp_vmsa import Vmsa
from warily.measure.snp import SnpLaunch, Svsm, Vmm, candidates, predict
from warily.measure.snp_hosts import host_named, hosts
from warily.measure.vmsa import RESETS, application_processor, boot_processor, svsm_processor

SVSM_INFO = "a789a612-0597-4c4b-a49f-cbb1fe9d1ddd"
FIRMWARE = usual([(0x810000, 4096, KERNEL_HASHES), (0x80E000, 4096, CPUID), (0x80D000, 4096, SECRETS)])
LAUNCH = SnpLaunch(
    firmware=FIRMWARE,
    vcpus=3,
    cpu="EPYC-Milan",
    features=1,
    vmm=Vmm.QEMU,
    kernel=b"kernel",
    initrd=None,
    command_line=b"quiet",
)


def svsm_image(*, info: bytes = struct.pack("<III", 0x1000, 0, 0)) -> bytes:
    entries = entry(SEV_METADATA, struct.pack("<I", 0x600)) + entry(SVSM_INFO, info)
    return image(entries, about=metadata([(0x9000, 8192, SEC_MEM), (0xB000, 4096, CPUID)]), pages=3)


@pytest.mark.parametrize("vmm", list(Vmm))
def test_the_first_candidate_is_the_prediction_and_all_differ(vmm: Vmm) -> None:
    launch = replace(LAUNCH, vmm=vmm)
    found = candidates(launch)
    assert found[0].value == predict(launch).registers["launch_digest"]
    assert len({one.value for one in found}) == len(found) == len(list(hosts(vmm, svsm=False)))
    for one in found:
        assert predict(replace(launch, host=one.name)).registers["launch_digest"] == one.value


def test_the_variants_are_what_they_say() -> None:
    """Each is made again by hand from the pages that differ."""
    page = Vmsa.unpack(boot_processor(RESETS[Vmm.QEMU], signature=SIGNATURES["EPYC-Milan"], features=1))
    expected = {
        "linux-6.10": page,
        "linux-6.9": replace(page, mxcsr=0, x87_fcw=0),
        "linux-6.6": replace(page, mxcsr=0, x87_fcw=0, sev_features=0x21),
        "linux-6.10-debug-swap": replace(page, sev_features=0x21),
    }
    for host in hosts(Vmm.QEMU, svsm=False):
        made = boot_processor(host.reset, signature=SIGNATURES["EPYC-Milan"], features=1 | host.features)
        assert Vmsa.unpack(made) == expected.pop(host.name)
    assert not expected


def test_features_that_the_owner_chose_leave_fewer_variants() -> None:
    assert [one.name for one in candidates(replace(LAUNCH, features=0x21))] == ["linux-6.10", "linux-6.9"]


def test_ec2_before_it_set_rdx(vectors: Path) -> None:
    """virtee's `sev` 8.0.0 still gives the older value; the vectors hold its first eight bytes."""
    firmware = (vectors / "measure/firmware/OVMF.amdsev.fd").read_bytes()
    bare = replace(LAUNCH, firmware=firmware, kernel=None, command_line=None, vmm=Vmm.EC2, cpu="", vcpus=2)
    found = {one.name: one.value.hex() for one in candidates(bare)}
    assert found["ec2-rdx-0"].startswith("29627c8d552c57e4")


def test_google_s_product_moves_the_address_of_the_vmsa() -> None:
    steps = [predict(replace(LAUNCH, vmm=Vmm.GCE, host=name)).trace[-1].at for name in ("gce-milan", "gce-genoa")]
    assert steps == [0xFFFF_FFFF_F000, 0xF_FFFF_FFFF_F000]


@pytest.mark.parametrize("vcpus", [1, 2, 5])
def test_an_svsm_under_qemu_is_measured_as_others_do(tmp_path: Path, vcpus: int) -> None:
    (tmp_path / "fw").write_bytes(FIRMWARE)
    (tmp_path / "svsm").write_bytes(svsm_image())
    theirs: bytes = guest.calc_launch_digest(
        SevMode.SEV_SNP_SVSM,
        vcpus,
        SIGNATURES["EPYC-Milan"],
        str(tmp_path / "fw"),
        None,
        None,
        None,
        1,
        svsm_file=str(tmp_path / "svsm"),
        ovmf_vars_size=0x84000,
    )
    launch = replace(
        LAUNCH,
        vcpus=vcpus,
        kernel=None,
        command_line=None,
        svsm=Svsm(image=svsm_image(), variables=0x84000),
    )
    found = predict(launch)
    assert found.registers == {"launch_digest": theirs}
    assert [step.step for step in found.trace[:2]] == ["firmware", "svsm"]
    assert found.trace[-1].after == theirs.hex()
    assert [one.name for one in candidates(launch)] == ["svsm", "svsm-linux-6.10", "svsm-linux-6.9"]


def test_what_an_svsm_does_not_go_with_is_refused() -> None:
    svsm = Svsm(image=svsm_image(), variables=0x84000)
    with pytest.raises(UsageError, match="measures no kernel"):
        predict(replace(LAUNCH, svsm=svsm))
    bare = replace(LAUNCH, kernel=None, command_line=None, svsm=svsm)
    with pytest.raises(UsageError, match="under QEMU only"):
        predict(replace(bare, vmm=Vmm.EC2))
    with pytest.raises(UsageError, match="variable store of 5 bytes"):
        predict(replace(bare, svsm=Svsm(image=svsm_image(), variables=5)))
    with pytest.raises(FormatError, match="no entry point"):
        predict(replace(bare, svsm=Svsm(image=svsm_image(info=b""), variables=0)))
    with pytest.raises(FormatError, match="no entry point"):
        predict(replace(bare, svsm=Svsm(image=FIRMWARE, variables=0)))


def test_an_unknown_host_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="no host variant 'linux-5' under qemu") as refused:
        host_named("linux-5", Vmm.QEMU, svsm=False)
    assert "linux-6.10-debug-swap" in (refused.value.hint or "")


def test_names_are_unique() -> None:
    assert len({entry["name"] for entry in HOSTS}) == len(HOSTS)


@pytest.mark.parametrize("index", [0, 1])
def test_vmsas_of_svsm_and_sev_es_are_byte_equal(vectors: Path, index: int) -> None:
    folder = vectors / "measure/snp/vmsa"
    rome = {"signature": SIGNATURES["EPYC-Rome"], "features": 0}
    page = boot_processor(RESETS[Vmm.QEMU], **rome)
    if index:
        page = application_processor(RESETS[Vmm.QEMU], eip=0x80B004, **rome)
    assert page == (folder / f"seves-EPYC-Rome.vmsa{index}.bin").read_bytes()
    kept = (folder / f"svsm-qemu-EPYC-v4.vmsa{index}.bin").read_bytes()
    host = host_named("", Vmm.QEMU, svsm=True)
    eip = Vmsa.unpack(kept).rip
    assert svsm_processor(host.reset, eip=eip, signature=SIGNATURES["EPYC-v4"], features=1) == kept


def test_a_seed_stands_for_the_firmware() -> None:
    seeded = replace(LAUNCH, seed=hashlib.sha384(b"other").digest())
    assert predict(seeded).registers != predict(LAUNCH).registers
    assert predict(seeded).trace[0].after == seeded.seed.hex() if seeded.seed else False
