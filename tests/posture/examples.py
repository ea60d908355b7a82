"""Facts for the posture tests, built from the real types: hardware and rehearsal, as full as this version gets."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from warily.core.appraisal import Appraisal
from warily.core.declaration import Platform
from warily.core.finding import passed
from warily.core.manifest import Ingredient, Manifest, PortSpec, PredictedRegister, VerityRoot, VolumeSpec
from warily.formats import guest_config
from warily.formats.guest_state import Device, GuestState
from warily.formats.volume_descriptor import KERNEL_CIPHER
from warily.posture.facts import Facts, Release
from warily.verify.snp import PLATFORM, REQUIRED

AT = datetime(2026, 11, 23, 4, 15, 8, tzinfo=UTC)
DIGEST = bytes(range(48))
ROOT = bytes(range(0xB0, 0xD0))
CHECKS = tuple(sorted(REQUIRED))

MANIFEST = Manifest(
    name="ledger",
    suite="trixie",
    source_date_epoch=1757000000,
    ingredients=(Ingredient(role="kernel", name="vmlinuz", size=7, sha256=bytes(32)),),
    command_line="quiet initcall_blacklist=acpi_init acpi_no_static_ssdt"
    f" warily.root={ROOT.hex()} warily.devices=declared warily.grantor={bytes(32).hex()}",
    root=VerityRoot(algorithm="sha256", root_hash=ROOT, salt=bytes(32), data_blocks=5, block_size=4096),
    cpus=2,
    memory=1 << 30,
    cpu="EPYC-v4",
    platforms=(Platform.REHEARSAL, Platform.SNP),
    registers=tuple(
        PredictedRegister(platform=platform, register="launch_digest", when={"vcpus": "2"}, value=DIGEST)
        for platform in (Platform.REHEARSAL, Platform.SNP)
    ),
    volumes=(VolumeSpec(name="data", size=1 << 26, mount="/data", cipher=KERNEL_CIPHER),),
    ports=(PortSpec(guest=8080, host=8080),),
    grantor=bytes(32),
)


def plugged_in(*, rehearsal: bool) -> tuple[Device, ...]:
    """The chipset, and the declared devices of an image with one volume, bound as they should be."""
    chipset = [Device(at=at, identity=identity) for at, identity in sorted(guest_config.CHIPSET)]
    declared = guest_config.declared(1, rehearsal=rehearsal)
    functions = [Device(at=f"pci/{d.address}", identity=d.identity, driver="virtio-pci") for d in declared]
    behind = [Device(at=f"virtio/{d.address}", identity=d.kind, driver=d.driver) for d in declared]
    return (*chipset, *functions, *behind)


STATE = GuestState(
    kernel="6.12.48+deb13-cloud-amd64",
    command_line=MANIFEST.command_line,
    lockdown="confidentiality",
    modules_disabled=True,
    kexec_disabled=True,
    hibernation=False,
    swaps=0,
    root_is_verity=True,
    devices=plugged_in(rehearsal=False),
    released=(),
    autoprobe=(),
    listening=("0.0.0.0:8080",),
    modules=("virtio_blk", "virtio_net"),
)

RELEASE = Release(
    accepted=True,
    nonce_was_ours=True,
    answered=AT - timedelta(minutes=2),
    granted=frozenset({"data"}),
    verifier_apart=True,
)


def appraisal(*, rehearsal: bool) -> Appraisal:
    """An accepted appraisal with the claims of a careful machine."""
    return Appraisal(
        platform=PLATFORM,
        at=AT,
        anchor="rehearsal root 3f9c51d2a7e0b814" if rehearsal else "AMD ARK-Genoa",
        required=frozenset(CHECKS),
        findings=tuple(passed(check) for check in CHECKS),
        claims={
            "measurement": DIGEST.hex(),
            "signing_key": "VCEK",
            "policy": {"bits": []},
            "platform": {"bits": ["CIPHERTEXT_HIDING_DRAM_EN", "ALIAS_CHECK_COMPLETE", "RAPL_DIS"]},
        },
        rehearsal=rehearsal,
    )


HARDWARE = Facts(appraisal=appraisal(rehearsal=False), at=AT, manifest=MANIFEST, state=STATE, release=RELEASE)
REHEARSAL = Facts(
    appraisal=appraisal(rehearsal=True),
    at=AT,
    manifest=MANIFEST,
    state=replace(STATE, devices=plugged_in(rehearsal=True)),
    release=replace(RELEASE, verifier_apart=False),
)
NOTHING = Facts(
    appraisal=Appraisal(platform=PLATFORM, at=AT, anchor="", required=frozenset(), findings=()),
    at=AT,
)
