"""What a manifest says of a TD: the values of MRTD, and the events of RTMR0 to RTMR2 as digests, for any shape.

Everything that costs time or needs a file stands in a rule as a digest. What depends on the shape stands there
once for each case: the kernel as QEMU before 10.2 hands it over, for usual sizes of memory; the TD HOB as a formula.
What only the host knows, its ACPI and SMBIOS tables, is an event without a digest, and its register stays open.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from warily.core.declaration import Platform
from warily.core.manifest import PredictedRegister
from warily.core.shape_rules import EventRule
from warily.errors import UsageError
from warily.formats.tcg_log import EventType
from warily.formats.tdvf import Tdvf
from warily.measure.authenticode import authenticode
from warily.measure.boot import BootEvent, BootLayout, FirmwareFacts, hashed, predict_events, unknown
from warily.measure.boot.steps import EXIT, NOT_EXITED
from warily.measure.mrtd import EXTENDED_LATER, REGISTER, firmware_regions, measure_regions
from warily.measure.qemu_kernel import LOW_MEMORY, UNPATCHED_SINCE, patched_kernel
from warily.measure.td_boot import ALGORITHM, TdBoot, TdxLaunch, Variant, check_launch
from warily.measure.td_memory import memory_of
from warily.measure.tdx import NO_DRIVER, TWO_PASS_BEFORE, facts_of_td

FIRST: Final = (1, 4, 9)  # a PCR index for each of RTMR0, RTMR1 and RTMR2
GIB: Final = 1 << 30
USUAL_MEMORY: Final = (GIB // 2, GIB, 2 * GIB)  # below where it ceases to matter to the kernel
SECOND_EXIT: Final = "second-exit"
BEFORE: Final = f"..{'.'.join(map(str, UNPATCHED_SINCE))}"
SINCE: Final = f"{'.'.join(map(str, UNPATCHED_SINCE))}.."
EARLY: Final = f"..{'.'.join(map(str, TWO_PASS_BEFORE))}"
NOT_LISTED: Final = "what QEMU before 10.2 makes of the kernel with this memory is not in the manifest"
BECAUSE: Final[Mapping[str, str]] = {
    SECOND_EXIT: "Linux left boot services at the second try",
    BEFORE: "QEMU before 10.2 fills in the kernel's setup header",
}


def mrtd_values(firmware: bytes) -> tuple[PredictedRegister, ...]:
    """MRTD as QEMU measures it, and as early trees of it did. Raises `FormatError`."""
    regions = firmware_regions(Tdvf.parse(firmware), firmware)
    single, double = measure_regions(regions).value, measure_regions(regions, two_pass=True).value
    return tuple(
        PredictedRegister(platform=Platform.TDX, register=REGISTER, when=when, value=value)
        for when, value in (({}, single), ({"qemu": EARLY}, double), ({"host": EXTENDED_LATER}, double))
    )


def event_rules(launch: TdxLaunch) -> tuple[EventRule, ...]:
    """The events of the boot of a kernel that QEMU is given, for every shape; `launch.memory` is the one declared.

    Raises `UsageError` and `FormatError`.
    """
    check_launch(launch)
    facts, tdvf = facts_of_td(launch), Tdvf.parse(launch.firmware)
    layout = _layout(facts)
    if layout is None or not facts.extends_rtmrs:
        because = NO_DRIVER if layout is not None else "which events this firmware logs is not known"
        return tuple(_rule(unknown(register, 0, "boot", ingredient="firmware", because=because)) for register in FIRST)
    boot = TdBoot(launch, tdvf, facts)
    events = predict_events(boot.inputs(Variant(layout=layout)), layout, platform="tdx", route=launch.route)
    return tuple(_rules(events, launch, tdvf))


def _layout(facts: FirmwareFacts) -> BootLayout | None:
    """The layout of the firmware's events, where all that fit it lead to the same ones."""
    found = {
        (layout.steps("tdx", "kernel"), layout.initrd_word, layout.fw_cfg, layout.boot_options): layout
        for layout in facts.layouts
    }
    return next(iter(found.values())) if len(found) == 1 else None


def _rules(events: Sequence[BootEvent], launch: TdxLaunch, tdvf: Tdvf) -> Iterator[EventRule]:
    for event in events:
        if event.type == EventType.EFI_HANDOFF_TABLES2:
            yield EventRule(**(_fields(event) | {"digests": {}, "td_hob": memory_of(tdvf)}))  # type: ignore[arg-type]  # its fields
        elif event.type == EventType.EFI_BOOT_SERVICES_APPLICATION and event.digests:
            yield _rule(event, qemu=SINCE)
            yield from _patched(event, launch)
        else:
            if event.data == EXIT:
                for words in (EXIT, NOT_EXITED):
                    failed = hashed(event.register, event.type, words.decode(), ingredient="", data=words)
                    yield _rule(failed, because=BECAUSE[SECOND_EXIT], host=SECOND_EXIT)
            yield _rule(event)


def _patched(event: BootEvent, launch: TdxLaunch) -> Iterator[EventRule]:
    """The kernel as QEMU before 10.2 hands it over: for sizes of memory below `LOW_MEMORY`, and for all above."""
    sizes = sorted({size for size in (*USUAL_MEMORY, launch.memory) if size < LOW_MEMORY})
    for condition, memory in (*((str(size), size) for size in sizes), (f"{LOW_MEMORY}..", LOW_MEMORY)):
        yield _patched_at(event, launch, memory, condition)
    for gap in _gaps(sizes):
        yield _rule(_changed(event, {}), because=NOT_LISTED, qemu=BEFORE, memory=gap)


def _patched_at(event: BootEvent, launch: TdxLaunch, memory: int, condition: str) -> EventRule:
    try:
        patched = patched_kernel(
            launch.kernel or b"",
            initrd_size=len(launch.initrd or b""),
            memory=memory,
            command_line=launch.command_line or b"",
        )
    except UsageError as error:  # QEMU would refuse as well
        return _rule(_changed(event, {}), because=str(error), qemu=BEFORE, memory=condition)
    digests = {ALGORITHM: authenticode(patched, ALGORITHM)}
    return _rule(_changed(event, digests), because=BECAUSE[BEFORE], qemu=BEFORE, memory=condition)


def _changed(event: BootEvent, digests: Mapping[str, bytes]) -> BootEvent:
    return BootEvent(
        register=event.register, type=event.type, name=event.name, ingredient=event.ingredient, digests=digests
    )


def _gaps(sizes: Iterable[int]) -> Iterator[str]:
    """The sizes of memory below `LOW_MEMORY` that are not among these, as conditions."""
    at = 0
    for size in (*sizes, LOW_MEMORY):
        if at < size:
            yield f"{at}..{size}"
        at = size + 1


def _rule(event: BootEvent, *, because: str = "", **when: str) -> EventRule:
    return EventRule(**(_fields(event) | {"because": because or event.because, "when": when}))  # type: ignore[arg-type]  # its fields


def _fields(event: BootEvent) -> dict[str, object]:
    digest = event.digest(ALGORITHM)
    return {
        "platform": Platform.TDX,
        "register": event.register,
        "type": event.type,
        "name": event.name,
        "ingredient": event.ingredient,
        "digests": {} if digest is None else {ALGORITHM: digest},
        "because": event.because,
        "when": {},
    }
