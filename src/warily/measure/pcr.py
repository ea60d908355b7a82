"""PCRs of a machine that starts from OVMF: every bank, from the inputs, or from an event log.

Registers are named by bank and number, `sha256:11`. What no input decides is left out and said, never guessed.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from warily.core.acpi_blobs import AcpiBlobs
from warily.core.boot_devices import BootDevices
from warily.core.registers import HASHES, Candidate, Prediction, Step
from warily.errors import FormatError, UsageError
from warily.formats._record import record
from warily.formats.linux_kernel import SetupHeader
from warily.formats.smbios import SmbiosTables
from warily.formats.tcg_log import EventLog, EventType
from warily.formats.uefi_varstore import VariableStore
from warily.formats.uki import Uki
from warily.measure.authenticode import authenticode
from warily.measure.boot import (
    BootEvent,
    BootInputs,
    BootLayout,
    FirmwareFacts,
    boot_variables_of,
    events_of,
    facts_of,
    fold,
    hashed,
    predict_events,
    smbios_of,
    stub_smbios_of,
)
from warily.measure.boot.layout import Route
from warily.measure.boot.options import disk_variables
from warily.measure.boot.steps import EXIT, NOT_EXITED
from warily.measure.boot_loader import loaded
from warily.measure.firmware_pcr import firmware_events
from warily.measure.platform_info import MachineShape
from warily.measure.qemu_kernel import UNPATCHED_SINCE, patched_kernel
from warily.measure.secure_boot import authorities
from warily.measure.stub import handed_initrd, heeded, load_options, stub_events
from warily.measure.uki import PCR, phase_events, uki_events

ALL_BANKS: Final = tuple(HASHES.values())
# Linux before 5.18 measures neither initrd nor load options through a TPM.
MEASURES_SINCE: Final = (5, 18)
WRITES_PEI_VOLUME: Final = "ovmf-2022.11"  # since January 2023 a HOB holds what was written there
EXIT_PCR: Final = 5
ACPI_DATA: Final = b"ACPI DATA"


@record
class PcrBoot:
    """A boot. `program` is a kernel or a unified kernel image; `command_line` is QEMU's -append or the boot option's.

    `route` says who starts the program: QEMU's -kernel, or firmware from a disk. `qemu` (major, minor) and `memory` in
    bytes count for a kernel that QEMU changes, `memory`, `vcpus` and `physical_bits` for firmware that writes into what
    it measures. `acpi` and `smbios` are QEMU's tables for this very machine. `variables` is the variable store; None
    takes that of the firmware. `log` is the log of a machine of the same shape: what no input decides is taken from it.
    `partitions` is what firmware logs of the disk's partition table, empty without one; `file_system` says whether
    there is a file system in its place, and `devices` what else the machine has. `loader` is systemd-boot, where it is
    on the disk and starts the image. `stub` is the version of the stub, where the image does not say.
    """

    firmware: bytes
    program: bytes
    route: Route = "kernel"
    initrd: bytes | None = None
    command_line: str = ""
    firmware_version: str | None = None
    layout: str | None = None
    variables: bytes | None = None
    acpi: AcpiBlobs | None = None
    smbios: SmbiosTables | None = None
    qemu: tuple[int, int] | None = None
    memory: int | None = None
    vcpus: int | None = None
    physical_bits: int = 40
    partitions: bytes | None = None
    file_system: bool | None = None
    devices: BootDevices | None = None
    loader: bytes | None = None
    log: EventLog | None = None
    profile: int = 0
    stub: int | None = None


@record
class Started:
    """What the program decides, as `BootInputs` has it."""

    image: Mapping[str, bytes]
    stub: tuple[BootEvent, ...]
    load_options: bytes | None
    initrd: Mapping[str, bytes] | None


def predict(
    events: Iterable[BootEvent], *, banks: Sequence[str], path: str = "", paths: Sequence[str] = (), locality: int = 0
) -> Prediction:
    """The registers that `events` lead to in each bank, and then the phases of `path` (with colons between).

    `paths` are others whose values become candidates. `locality` is where PCR 0 starts. Raises `UsageError`.
    """
    listed = [*events]
    registers: dict[str, bytes] = {}
    absent: dict[str, str] = {}
    candidates: list[Candidate] = []
    trace: list[Step] = []
    for bank in banks:
        start = {f"{bank}:0": bytes(_size(bank) - 1) + bytes([locality])} if locality else {}
        found = fold([*listed, *phase_events(path)], bank, place=_named(bank), start=start)
        registers |= found.registers
        absent |= found.absent
        trace += found.trace
        before = fold(listed, bank, place=_named(bank)) if paths else found
        candidates += [*_candidates(bank, before.registers, paths), *_retried(bank, listed)]
        candidates += _alternatives(bank, listed, start)
    return Prediction(
        registers={name: registers[name] for name in sorted(registers, key=_order(banks))},
        trace=tuple(trace),
        candidates=tuple(candidates),
        absent=tuple((name, absent[name]) for name in sorted(absent, key=_order(banks))),
    )


def replay(log: EventLog, banks: Sequence[str]) -> Prediction:
    """The registers that a log leads to, in those of `banks` that it has digests for. Raises `FormatError`."""
    present = {HASHES[number] for number, _ in log.algorithms if number in HASHES}
    chosen = [bank for bank in banks if bank in present]
    if not chosen:
        msg = f"event log: no digests for {', '.join(banks)}"
        raise FormatError(msg, hint=f"it has {', '.join(sorted(present)) or 'none of a known algorithm'}")
    found = predict(events_of(log), banks=chosen, locality=log.startup_locality)
    return Prediction(registers=found.registers, trace=found.trace, absent=found.absent)


def boot_events(boot: PcrBoot, banks: Sequence[str]) -> tuple[BootEvent, ...]:
    """What the boot extends, in order; what stays open says why. Raises `UsageError` and `FormatError`."""
    facts = facts_of(boot.firmware, layout=boot.layout)
    logged = events_of(boot.log) if boot.log else ()
    if not (facts.layouts and same_events(facts.layouts, boot.route)):
        names = ", ".join(layout.name for layout in facts.layouts) or "none"
        msg = f"which events this firmware logs is not known; layouts that fit: {names}"
        raise UsageError(msg, hint="name one: --layout NAME")
    layout = facts.layouts[0]
    store = _store(boot)
    vouchers = authorities(facts, store, [boot.loader, boot.program] if boot.loader else [_as_started(boot)])
    started = _program(boot, layout, banks, boot.smbios or stub_smbios_of(logged), vouchers)
    inputs = BootInputs(
        facts=facts,
        firmware_events=firmware_events(
            boot.firmware,
            version=boot.firmware_version,
            shape=_shape(boot),
            writes=layout.name == WRITES_PEI_VOLUME,
            variables=store,
        ),
        variables=store,
        authority=vouchers[0] if vouchers else None,
        acpi=boot.acpi or _acpi_of(logged),
        smbios=boot.smbios or smbios_of(logged),
        boot_variables=boot_variables_of(logged) or _disk_variables(boot, facts, layout),
        partitions=boot.partitions,
        image=started.image,
        stub=started.stub,
        load_options=started.load_options,
        initrd=started.initrd,
    )
    return predict_events(inputs, layout, platform="tpm", route=boot.route)


def same_events(fitting: Sequence[BootLayout], route: Route) -> bool:
    """Whether these layouts lead to the same events."""
    return len({(each.steps("tpm", route), each.initrd_word, each.boot_options) for each in fitting}) == 1


def _disk_variables(boot: PcrBoot, facts: FirmwareFacts, layout: BootLayout) -> tuple[BootEvent, ...] | None:
    if boot.route != "disk":
        return None
    return disk_variables(facts, layout, _store(boot), boot.devices, file_system=boot.file_system)


def _acpi_of(logged: Sequence[BootEvent]) -> tuple[BootEvent, ...] | None:
    """The events of QEMU's ACPI tables in a log, None without."""
    return tuple(event for event in logged if event.data == ACPI_DATA) or None


def _shape(boot: PcrBoot) -> MachineShape | None:
    if boot.memory is None or boot.vcpus is None:
        return None
    return MachineShape(memory=boot.memory, vcpus=boot.vcpus, physical_bits=boot.physical_bits)


def _store(boot: PcrBoot) -> VariableStore | None:
    """The variable store given, or that at the head of the firmware; None where the firmware has none."""
    if boot.variables is not None:
        return VariableStore.parse(boot.variables)
    try:
        return VariableStore.parse(boot.firmware)
    except FormatError:
        return None


def _program(
    boot: PcrBoot,
    layout: BootLayout,
    banks: Sequence[str],
    smbios: SmbiosTables | tuple[BootEvent, ...] | None,
    vouchers: tuple[tuple[BootEvent, ...], ...] | None,
) -> Started:
    """What the program decides: its digest as firmware sees it, and what stub and Linux get."""
    image = _as_started(boot)
    digests: Mapping[str, bytes] = {bank: authenticode(image, bank) for bank in banks}
    if boot.loader is not None and (boot.route != "disk" or boot.command_line):
        raise UsageError("a boot loader is on a disk, and starts an image with the image's own command line")
    try:
        uki = Uki.parse(boot.program, version=boot.stub)
    except FormatError:
        if boot.loader is not None:
            raise
        return _linux(boot, layout, banks, digests)
    if boot.initrd is not None:
        raise UsageError("a unified kernel image has its initrd inside", hint="leave --initrd out")
    sections = uki.measured(profile=boot.profile)
    data, given = memoryview(boot.program), boot.command_line
    before: tuple[BootEvent, ...] = ()
    if boot.loader is not None:
        second = vouchers[1] if vouchers else ()
        found = loaded(boot.loader, boot.program, sections, smbios, algorithms=banks, authority=second)
        digests, before, given, smbios = found.image, found.before, found.given, found.smbios
    events = uki_events(data, algorithms=banks, profile=boot.profile, version=boot.stub)
    secure = vouchers is not None
    given = heeded(given, sections, secure_boot=secure)
    own = stub_events(data, uki, sections, algorithms=banks, given=given, smbios=smbios, secure_boot=secure)
    return Started(
        image=digests,
        stub=(*before, *events, *own),
        load_options=load_options(data, uki, sections, given),
        initrd=handed_initrd(data, uki, sections, banks),
    )


def _linux(boot: PcrBoot, layout: BootLayout, banks: Sequence[str], image: Mapping[str, bytes]) -> Started:
    version = SetupHeader.parse(boot.program).version
    if version is not None and version < MEASURES_SINCE:
        return Started(image=image, stub=(), load_options=b"", initrd={})
    line = boot.command_line
    if boot.route == "kernel":
        line = layout.command_line(line, initrd=boot.initrd is not None)
    initrd = boot.initrd or b""
    return Started(
        image=image,
        stub=(),
        load_options=f"{line}\0".encode("utf-16-le") if line else b"",
        initrd={bank: _hash(bank, initrd) for bank in banks} if initrd else {},
    )


def _as_started(boot: PcrBoot) -> bytes:
    """The program's bytes as firmware gets them: QEMU before 10.2 fills in a kernel's setup header."""
    header = SetupHeader.parse(boot.program)
    if boot.route != "kernel" or not header.protocol:
        return boot.program
    if boot.qemu is None:
        raise UsageError(
            "QEMU before 10.2 changes a kernel before firmware sees it, and its version is not given",
            hint="add --qemu VERSION, 7.2 say",
        )
    if boot.qemu >= UNPATCHED_SINCE:
        return boot.program
    if boot.memory is None and boot.initrd:
        raise UsageError("where QEMU before 10.2 puts the initrd depends on the memory", hint="add --memory SIZE")
    return patched_kernel(
        boot.program,
        initrd_size=len(boot.initrd or b""),
        memory=boot.memory or 0,
        command_line=boot.command_line.encode("utf-8", "surrogateescape"),
    )


def _candidates(bank: str, registers: Mapping[str, bytes], paths: Sequence[str]) -> list[Candidate]:
    """PCR 11 at the end of each path, from its value before any phase."""
    name = f"{bank}:{PCR}"
    if name not in registers:
        return []
    found = []
    for path in paths:
        value = fold(phase_events(path), bank, place=_named(bank), start={name: registers[name]}).registers[name]
        because = f"after {path}" if path else "before any phase"
        found.append(Candidate(name=path or "start", register=name, value=value, because=because))
    return found


def _retried(bank: str, events: Sequence[BootEvent]) -> list[Candidate]:
    """PCR 5 where Linux had to leave boot services twice, as happens when the memory map changes under it."""
    own = [event for event in events if event.register == EXIT_PCR]
    at = next((index for index, event in enumerate(own) if event.data == EXIT), None)
    if at is None or any(event.digest(bank) is None for event in own):
        return []
    failed = hashed(EXIT_PCR, EventType.EFI_ACTION, NOT_EXITED.decode(), ingredient="", data=NOT_EXITED)
    name = f"{bank}:{EXIT_PCR}"
    value = fold([*own[: at + 1], failed, *own[at:]], bank, place=_named(bank)).registers[name]
    because = "Linux had to leave boot services twice"
    return [Candidate(name="retried exit", register=name, value=value, because=because)]


def _alternatives(bank: str, events: Sequence[BootEvent], start: Mapping[str, bytes]) -> Iterator[Candidate]:
    """The registers of events that are other on other machines, one alternative at a time."""
    for event in events:
        name = f"{bank}:{event.register}"
        own = [each for each in events if each.register == event.register] if event.alternatives else []
        if any(each.digest(bank) is None for each in own):
            continue
        for other in event.alternatives:
            changed = [replace(each, hashed=other.hashed) if each is event else each for each in own]
            value = fold(changed, bank, place=_named(bank), start=start).registers[name]
            yield Candidate(name=other.name, register=name, value=value, because=other.because)


def _order(banks: Sequence[str]) -> Callable[[str], tuple[int, int]]:
    """By bank as asked for, then by number."""

    def place(name: str) -> tuple[int, int]:
        bank, _, index = name.partition(":")
        return banks.index(bank), int(index)

    return place


def _named(bank: str) -> Callable[[int], str]:
    return lambda index: f"{bank}:{index}"


def _size(bank: str) -> int:
    return hashlib.new(bank).digest_size


def _hash(bank: str, data: bytes) -> bytes:
    return hashlib.new(bank, data).digest()
