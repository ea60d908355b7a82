"""PCR 11 of a unified kernel image: its sections as systemd-stub measures them, then the phases of the boot.

Each section counts twice: its name with a final NUL, then its content as it is in memory, which is the VirtualSize of
the section and not what the file pads it to. Later, systemd extends the name of each phase that the boot reaches.
Source: systemd-stub(7), systemd-measure(1), systemd-pcrphase.service(8), "TPM2 PCR Measurements Made by systemd".
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from warily.errors import UsageError
from warily.formats.tcg_log import EventType
from warily.formats.uki import MEASURED, Uki
from warily.measure.boot import BootEvent, hashed, known

PCR: Final = 11
PARAMETERS_PCR: Final = 12
PHASES: Final = ("enter-initrd", "leave-initrd", "sysinit", "ready", "shutdown", "final")
# The paths that systemd-measure predicts unasked.
USUAL_PATHS: Final = ("", *(":".join(PHASES[:count]) for count in range(1, 5)))
MAX_PHASES: Final = 64
MAX_PHASE: Final = 256

_ZEROS: Final = bytes(1 << 20)


def uki_events(
    data: bytes | memoryview,
    *,
    algorithms: Sequence[str],
    profile: int = 0,
    version: int | None = None,
    chosen: Mapping[str, int] | None = None,
) -> tuple[BootEvent, ...]:
    """What the stub of the image `data` extends into PCR 11 (and PCR 12 for a profile that is not the first).

    `algorithms` are the banks, as hashlib names them; `version` is the stub's
    where the image does not say, or says otherwise; for the rest see `Uki.measured`. Raises `FormatError`.
    """
    found = Uki.parse(data, version=version).measured(profile=profile, chosen=chosen)
    view = memoryview(data)
    events = [_profile(profile)] if profile else []
    for name, section in found.items():
        content = _digests(section.loaded(view), section.zeros, algorithms)
        events += _section(name, content, ingredient="uki")
    return tuple(events)


def section_events(sections: Mapping[str, bytes], *, algorithms: Sequence[str]) -> tuple[BootEvent, ...]:
    """What a stub extends for these sections (name with its dot → content); empty ones are as good as absent.

    Raises `UsageError` for a name that no stub measures, and where there is no kernel.
    """
    strange = sorted(set(sections) - set(MEASURED))
    if strange:
        msg = f"section {strange[0]}: systemd-stub measures none of that name"
        raise UsageError(msg, hint=f"it measures {' '.join(MEASURED)}")
    if not sections.get(".linux"):
        raise UsageError("a unified kernel image has a .linux section", hint="add --section linux=FILE")
    events: list[BootEvent] = []
    for name in MEASURED:
        if sections.get(name):
            events += _section(name, _digests(memoryview(sections[name]), 0, algorithms), ingredient=name)
    return tuple(events)


def phase_events(path: str) -> tuple[BootEvent, ...]:
    """What systemd extends on the way of a boot: `path` has the phases with colons between, "" none.

    Raises `UsageError`.
    """
    phases = path.split(":") if path else []
    if len(phases) > MAX_PHASES or any(not 0 < len(phase) <= MAX_PHASE for phase in phases):
        msg = f"phases {path[:80]!r}: at most {MAX_PHASES} names of at most {MAX_PHASE} characters, none empty"
        raise UsageError(msg, hint="enter-initrd:leave-initrd:sysinit:ready is the path of a usual boot")
    return tuple(
        hashed(PCR, EventType.ACTION, f"phase {phase}", ingredient="phases", data=phase.encode()) for phase in phases
    )


def _section(name: str, content: Mapping[str, bytes], *, ingredient: str) -> Iterator[BootEvent]:
    text = f"{name}\0".encode()
    yield hashed(PCR, EventType.IPL, f"name of {name}", ingredient=ingredient, data=text)
    yield known(PCR, EventType.IPL, f"content of {name}", ingredient=ingredient, digests=content)


def _profile(profile: int) -> BootEvent:
    """A profile other than the first is measured as its number in UTF-16, with a final NUL."""
    text = f"{profile}\0".encode("utf-16-le")
    return hashed(PARAMETERS_PCR, EventType.EVENT_TAG, f"profile {profile}", ingredient="profile", data=text)


def _digests(content: memoryview, zeros: int, algorithms: Iterable[str]) -> dict[str, bytes]:
    found = {}
    for algorithm in algorithms:
        digest = hashlib.new(algorithm, content)
        for at in range(0, zeros, len(_ZEROS)):
            digest.update(memoryview(_ZEROS)[: min(len(_ZEROS), zeros - at)])
        found[algorithm] = digest.digest()
    return found
