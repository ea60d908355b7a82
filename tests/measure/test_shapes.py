"""A manifest alone gives the registers of shapes nobody wrote down."""

import hashlib
from dataclasses import replace

import pytest

from tests.ovmf_images import CPUID, KERNEL_HASHES, SEC_MEM, SECRETS, usual
from warily.core.declaration import Platform
from warily.core.manifest import Ingredient, Manifest, VerityRoot
from warily.core.shape_rules import EventRule
from warily.errors import UsageError
from warily.image.predict import Booted, launches, registers
from warily.measure import rehearsal, snp
from warily.measure.shapes import Shape, recompute

SECTIONS = [
    (0x800000, 8192, SEC_MEM),
    (0x80D000, 4096, SECRETS),
    (0x80E000, 4096, CPUID),
    (0x810000, 4096, KERNEL_HASHES),
]
FIRMWARE = {Platform.SNP: usual(SECTIONS), Platform.REHEARSAL: bytes(range(256)) * 64}
KERNEL, INITRD, LINE = b"kernel", b"initrd", "quiet ünicode "
PARTS = {
    "kernel": KERNEL,
    "initrd": INITRD,
    **{f"firmware-{platform.value}": data for platform, data in FIRMWARE.items()},
}
MANIFEST = Manifest(
    name="ledger",
    suite="trixie",
    source_date_epoch=0,
    ingredients=tuple(
        Ingredient(role=role, name=role, size=len(data), sha256=hashlib.sha256(data).digest())
        for role, data in PARTS.items()
    ),
    command_line=LINE,
    root=VerityRoot(algorithm="sha256", root_hash=bytes(32), salt=bytes(32), data_blocks=5, block_size=4096),
    cpus=2,
    memory=1 << 30,
    cpu="EPYC-v4",
    platforms=tuple(FIRMWARE),
    registers=registers(Booted(kernel=KERNEL, initrd=INITRD, command_line=LINE.encode(), cpu="EPYC-v4"), FIRMWARE),
    volumes=(),
    ports=(),
    grantor=bytes(32),
    launches=launches(FIRMWARE),
)


def test_rules_survive_a_round_trip() -> None:
    assert Manifest.decode(MANIFEST.encode()) == MANIFEST


@pytest.mark.parametrize("platform", list(FIRMWARE))
def test_values_that_are_written_down_follow_from_the_rules(platform: Platform) -> None:
    manifest = Manifest.decode(MANIFEST.encode())
    for entry in manifest.registers:
        if entry.platform is platform and int(entry.when["vcpus"]) in (1, 2, 64):
            shape = Shape(vcpus=int(entry.when["vcpus"]), cpu=entry.when["cpu"], memory=manifest.memory)
            assert recompute(manifest, platform, shape).registers[entry.register] == entry.value


@pytest.mark.parametrize(("vcpus", "cpu", "features"), [(200, "EPYC-Turin", None), (3, "a00f11", 0x201)])
def test_other_shapes_equal_a_prediction_from_the_files(vcpus: int, cpu: str, features: int | None) -> None:
    shape = Shape(vcpus=vcpus, cpu=cpu, memory=1 << 30, features=features)
    launch = snp.SnpLaunch(
        firmware=FIRMWARE[Platform.SNP],
        vcpus=vcpus,
        cpu=cpu,
        features=features or 1,
        vmm=snp.Vmm.QEMU,
        kernel=KERNEL,
        initrd=INITRD,
        command_line=LINE.encode(),
    )
    found = recompute(MANIFEST, Platform.SNP, shape)
    assert found.registers == snp.predict(launch).registers
    assert found.trace == snp.predict(launch).trace
    assert found.candidates == snp.candidates(launch)
    for one in found.candidates:
        assert recompute(MANIFEST, Platform.SNP, replace(shape, host=one.name)).registers["launch_digest"] == one.value


def test_a_rehearsal_of_any_size() -> None:
    found = recompute(MANIFEST, Platform.REHEARSAL, Shape(vcpus=100, cpu="EPYC-v4", memory=0))
    whole = rehearsal.predict(
        firmware=FIRMWARE[Platform.REHEARSAL],
        kernel=KERNEL,
        initrd=INITRD,
        command_line=LINE.encode(),
        vcpus=100,
        cpu="EPYC-v4",
    )
    assert found.registers == whole.registers
    assert found.candidates == ()


def test_events_fold_into_the_platform_s_registers() -> None:
    def event(register: int, content: bytes, **when: str) -> EventRule:
        digest = hashlib.sha384(content).digest()
        return EventRule(
            platform=Platform.TDX,
            register=register,
            type=5,
            name="x",
            ingredient="kernel",
            digests={"sha384": digest},
            because="",
            when=when,
        )

    unknown = replace(event(4, b""), digests={}, because="nobody knows")
    events = (event(9, b"initrd"), event(9, b"small", memory="1"), event(9, b"large", memory="2"), unknown)
    manifest = Manifest.decode(replace(MANIFEST, events=events).encode())
    found = recompute(manifest, Platform.TDX, Shape(vcpus=1, cpu="", memory=2)).registers
    value = bytes(48)
    for content in (b"initrd", b"large"):
        value = hashlib.sha384(value + hashlib.sha384(content).digest()).digest()
    assert found == {"rtmr0": bytes(48), "rtmr2": value}


def test_an_older_manifest_is_read_and_has_no_rules() -> None:
    plain = replace(MANIFEST, launches=())
    text = plain.encode().replace(b"warily/manifest/2", b"warily/manifest/1")
    old = text.replace(b'"launches":[],', b"").replace(b'"events":[],', b"")
    assert Manifest.decode(old) == plain
    with pytest.raises(UsageError, match="no shape rule for snp"):
        recompute(Manifest.decode(old), Platform.SNP, Shape(vcpus=1, cpu="EPYC", memory=0))


def test_a_monitor_that_is_not_known_is_refused() -> None:
    later = replace(MANIFEST, launches=(replace(MANIFEST.launches[1], vmm="later"),))
    with pytest.raises(UsageError, match="'later', which this version does not know"):
        recompute(later, Platform.SNP, Shape(vcpus=1, cpu="EPYC", memory=0))
