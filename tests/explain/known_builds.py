"""A build, its later versions, and files beside them, out of real firmware and synthetic kernels of the vectors."""

import hashlib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from tests.conftest import vectors_folder
from warily.core.declaration import Platform
from warily.core.manifest import Ingredient, Manifest, VerityRoot
from warily.core.sbom import Component
from warily.explain.builds import Build, build_of
from warily.image.predict import Booted, launches, registers
from warily.measure import snp

ROOTS = {name: hashlib.sha256(name.encode()).digest() for name in ("one", "two", "three", "four")}
GRANTOR = hashlib.sha256(b"grantor").digest()
WORDS = (
    "console=ttyS0 quiet panic=-1 oops=panic lockdown=confidentiality random.trust_cpu=y random.trust_bootloader=n "
    "init_on_alloc=1 slab_nomerge vsyscall=none ia32_emulation=0 nohibernate noresume initcall_blacklist=acpi_init "
    "pci=lastbus=1 reboot=t mce=off xen_nopv systemd.import_credentials=no systemd.show_status=no loglevel=4"
)
PACKAGES = {
    "one": (
        ("openssl", "3.5.1-1"),
        ("libc6", "2.41-12"),
        ("linux-image-amd64", "6.12.41-1"),
        ("ovmf-amdsev", "2026.08"),
    ),
    "two": (
        ("openssl", "3.5.4-1"),
        ("libc6", "2.41-12"),
        ("linux-image-amd64", "6.12.41-1"),
        ("ovmf-amdsev", "2026.08"),
    ),
    "three": (("openssl", "3.5.1-1"), ("libc6", "2.41-13"), ("linux-image-amd64", "6.12.41-1"), ("curl", "8.14.1-2")),
    "four": (("openssl", "3.5.1-1"), ("linux-image-amd64", "6.12.41-1"), ("ovmf-amdsev", "2026.08")),
}


@dataclass(frozen=True)
class Inputs:
    """All inputs of one launch, as bytes: what an independent prediction takes."""

    firmware: bytes
    kernel: bytes
    initrd: bytes
    line: str
    cpu: str = "EPYC-v4"
    features: int = 1
    vcpus: int = 2

    def digest(self) -> bytes:
        launch = snp.SnpLaunch(
            firmware=self.firmware,
            vcpus=self.vcpus,
            cpu=self.cpu,
            features=self.features,
            vmm=snp.Vmm.QEMU,
            kernel=self.kernel,
            initrd=self.initrd,
            command_line=self.line.encode(),
            seed=seed(self.firmware),
        )
        return snp.predict(launch).registers[snp.REGISTER]


@cache
def seed(image: bytes) -> bytes:
    return snp.after_firmware(image)


def firmware(name: str) -> bytes:
    return _read(vectors_folder() / "measure" / "firmware" / name)


def payload(name: str) -> bytes:
    return _read(vectors_folder() / "measure" / "payload" / name)


@cache
def _read(path: Path) -> bytes:
    return path.read_bytes()


def line(root: str = "one", words: str = WORDS) -> str:
    return (
        f"{words} warily.root={ROOTS[root].hex()} warily.salt={bytes(32).hex()} warily.blocks={1000 + len(root)} "
        f"warily.hash=sha256 warily.grantor={GRANTOR.hex()}"
    )


def declared() -> Inputs:
    return Inputs(
        firmware=firmware("OVMF.amdsev.fd"), kernel=payload("kernel_a.bin"), initrd=payload("initrd_a.bin"), line=line()
    )


def manifest(inputs: Inputs, *, root: str = "one", name: str = "ledger") -> Manifest:
    images = {Platform.SNP: inputs.firmware}
    parts = {"kernel": inputs.kernel, "initrd": inputs.initrd, "firmware-snp": inputs.firmware}
    booted = Booted(kernel=inputs.kernel, initrd=inputs.initrd, command_line=inputs.line.encode(), cpu=inputs.cpu)
    return Manifest(
        name=name,
        suite="trixie",
        source_date_epoch=0,
        ingredients=tuple(
            Ingredient(role=role, name=f"{role}.bin", size=len(data), sha256=hashlib.sha256(data).digest())
            for role, data in parts.items()
        ),
        command_line=inputs.line,
        root=VerityRoot(
            algorithm="sha256", root_hash=ROOTS[root], salt=bytes(32), data_blocks=1000 + len(root), block_size=4096
        ),
        cpus=inputs.vcpus,
        memory=1 << 30,
        cpu=inputs.cpu,
        platforms=(Platform.SNP,),
        registers=registers(booted, images),
        volumes=(),
        ports=(),
        grantor=GRANTOR,
        launches=launches(images),
    )


def build(inputs: Inputs, *, root: str = "one", name: str = "ledger") -> Build:
    packages = tuple(
        Component(
            name=package, version=version, purl="", sha256=hashlib.sha256(f"{package} {version}".encode()).digest()
        )
        for package, version in PACKAGES[root]
    )
    found = manifest(inputs, root=root, name=name)
    return build_of(found, where=f"{name}-{root}/manifest.json", packages=packages, signer="signed by somebody")


def all_builds() -> list[Build]:
    """The declared build, and one for each other root file system with everything else new as well."""
    first = declared()
    others = [
        build(replace(first, line=line(root, "quiet ro"), vcpus=7, cpu="EPYC-Turin"), root=root, name=f"ledger-{root}")
        for root in ("two", "three", "four")
    ]
    return [build(first), *others]
