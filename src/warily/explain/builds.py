"""Builds that are known: a manifest with what lies beside it, or loose files, as launches and as boots.

Everything here is handed in as bytes; who signed what was looked at by whoever read it.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from warily.core.declaration import Platform
from warily.core.manifest import Ingredient, Manifest
from warily.core.sbom import Component
from warily.core.shape_rules import LaunchRule
from warily.errors import FormatError, UsageError
from warily.explain.launch import Firmware, Launch, Part
from warily.formats._record import record
from warily.measure import rehearsal, shapes
from warily.measure.vmsa import Vmm

_NO_FILES: Final[Mapping[str, bytes]] = MappingProxyType({})
_KERNEL_PACKAGES: Final = ("linux-image-", "linux-binary-")
_FIRMWARE_PACKAGES: Final = ("ovmf", "seabios", "qemu-efi")


@record
class Build:
    """One build. `name` is the manifest's, `where` the file; `packages` those of its list of packages.

    `signer` and `logged` are sentences, empty where there is no signature or no log entry.
    """

    name: str
    where: str
    manifest: Manifest | None
    packages: tuple[Component, ...]
    signer: str
    logged: str
    launches: tuple[Launch, ...]

    @property
    def kernel(self) -> str:
        """The name and version of the kernel's package; empty where no list of packages names one."""
        return _package(self.packages, _KERNEL_PACKAGES)

    @property
    def firmware_package(self) -> str:
        """The name and version of the firmware's package; likewise."""
        return _package(self.packages, _FIRMWARE_PACKAGES)


def build_of(
    manifest: Manifest,
    *,
    where: str = "",
    packages: tuple[Component, ...] = (),
    signer: str = "",
    logged: str = "",
    files: Mapping[str, bytes] = _NO_FILES,
) -> Build:
    """The build that a manifest describes. `files` by file name help an older manifest, which has no launch rules."""
    return Build(
        name=manifest.name,
        where=where,
        manifest=manifest,
        packages=packages,
        signer=signer,
        logged=logged,
        launches=tuple(_launches(manifest, files)),
    )


def kept(sbom: bytes, manifest: Manifest) -> bool:
    """Whether the list of packages is the one that the manifest names by digest."""
    digest = hashlib.sha256(sbom).digest()
    return any(part.role == "sbom" and part.sha256 == digest for part in manifest.ingredients)


def firmware_parts(data: bytes, name: str) -> Iterator[Firmware]:
    """The launches that a firmware image can start: SNP's where it has the metadata, else the rehearsal's."""
    digest = hashlib.sha256(data).digest()
    try:
        rule = shapes.snp_rule(data, role=name, vmm=Vmm.QEMU, features=1)
        yield Firmware(name=name, sha256=digest, rule=rule)
    except (FormatError, UsageError):
        pass
    try:
        yield Firmware(name=name, sha256=digest, rule=rehearsal.rule(data, role=name))
    except FormatError:
        return


def loose(
    name: str, *, firmwares: Iterable[Firmware], kernel: Part, initrd: Part | None, line: bytes, cpu: str, vcpus: int
) -> Build:
    """A build out of files that no manifest describes, on SNP."""
    nothing = Part(name="none", sha256=hashlib.sha256(b"").digest())
    launches = (
        Launch(
            firmware=firmware,
            kernel=kernel,
            initrd=initrd or nothing,
            line=line,
            cpu=cpu,
            features=firmware.rule.features,
            host="",
            vcpus=vcpus,
        )
        for firmware in firmwares
        if firmware.rule.platform is Platform.SNP
    )
    return Build(name=name, where=name, manifest=None, packages=(), signer="", logged="", launches=tuple(launches))


def _launches(manifest: Manifest, files: Mapping[str, bytes]) -> Iterator[Launch]:
    parts = {part.role: part for part in manifest.ingredients}
    if not {"kernel", "initrd"} <= parts.keys():
        return
    for rule in manifest.launches or _rules(parts, files):
        firmware = parts.get(rule.firmware)
        if firmware is None or rule.vmm not in tuple(Vmm):
            continue
        yield Launch(
            firmware=Firmware(name=firmware.name, sha256=firmware.sha256, rule=rule),
            kernel=_part(parts["kernel"]),
            initrd=_part(parts["initrd"]),
            line=manifest.command_line.encode(),
            cpu=manifest.cpu,
            features=rule.features,
            host="",
            vcpus=manifest.cpus,
        )


def _rules(parts: Mapping[str, Ingredient], files: Mapping[str, bytes]) -> Iterator[LaunchRule]:
    """Rules out of the very firmware that an older manifest names."""
    for role, part in parts.items():
        data = files.get(part.name)
        if data is None or not role.startswith("firmware-") or hashlib.sha256(data).digest() != part.sha256:
            continue
        if role == "firmware-rehearsal":
            yield rehearsal.rule(data, role=role)
        elif role == "firmware-snp":
            yield shapes.snp_rule(data, role=role, vmm=Vmm.QEMU, features=1)


def _part(ingredient: Ingredient) -> Part:
    return Part(name=ingredient.name, sha256=ingredient.sha256)


def _package(packages: Iterable[Component], begins: tuple[str, ...]) -> str:
    return next((f"{one.name} {one.version}" for one in packages if one.name.startswith(begins)), "")
