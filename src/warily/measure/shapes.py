"""Registers for any shape of machine, recomputed from a manifest alone: its ingredients and its shape rules.

A few hash calls a shape: everything that costs time stands in the rules as a digest.
"""

import hashlib
from collections.abc import Iterator

from warily.core.declaration import Platform
from warily.core.manifest import Manifest
from warily.core.registers import Candidate, Prediction, Step
from warily.core.shape_rules import EventRule, LaunchRule
from warily.errors import UsageError
from warily.formats._record import record
from warily.formats.ovmf import Ovmf, SectionType
from warily.formats.sev_hashes import KernelHashes
from warily.measure import snp
from warily.measure.boot.event import BootEvent
from warily.measure.boot.fold import fold, pcr, rtmr
from warily.measure.snp_hosts import Host, host_named, hosts
from warily.measure.vmsa import Vmm


@record
class Shape:
    """What an image's author does not choose: processors, their CPU model, memory in bytes, the kind of host.

    `host` names a variant of data/snp_hosts.py; empty: the usual one. `features` is SEV_FEATURES; None: the rule's.
    """

    vcpus: int
    cpu: str
    memory: int
    host: str = ""
    features: int | None = None


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


def recompute(manifest: Manifest, platform: Platform, shape: Shape, *, algorithm: str = "sha384") -> Prediction:
    """Every register that the manifest's rules give for this shape, with the trace; SNP's with all candidates.

    Events become RTMRs on TDX, else the PCRs of the bank of `algorithm`; a register with an event of unknown digest
    is left out. Raises `UsageError` where the manifest has no rule for the platform, `FormatError` for a broken one.
    """
    rules = [rule for rule in manifest.launches if rule.platform is platform]
    events = [_event(rule) for rule in manifest.events if rule.platform is platform and _applies(rule, shape)]
    if not rules and not events:
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
    folded = fold(events, algorithm, place=rtmr if platform is Platform.TDX else pcr)
    return Prediction(
        registers=registers | dict(folded.registers), trace=(*trace, *folded.trace), candidates=candidates
    )


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


def _applies(rule: EventRule, shape: Shape) -> bool:
    known = {"vcpus": str(shape.vcpus), "cpu": shape.cpu, "memory": str(shape.memory)}
    return all(known.get(name) == value for name, value in rule.when.items())


def _event(rule: EventRule) -> BootEvent:
    return BootEvent(
        register=rule.register,
        type=rule.type,
        name=rule.name,
        ingredient=rule.ingredient,
        digests=rule.digests,
        because=rule.because,
    )
