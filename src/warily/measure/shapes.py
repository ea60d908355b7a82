"""Registers for any shape of machine, recomputed from a manifest alone: its ingredients and its shape rules.

A few hash calls a shape: everything that costs time stands in the rules as a digest.
"""

import hashlib
from collections.abc import Iterator
from types import MappingProxyType

from warily.core.declaration import Platform
from warily.core.manifest import Manifest, PredictedRegister
from warily.core.registers import Candidate, Prediction, Step
from warily.core.shape_rules import LaunchRule
from warily.errors import UsageError
from warily.formats.ovmf import Ovmf, SectionType
from warily.formats.sev_hashes import KernelHashes
from warily.measure import snp
from warily.measure.shape_events import Shape, Supplied, boot_registers
from warily.measure.snp_hosts import Host, host_named, hosts
from warily.measure.vmsa import Vmm

__all__ = ["Shape", "chain", "declared", "foreseen", "recompute", "snp_rule"]


def snp_rule(firmware: bytes, *, role: str, vmm: Vmm, features: int) -> LaunchRule:
    """The launch rule of an SNP guest that starts from `firmware` with a kernel. Raises `FormatError`, `UsageError`."""
    image = Ovmf.parse(firmware)
    return LaunchRule(
        platform=Platform.SNP,
        vmm=vmm.value,
        firmware=role,
        firmware_gpa=image.gpa,
        seed=snp.after_firmware(firmware),
        sections=image.sections,
        hashes_offset=snp.hashes_offset(image),
        reset_eip=image.reset_eip,
        features=features,
    )


def recompute(
    manifest: Manifest,
    platform: Platform,
    shape: Shape,
    *,
    algorithm: str = "sha384",
    supplied: Supplied = MappingProxyType({}),
) -> Prediction:
    """Every register that the manifest's rules give for this shape, with the trace and all candidates.

    Events become RTMRs on TDX, else the PCRs of the bank of `algorithm`; a register with an event of unknown digest
    is absent, with the reason, unless `supplied` has the events of that ingredient. Raises `UsageError` where the
    manifest has no rule for the platform, `FormatError` for a broken one.
    """
    rules = [rule for rule in manifest.launches if rule.platform is platform]
    if not rules and not any(rule.platform is platform for rule in manifest.events):
        msg = f"the manifest of {manifest.name} has no shape rule for {platform.value}"
        raise UsageError(msg, hint="its `registers` are all it says; build the image again for rules")
    registers: dict[str, bytes] = {}
    candidates: tuple[Candidate, ...] = ()
    trace: list[Step] = []
    for rule in rules:
        vmm = _vmm(rule)
        found = snp.replay(_ingredients(manifest, rule, shape, host_named(shape.host, vmm, svsm=False)), shape.vcpus)
        registers |= found.registers
        trace += found.trace
        if platform is Platform.SNP:  # a rehearsal has one host, ours
            candidates += tuple(_candidates(manifest, rule, shape))
    booted = boot_registers(manifest, platform, shape, algorithm=algorithm, supplied=supplied)
    return Prediction(
        registers=registers | booted.registers,
        trace=(*trace, *booted.trace),
        candidates=(*candidates, *booted.candidates),
        absent=booted.absent,
    )


def declared(manifest: Manifest) -> Shape:
    """The shape that the manifest declares."""
    return Shape(vcpus=manifest.cpus, cpu=manifest.cpu, memory=manifest.memory)


def foreseen(manifest: Manifest, platform: Platform) -> tuple[PredictedRegister, ...]:
    """The registers of the declared shape, to be written down: the usual value of each, then those of other hosts."""
    shape = declared(manifest)
    found = recompute(manifest, platform, shape)
    given = {(entry.register, entry.value) for entry in manifest.registers if entry.platform is platform}
    usual: list[tuple[str, bytes, dict[str, str]]] = [(name, value, {}) for name, value in found.registers.items()]
    others = [(one.register, one.value, {"variant": one.name}) for one in found.candidates]
    made: dict[tuple[str, bytes], PredictedRegister] = {}
    for register, value, more in (*usual, *others):
        when = {"vcpus": str(shape.vcpus), "memory": str(shape.memory)} | more
        entry = PredictedRegister(platform=platform, register=register, when=when, value=value)
        if (register, value) not in given:
            made.setdefault((register, value), entry)
    return tuple(made.values())


def chain(manifest: Manifest, rule: LaunchRule, shape: Shape) -> snp.Ingredients:
    """What the launch digest of a shape depends on, the number of processors left open. Raises `UsageError`."""
    return _ingredients(manifest, rule, shape, host_named(shape.host, _vmm(rule), svsm=False))


def _candidates(manifest: Manifest, rule: LaunchRule, shape: Shape) -> Iterator[Candidate]:
    seen = set()
    for host in hosts(_vmm(rule), svsm=False):
        value = snp.replay(_ingredients(manifest, rule, shape, host), shape.vcpus).registers[snp.REGISTER]
        if value not in seen:
            seen.add(value)
            yield Candidate(name=host.name, register=snp.REGISTER, value=value, because=host.because)


def _ingredients(manifest: Manifest, rule: LaunchRule, shape: Shape, host: Host) -> snp.Ingredients:
    features = rule.features if shape.features is None else shape.features
    first, other = snp.vmsas(host, cpu=shape.cpu, features=features, eip=rule.reset_eip)
    return snp.Ingredients(
        firmware=manifest.ingredient(rule.firmware).sha256,
        firmware_gpa=rule.firmware_gpa,
        seed=rule.seed,
        sections=rule.sections,
        hashes=_hashes(manifest) if any(part.type is SectionType.KERNEL_HASHES for part in rule.sections) else None,
        hashes_offset=rule.hashes_offset,
        vmm=_vmm(rule),
        boot_vmsa=first,
        other_vmsa=other,
        vmsa_gpa=host.vmsa_gpa,
    )


def _hashes(manifest: Manifest) -> KernelHashes:
    return KernelHashes(
        command_line=hashlib.sha256(manifest.command_line.encode() + b"\0").digest(),
        initrd=manifest.ingredient("initrd").sha256,
        kernel=manifest.ingredient("kernel").sha256,
    )


def _vmm(rule: LaunchRule) -> Vmm:
    if rule.vmm not in tuple(Vmm):
        msg = f"a launch rule for {rule.vmm!r}, which this version does not know"
        raise UsageError(msg)
    return Vmm(rule.vmm)
