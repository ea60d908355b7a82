"""The expectation that a device's SPDM conversation suggests, what its keys mean, and what is dangerous in one."""

from collections.abc import Iterator
from typing import Final

from warily.core.expect import SpdmExpect
from warily.core.finding import Waived
from warily.formats import dice
from warily.formats.spdm import ValueType
from warily.verify import certificate_path, x509
from warily.verify.policy_note import Note, danger, remark
from warily.verify.spdm.case import Case

# What stands above each key of the file.
COMMENTS: Final[dict[str, str]] = {
    "authorities": "SHA-256 of the DER of roots of device makers that you trust. None is built in: compare this one "
    "with what the maker publishes before you rely on it.",
    "rehearsal_roots": "SHA-256 of rehearsal roots. Empty wherever hardware is wanted.",
    "debug": "Whether a device is acceptable that debugging is open on, or was since its reset.",
    "nonce": "The challenge, 32 bytes. It is new in each request, so a file cannot hold it.",
    "names": "Names of devices as their certificates say them: manufacturer, product, serial number.",
    "measurements": "Acceptable values by index: code and configuration, as this device has them.",
    "svn": "The least security version of the firmware.",
}

_PINNED: Final = frozenset({
    ValueType.IMMUTABLE_ROM, ValueType.MUTABLE_FIRMWARE, ValueType.HARDWARE_CONFIGURATION,
    ValueType.FIRMWARE_CONFIGURATION,
})  # fmt: skip


def choose(case: Case, *, rehearsal_roots: frozenset[bytes]) -> SpdmExpect:
    """The expectation that accepts such a device with these measurements. Debugging stays refused.

    The root of the conversation is named only where it was not found out of order.
    """
    blocks = case.transcript.measured.blocks
    pinned = {block.index: frozenset({block.value}) for block in blocks if block.type in _PINNED and any(block.value)}
    versions = [block.value for block in blocks if block.type == ValueType.SECURITY_VERSION]
    name = dice.device_names(case.leaf.extensions).get(dice.DEVICE_INFO) if case.path else None
    top = case.path[-1] if case.path else None
    trusted = top is not None and certificate_path.is_self_issued(top) and x509.fingerprint(top) not in rehearsal_roots
    return SpdmExpect(
        authorities=frozenset({x509.fingerprint(top)}) if trusted and top is not None else frozenset(),
        rehearsal_roots=rehearsal_roots,
        debug=False,
        nonce=Waived("it is made for each request, and compared where the request is made"),
        names=frozenset({name}) if name else Waived("the certificate has no device name"),
        measurements=pinned or Waived("nothing but zeros is measured"),
        svn=min(int.from_bytes(value, "little") for value in versions) if versions else Waived("none is measured"),
    )


def notes(want: SpdmExpect) -> Iterator[Note]:
    """What is dangerous or remarkable in an expectation, key by key."""
    if want.rehearsal_roots:
        yield danger("rehearsal_roots", "devices that software plays are trusted")
    if not want.authorities and not want.rehearsal_roots:
        yield danger("authorities", "nobody's root is trusted: nothing can pass")
    if isinstance(want.debug, Waived) or want.debug:
        yield danger("debug", "whoever debugs the device reads what the workload puts into it")
    if isinstance(want.measurements, Waived):
        yield danger("measurements", "the device may run any firmware")
    elif not all(want.measurements.values()):
        yield danger("measurements", "the list of a measurement is empty: nothing can pass")
    if isinstance(want.nonce, Waived):
        yield remark("nonce", "freshness is not judged, unless the caller compares the nonce")
    if isinstance(want.names, Waived):
        yield remark("names", "any device of the maker passes")
