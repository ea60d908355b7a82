"""Boots of files that no manifest describes: every way in which firmware and QEMU may boot them.

What depends on the size of memory is varied over usual sizes, so that a value tells which it was.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from warily.errors import FormatError, UsageError
from warily.explain.answer import ChangedInput
from warily.explain.boots import GIB, Boot, hobs, memories_at, said_size
from warily.explain.builds import Build
from warily.formats.tdvf import Tdvf
from warily.measure import pcr, tdx
from warily.measure.boot import facts_of, layouts, predict_events
from warily.measure.boot.event import BootEvent
from warily.measure.td_boot import TdBoot, TdxLaunch, Variant, check_launch
from warily.measure.td_memory import memory_of

BANKS: Final = ("sha256", "sha384", "sha1")


def td_boots(build: Build, launch: TdxLaunch) -> Iterator[Boot]:
    """The boots of a TD, one for each layout of events that fits and for QEMU before and since 10.2."""
    try:
        check_launch(launch)
        tdvf = Tdvf.parse(launch.firmware)
        facts = facts_of(launch.firmware, layout=launch.layout)
        boot = TdBoot(launch, tdvf, facts)
    except (FormatError, UsageError):
        return
    for layout in facts.layouts or layouts():
        for patched in (False, True) if launch.kernel is not None else (False,):
            try:
                events = predict_events(
                    boot.inputs(Variant(layout=layout, patched=patched)), layout, platform="tdx", route=launch.route
                )
            except (FormatError, UsageError):
                continue
            qemu = ", started by QEMU before 10.2, which fills in the kernel's header" if patched else ""
            yield Boot(
                build=build,
                platform="tdx",
                events=events,
                when={"memory": said_size(launch.memory)},
                because=f"with the events of {layout.name}{qemu}",
                line=launch.command_line or b"",
                vary=tuple(_memories(tdvf, events, launch.memory)),
            )


def _memories(tdvf: Tdvf, events: Sequence[BootEvent], memory: int) -> Iterator[tuple[int, BootEvent, ChangedInput]]:
    at = next((index for index, event in enumerate(events) if event.name == "TD HOB"), None)
    if at is not None:
        yield from memories_at(at, events[at], hobs(memory_of(tdvf)), memory)


def tpm_boots(build: Build, boot: pcr.PcrBoot) -> Iterator[Boot]:
    """The boot of a machine with a TPM; nothing where the files do not suffice to tell which events there are."""
    try:
        events = pcr.boot_events(boot, BANKS)
    except (FormatError, UsageError):
        return
    yield Boot(build=build, platform="tpm", events=events, line=boot.command_line.encode())


def firmware_digests(firmware: bytes, name: str) -> Iterator[tuple[bytes, str]]:
    """MRTD in every way that hosts measure this firmware, and what that way is."""
    try:
        found = tdx.predict(TdxLaunch(firmware=firmware, memory=2 * GIB, vcpus=1))
    except (FormatError, UsageError):
        return
    for candidate in found.candidates:
        if candidate.register == "mrtd":
            yield candidate.value, f"MRTD of the firmware {name}: {candidate.because}"
