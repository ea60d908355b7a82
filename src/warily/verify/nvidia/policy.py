"""The expectation that reports of NVIDIA devices suggest, what its keys mean, and what is dangerous in one."""

from collections.abc import Iterator, Sequence
from typing import Final

from warily.core.expect import NvidiaExpect
from warily.core.finding import Waived
from warily.formats.nvidia_report import Mode
from warily.verify.nvidia.case import Case
from warily.verify.policy_note import Note, danger, remark

# What stands above each key of the file.
COMMENTS: Final[dict[str, str]] = {
    "rehearsal_roots": "SHA-256 of rehearsal roots that are trusted besides NVIDIA's, over devices and over manifests. "
    "Empty wherever hardware is wanted.",
    "manifests": "Whether NVIDIA's signed manifests of driver and VBIOS must be there, and match. Without them a "
    "genuine device may run anything.",
    "certificate_hold": "Whether a device passes whose certificate NVIDIA has put on hold.",
    "debug": "Whether a device that says it can be debugged is acceptable.",
    "modes": "How a GPU guards its traffic: single-gpu, multi-gpu (encrypted links), protected-pcie (links between "
    "GPUs are in the clear), unnamed (old drivers, and switches, do not say).",
    "nonce": "The challenge, 32 bytes. It is new in each request, so a file cannot hold it.",
    "models": "Chips that are acceptable, by their certificates.",
    "drivers": "Versions of the driver. A manifest says what NVIDIA released, not that it is free of known faults.",
    "vbioses": "Versions of the VBIOS, the firmware on the board.",
    "devices": "SHA-256 of the public key of each device's certificate. The key changes with the firmware.",
    "count": "How many devices there must be: a host may leave one out.",
}


def choose(cases: Sequence[Case], *, rehearsal_roots: frozenset[bytes]) -> NvidiaExpect:
    """The expectation that accepts such devices, as many of them, with these versions. Debugging stays refused."""
    drivers = {case.report.driver_version for case in cases} - {None}
    vbioses = {case.report.vbios_version for case in cases} - {None}
    return NvidiaExpect(
        rehearsal_roots=rehearsal_roots,
        manifests=True,
        certificate_hold=False,
        debug=False,
        modes=frozenset(case.report.mode.value for case in cases),
        nonce=Waived("it is made for each request, and compared where the request is made"),
        models=frozenset(case.model for case in cases if case.path),
        drivers=frozenset(version for version in drivers if version) or Waived("a switch has no driver"),
        vbioses=frozenset(version for version in vbioses if version),
        devices=Waived("any device of these models may run the workload"),
        count=len(cases),
    )


def notes(want: NvidiaExpect) -> Iterator[Note]:
    """What is dangerous or remarkable in an expectation, key by key."""
    if want.rehearsal_roots:
        yield danger("rehearsal_roots", "reports that software signed are trusted")
    if isinstance(want.manifests, Waived) or not want.manifests:
        yield danger("manifests", "a genuine device may run any firmware and any driver")
    if want.certificate_hold:
        yield danger(
            "certificate_hold", "NVIDIA puts a certificate on hold for a reason, and does not always say which"
        )
    if isinstance(want.debug, Waived) or want.debug:
        yield danger("debug", "whoever debugs the device reads what the workload puts into it")
    for key in ("modes", "models", "drivers", "vbioses", "devices"):
        if getattr(want, key) == frozenset():
            yield danger(key, "the list is empty: nothing can pass")
    yield from _remarks(want)


def _remarks(want: NvidiaExpect) -> Iterator[Note]:
    if isinstance(want.nonce, Waived):
        yield remark("nonce", "freshness is not judged, unless the caller compares the nonce")
    if isinstance(want.modes, Waived) or Mode.PROTECTED_PCIE in want.modes:
        yield remark("modes", "links between GPUs may be in the clear")
    if isinstance(want.count, Waived):
        yield remark("count", "evidence of fewer devices than the machine has passes")
    if isinstance(want.drivers, Waived):
        yield remark("drivers", "every driver that NVIDIA ever released passes, old faults and all")
