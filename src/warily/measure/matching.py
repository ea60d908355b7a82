"""Which shape of an image are these registers of: a manifest's rules searched, not recomputed for one shape.

SNP: all counts of processors, CPU models and kinds of host. TDX: every way in which the host may do it, and the memory
that a log shows. What the manifest leaves open (ACPI and SMBIOS tables of the host) can be taken from a log,
which the register then vouches for.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from warily.core.acpi_blobs import AcpiBlobs
from warily.core.declaration import Platform
from warily.core.manifest import Manifest
from warily.core.registers import Candidate
from warily.core.shape_rules import LaunchRule
from warily.data.cpu_signatures import SIGNATURES
from warily.errors import UsageError
from warily.formats._record import record
from warily.formats.tcg_log import EventType
from warily.measure import snp
from warily.measure.boot import BootEvent, acpi_of, is_smbios, smbios_of
from warily.measure.boot.steps import acpi_events
from warily.measure.launch_digest import LaunchDigest
from warily.measure.processors import Processors
from warily.measure.shape_events import USUAL, Shape, Supplied, td_hob_digest
from warily.measure.shapes import chain, declared, recompute
from warily.measure.snp_hosts import hosts
from warily.measure.td_boot import ALGORITHM
from warily.measure.vmsa import Vmm

MAX_COUNT: Final = 512
MIB: Final = 1 << 20
GIB: Final = 1 << 30
USUAL_SIZES: Final = (*range(512 * MIB, 64 * GIB, 512 * MIB), *range(64 * GIB, 2049 * GIB, GIB))


@record
class Match:
    """What a manifest says of registers.

    `shape` is the one that they are of, as far as it can be told. `values` has what is predicted for each register: the
    value itself where it is as predicted, and then `named` has the name of the variant. `absent` says why nothing is
    predicted for one. `supplied` names the ingredients that were taken from a log.
    """

    shape: Shape
    values: Mapping[str, tuple[bytes, ...]]
    named: Mapping[str, str]
    absent: Mapping[str, str]
    supplied: tuple[str, ...] = ()

    @property
    def wrong(self) -> tuple[str, ...]:
        """The registers that have another value than any that is predicted."""
        return tuple(name for name in self.values if name not in self.named)

    @property
    def matches(self) -> bool:
        """Whether at least one register is as predicted, and none is otherwise."""
        return bool(self.named) and not self.wrong


def match_launch(manifest: Manifest, platform: Platform, value: bytes) -> Match:
    """Of which shape the launch digest `value` is: the declared CPU model first, then all others, up to 512 vCPUs.

    Raises `UsageError` where the manifest has no rule for the platform, or one that this version does not know.
    """
    usual = declared(manifest)
    rules = [rule for rule in manifest.launches if rule.platform is platform]
    for shape, count in _launches(manifest, rules, usual, value):
        named = replace(shape, vcpus=count)
        found = {snp.REGISTER: named.host or USUAL}
        return Match(shape=named, values={snp.REGISTER: (value,)}, named=found, absent={})
    expected = recompute(manifest, platform, usual).registers[snp.REGISTER]
    return Match(shape=usual, values={snp.REGISTER: (expected,)}, named={}, absent={})


def _launches(
    manifest: Manifest, rules: Sequence[LaunchRule], usual: Shape, value: bytes
) -> Iterator[tuple[Shape, int]]:
    for rule in rules:
        known = [""] if rule.platform is not Platform.SNP else [host.name for host in hosts(Vmm(rule.vmm), svsm=False)]
        for cpu in dict.fromkeys((usual.cpu, *_models())):
            for host in known:
                shape = replace(usual, cpu=cpu, host=host)
                found = chain(manifest, rule, shape)
                processors = Processors(boot=found.boot_vmsa, other=found.other_vmsa, gpa=found.vmsa_gpa)
                most = 1 if found.other_vmsa is None else MAX_COUNT
                digests = processors.digests(_before(found), frozenset(range(1, most + 1)))
                yield from ((shape, count) for count, digest in digests.items() if digest == value)


def _before(found: snp.Ingredients) -> LaunchDigest:
    """The register before the first processor."""
    digest = LaunchDigest(found.seed)
    for _ in snp.section_steps(found, digest):
        pass
    return digest


def _models() -> Iterator[str]:
    """One name for each CPU signature."""
    yield from {number: name for name, number in reversed(SIGNATURES.items())}.values()


def match_boot(manifest: Manifest, values: Mapping[str, bytes], log: Sequence[BootEvent] = ()) -> Match:
    """What the manifest says of a TD's registers, by name. `log` are the events of that boot, where there is a log.

    Raises `UsageError` where the manifest has no rule for TDX, or one that this version does not know.
    """
    supplied = supplied_by(log)
    best: Match | None = None
    for memory in _memories(manifest, log):
        found = _match(manifest, replace(declared(manifest), memory=memory), values, supplied)
        if best is None or len(found.wrong) < len(best.wrong):
            best = found
        if not best.wrong:
            break
    if best is None:
        raise UsageError("the manifest declares no memory")
    return best


def _match(manifest: Manifest, shape: Shape, values: Mapping[str, bytes], supplied: Supplied) -> Match:
    predicted = recompute(manifest, Platform.TDX, shape, supplied=supplied)
    usual = [
        Candidate(name=USUAL, register=name, value=value, because="") for name, value in predicted.registers.items()
    ]
    named: dict[str, str] = {}
    known: dict[str, dict[bytes, None]] = {}
    for one in (*usual, *predicted.candidates):
        known.setdefault(one.register, {})[one.value] = None
        if values.get(one.register) == one.value:
            named.setdefault(one.register, one.name)
    return Match(
        shape=shape,
        values={
            name: (values[name],) if name in named else tuple(allowed)
            for name, allowed in known.items()
            if name in values and (name in named or name in predicted.registers)
        },
        named=named,
        absent={name: why for name, why in predicted.absent if name in values and name not in named},
        supplied=_used(manifest, supplied),
    )


def _used(manifest: Manifest, supplied: Supplied) -> tuple[str, ...]:
    """Which of the ingredients that a log supplies the manifest leaves open."""
    return tuple(
        dict.fromkeys(
            rule.ingredient
            for rule in manifest.events
            if rule.platform is Platform.TDX and not rule.digests and not rule.td_hob and rule.ingredient in supplied
        )
    )


def supplied_by(
    log: Sequence[BootEvent], *, tables: AcpiBlobs | None = None, smbios: BootEvent | None = None
) -> Supplied:
    """What only the host knows, out of a log: its ACPI and SMBIOS tables, and who vouches for the kernel.

    `tables` are QEMU's, in place of those in the log, and so is `smbios`.
    """
    found: dict[str, Sequence[BootEvent]] = {}
    if tables is not None:
        found["acpi"] = tuple(acpi_events(tables))
    elif (logged := acpi_of(log)) is not None:
        found["acpi"] = logged
    if smbios is not None:
        found["smbios"] = (smbios,)
    elif smbios_of(log) is not None:
        found["smbios"] = [event for event in log if is_smbios(event)]
    if authority := [event for event in log if event.type == EventType.EFI_VARIABLE_AUTHORITY]:
        found["variables"] = authority
    return found


def _memories(manifest: Manifest, log: Sequence[BootEvent]) -> Iterator[int]:
    """Sizes of memory to try: the one that the log shows; else the declared one, and those that rules name."""
    rules = [rule for rule in manifest.events if rule.platform is Platform.TDX]
    shown = [event.digest(ALGORITHM) for event in log if event.type == EventType.EFI_HANDOFF_TABLES2]
    for rule in rules:
        for size in (manifest.memory, *USUAL_SIZES) if rule.td_hob and shown else ():
            try:
                found = td_hob_digest(rule.td_hob, size, ALGORITHM) if rule.td_hob else b""
            except UsageError:
                continue  # too little memory for the firmware
            if found in shown:
                yield size
                break
    yield manifest.memory
    named = {rule.when["memory"].removesuffix("..") for rule in rules if "memory" in rule.when}
    yield from sorted(int(text) for text in named if text.isascii() and text.isdecimal())
