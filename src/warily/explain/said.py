"""Sentences: what a value is, for somebody who was handed a piece of hexadecimal."""

from collections.abc import Iterator, Mapping
from typing import Final

from warily.core.declaration import Platform
from warily.explain.alternatives import host_said, said_features
from warily.explain.answer import Known
from warily.explain.builds import Build
from warily.explain.launch import Launch
from warily.measure.snp_hosts import host_named
from warily.measure.vmsa import Vmm

REGISTERS: Final = {
    "launch_digest": "the launch digest (MEASUREMENT)",
    "mrtd": "MRTD, the measurement of a TD's firmware",
    "rtmr0": "RTMR0, the measurement of a TD's firmware settings and tables",
    "rtmr1": "RTMR1, the measurement of what a TD's firmware started",
    "rtmr2": "RTMR2, the measurement of the command line and initrd that a TD's kernel got",
    "rtmr3": "RTMR3, what a TD's software measured of itself",
}
PLATFORMS: Final = {
    Platform.SNP: "an AMD SEV-SNP guest",
    Platform.TDX: "an Intel TDX guest",
    Platform.REHEARSAL: "a rehearsal machine, which no hardware protects",
}
MAX_PACKAGES: Final = 4096


def launch_known(value: bytes, build: Build, known: Launch, found: Launch) -> Known:
    """A launch digest of a build, at some shape."""
    rule = found.firmware.rule
    host = host_named(found.host, Vmm(rule.vmm), svsm=False)
    declared = "" if found.vcpus == known.vcpus else f" (it declares {known.vcpus})"
    processors = f"{found.vcpus} vCPU{'s' if found.vcpus > 1 else ''}{declared} of model {found.cpu}"
    why = f", on a host of kind {host.name}: {host.because}" if rule.platform is Platform.SNP else ""
    shape = {
        "vcpus": found.vcpus,
        "cpu": found.cpu,
        "memory": "any",
        "features": said_features(found.features),
    }
    return Known(
        value=value,
        sentence=f"{REGISTERS['launch_digest']} of {PLATFORMS[rule.platform]} running {built(build)}, "
        f"with {processors}{why}",
        fields={
            **_fields(build),
            "platform": rule.platform.value,
            "register": "launch_digest",
            "shape": shape,
            "host": host_said(found),
            "firmware": f"{found.firmware.name} sha256:{found.firmware.sha256.hex()}",
        },
    )


def register_known(
    value: bytes, build: Build, *, platform: str, register: str, when: Mapping[str, str], because: str = ""
) -> Known:
    """A register that a manifest lists, or that its rules lead to."""
    shape = ", ".join(f"{name} {text}" for name, text in when.items())
    kind = PLATFORMS[Platform(platform)] if platform in tuple(Platform) else "a machine with a TPM"
    sentence = f"{REGISTERS.get(register, register.upper())} of {kind} running {built(build)}"
    sentence += f", for {shape}" if shape else ""
    return Known(
        value=value,
        sentence=sentence + (f", {because}" if because else ""),
        fields={**_fields(build), "platform": platform, "register": register, "shape": dict(when)},
    )


def built(build: Build) -> str:
    """A build in words: distribution, kernel, packages, firmware, who signed it, when it was logged."""
    return ", ".join(_parts(build))


def _parts(build: Build) -> Iterator[str]:
    manifest = build.manifest
    yield build.name if manifest is None else f"{build.name} (Debian {manifest.suite})"
    if build.kernel:
        yield f"kernel {build.kernel}"
    if build.packages:
        yield f"{len(build.packages)} packages"
    if build.firmware_package:
        yield f"firmware {build.firmware_package}"
    yield build.signer or "not signed"
    if build.logged:
        yield build.logged


def _fields(build: Build) -> dict[str, object]:
    found: dict[str, object] = {"manifest": build.name, "file": build.where}
    if build.manifest is not None:
        found["suite"] = f"Debian {build.manifest.suite}"
        found["root_hash"] = build.manifest.root.root_hash.hex()
    return found | {
        "kernel": build.kernel,
        "firmware_package": build.firmware_package,
        "packages": [{"name": one.name, "version": one.version} for one in build.packages[:MAX_PACKAGES]],
        "signer": build.signer,
        "logged": build.logged,
    }
