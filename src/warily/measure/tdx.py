"""MRTD and RTMR0 to RTMR3 of a TD that QEMU starts from OVMF, before it has run.

Where the host or the firmware may do it in several ways, `registers` has the value of current upstream QEMU (or of the
version that is named) and `candidates` has all, each with its reason. A register for which an input is missing is
absent, with the reason, and so is one on which the event layouts that fit the firmware do not agree.
Source: Intel TDX Module 1.5 Base Architecture Specification; UEFI Specification 2.10, section 38.4.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from warily.core.registers import Candidate, Prediction, Step
from warily.errors import FormatError, UsageError
from warily.formats._record import record
from warily.formats.tdvf import Tdvf
from warily.measure.boot import FirmwareFacts, Folded, facts_of, fold, layouts, predict_events, rtmr
from warily.measure.mrtd import (
    EXTENDED_LATER,
    EXTENDED_LATER_BECAUSE,
    REGISTER,
    firmware_regions,
    google_candidates,
    measure_regions,
)
from warily.measure.qemu_kernel import UNPATCHED_SINCE
from warily.measure.td_boot import ALGORITHM, TdBoot, TdxLaunch, Variant, check_launch, with_variables

__all__ = ["TdxLaunch", "predict"]

SINGLE_PASS_SINCE: Final = (10, 1)
TWO_PASS_BEFORE: Final = (9, 0)
BOOT_REGISTERS: Final = ("rtmr0", "rtmr1", "rtmr2")
RUNTIME_REGISTER: Final = "rtmr3"
SIZE: Final = 48
BEFORE: Final = " qemu-before-10.2"
NO_DRIVER: Final = "this image shows no driver that extends RTMRs (TdTcg2Dxe)"


@record
class _Outcome:
    """One variant, what it is called, because of what it may be, and where it leads."""

    name: str
    because: str
    usual: bool
    folded: Folded


def predict(launch: TdxLaunch) -> Prediction:
    """The registers of the TD, their trace and their candidates. Raises `UsageError` and `FormatError`."""
    check_launch(launch)
    tdvf = Tdvf.parse(launch.firmware)
    launch = _replace_firmware(launch, with_variables(tdvf, launch.firmware, launch.variables))
    tdvf = Tdvf.parse(launch.firmware)
    static, static_candidates, trace = _mrtd(launch, tdvf)
    facts = facts_of_td(launch)
    outcomes = list(_outcomes(launch, tdvf, facts))
    registers, absent = _decided(outcomes, facts, named=launch.layout is not None)
    if launch.layout is None and not facts.extends_rtmrs:
        registers, absent = {}, dict.fromkeys(BOOT_REGISTERS, NO_DRIVER)
    first = next((outcome.folded for outcome in outcomes if outcome.usual), Folded(registers={}))
    runtime = {RUNTIME_REGISTER: bytes(SIZE)}
    return Prediction(
        registers={REGISTER: static} | registers | runtime,
        trace=(*trace, *(step for step in first.trace if step.register in registers)),
        candidates=(*static_candidates, *_candidates(outcomes, facts)),
        absent=tuple(absent.items()),
    )


def facts_of_td(launch: TdxLaunch) -> FirmwareFacts:
    """What the image shows of its events: nothing where it is none that consists of volumes, such as td-shim."""
    try:
        return facts_of(launch.firmware, layout=launch.layout)
    except FormatError as error:
        return FirmwareFacts(version=None, layouts=(), drivers=frozenset(), because=str(error))


def _replace_firmware(launch: TdxLaunch, firmware: bytes) -> TdxLaunch:
    values = {name: getattr(launch, name) for name in TdxLaunch.__annotations__}
    return TdxLaunch(**(values | {"firmware": firmware}))


def _mrtd(launch: TdxLaunch, tdvf: Tdvf) -> tuple[bytes, tuple[Candidate, ...], tuple[Step, ...]]:
    """MRTD as the named QEMU measures it, all candidates, and the trace of the first."""
    regions = firmware_regions(tdvf, launch.firmware)
    single, double = measure_regions(regions), measure_regions(regions, two_pass=True)
    early = launch.qemu is not None and launch.qemu < TWO_PASS_BEFORE
    chosen = double if early else single
    candidates = (
        Candidate(
            name="single-pass",
            register=REGISTER,
            value=single.value,
            because="each page is extended as it is added: QEMU since 10.1, Google's hosts",
        ),
        Candidate(
            name=EXTENDED_LATER,
            register=REGISTER,
            value=double.value,
            because=EXTENDED_LATER_BECAUSE,
        ),
        *google_candidates(tdvf, launch.firmware),
    )
    return chosen.value, candidates, chosen.trace


def _outcomes(launch: TdxLaunch, tdvf: Tdvf, facts: FirmwareFacts) -> Iterator[_Outcome]:
    """All ways the boot may go; `usual` marks those that differ in nothing but the layout."""
    boot = TdBoot(launch, tdvf, facts)
    before = launch.qemu is not None and launch.qemu < UNPATCHED_SINCE
    for layout in facts.layouts or layouts():
        usual = Variant(layout=layout, patched=before)
        names = [("", "", usual)]
        if launch.kernel is not None and launch.qemu is None and launch.route == "kernel":
            because = "QEMU before 10.2 fills in the kernel's setup header"
            names.append((BEFORE, because, Variant(layout=layout, patched=True)))
        if launch.kernel is not None:
            because = "Linux left boot services at the second try"
            again = Variant(layout=layout, patched=before, failed_exits=1)
            names.append((" second-exit", because, again))
        if launch.command_line is not None and not launch.command_line.isascii():
            because = "edk2 widens each byte of the command line by itself"
            names.append((" bytes-widened", because, Variant(layout=layout, patched=before, widened=True)))
        for name, because, variant in names:
            try:
                events = predict_events(boot.inputs(variant), layout, platform="tdx", route=launch.route)
            except UsageError:
                if name == BEFORE:
                    continue  # what QEMU would refuse to start is no candidate
                raise
            yield _Outcome(
                name=f"{layout.name}{name}",
                because=because or f"the events of {layout.name}, of {layout.dated}",
                usual=not name,
                folded=fold(events, ALGORITHM, place=rtmr),
            )


def _decided(
    outcomes: Sequence[_Outcome], facts: FirmwareFacts, *, named: bool
) -> tuple[dict[str, bytes], dict[str, str]]:
    """The registers on which all layouts that fit agree, and why the others are absent."""
    usual = [outcome for outcome in outcomes if outcome.usual]
    registers: dict[str, bytes] = {}
    absent: dict[str, str] = {}
    for register in BOOT_REGISTERS:
        values = {outcome.folded.registers.get(register) for outcome in usual}
        missing = next((outcome.folded.absent[register] for outcome in usual if register in outcome.folded.absent), "")
        if missing:
            absent[register] = missing
        elif not (facts.layouts or named):
            absent[register] = "no event layout fits this firmware; name one: --layout NAME"
        elif len(values) > 1:
            names = ", ".join(outcome.name for outcome in usual)
            absent[register] = f"several event layouts fit this firmware ({names}); name one: --layout NAME"
        else:
            registers[register] = next(iter(values)) or bytes(SIZE)
    return registers, absent


def _candidates(outcomes: Iterable[_Outcome], facts: FirmwareFacts) -> Iterator[Candidate]:
    """Every value a register may have, each once; nothing of a register for which there is one alone."""
    found: dict[str, dict[bytes, Candidate]] = {name: {} for name in BOOT_REGISTERS}
    for outcome in outcomes:
        for register, value in outcome.folded.registers.items():
            made = Candidate(name=outcome.name, register=register, value=value, because=outcome.because)
            found[register].setdefault(value, made)
    for values in found.values():
        if len(values) > 1 or not facts.layouts or not facts.extends_rtmrs:
            yield from values.values()
