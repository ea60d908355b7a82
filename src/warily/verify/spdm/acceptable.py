"""Is the device what the relying party wants: a table of rules, each over one field of the expectation."""

from collections.abc import Callable
from typing import Final

from warily.core.expect import SpdmExpect
from warily.core.finding import Finding, Waived, failed, passed, waived
from warily.errors import FormatError
from warily.formats import dice
from warily.formats.spdm import DebugMode, DeviceMode, MeasurementBlock, ValueType
from warily.verify.comparing import bit_names, is_equal
from warily.verify.spdm.case import Case

Rule = Callable[[Case, SpdmExpect], Finding]

_ZERO_HINT: Final = "measurements are zero where debugging replaced them"
_DIGESTS: Final = (ValueType.IMMUTABLE_ROM, ValueType.MUTABLE_FIRMWARE)


def debugging_is_closed(case: Case, want: SpdmExpect) -> Finding:
    """No device mode says that debugging is on, or was since the reset, and no code is measured as all zeros."""
    check = "spdm.device-mode"
    if isinstance(want.debug, Waived):
        return waived(check, want.debug)
    blocks = case.transcript.measured.blocks
    said = [block for block in blocks if block.is_device_mode]
    try:
        found = [word for block in said for word in _debug_words(block.device_mode)]
    except FormatError as error:
        return failed(check, expected="a device mode of 16 bytes", found=str(error)[:200])
    found += [f"measurement {block.index} is zero" for block in blocks if _is_zeroed(block)]
    if found and not want.debug:
        return failed(check, expected="debugging closed", found=", ".join(found)[:300], hint=_ZERO_HINT)
    if not said:
        return waived(check, Waived("the device has no measurement of its mode"))
    return passed(check, found=", ".join(found) or "debugging closed")


def _debug_words(mode: DeviceMode) -> list[str]:
    return bit_names(mode.debug_state, DebugMode)


def _is_zeroed(block: MeasurementBlock) -> bool:
    return block.type in _DIGESTS and not block.raw and not any(block.value)


def nonce_is_ours(case: Case, want: SpdmExpect) -> Finding:
    """The nonce of the request is what the relying party made for this one request."""
    nonce = case.transcript.measured.request.nonce
    return is_equal("spdm.nonce", nonce, want.nonce, hint="the measurements answer another request")


def name_is_listed(case: Case, want: SpdmExpect) -> Finding:
    """The name in the leaf (manufacturer, product, serial number, as DSP0274 says) is one of those listed."""
    check = "spdm.name"
    if isinstance(want.names, Waived):
        return waived(check, want.names)
    name = dice.device_names(case.leaf.extensions).get(dice.DEVICE_INFO)
    if name is None or name not in want.names:
        expected = f"one of {len(want.names)}: {', '.join(sorted(want.names)[:4])}"
        return failed(check, expected=expected[:300], found=name or "a leaf without a device name")
    return passed(check, found=name)


def measurements_are_known(case: Case, want: SpdmExpect) -> Finding:
    """Every measurement that the expectation names is there and has one of the values it gives."""
    check = "spdm.measurements"
    if isinstance(want.measurements, Waived):
        return waived(check, want.measurements)
    values = {block.index: block.value for block in case.transcript.measured.blocks}
    wrong = [index for index, known in sorted(want.measurements.items()) if values.get(index) not in known]
    if wrong:
        said = ", ".join(f"{index} {_short(values.get(index))}" for index in wrong[:6])
        known = ", ".join(sorted(_short(value) for value in want.measurements[wrong[0]])[:4]) or "nothing"
        return failed(check, expected=f"{wrong[0]} one of: {known}", found=said)
    return passed(check, found=f"{len(want.measurements)} of {len(want.measurements)}")


def version_is_recent(case: Case, want: SpdmExpect) -> Finding:
    """The security version that the device measures is there and reaches the least one wanted."""
    check = "spdm.svn"
    if isinstance(want.svn, Waived):
        return waived(check, want.svn)
    found = [block.value for block in case.transcript.measured.blocks if block.type == ValueType.SECURITY_VERSION]
    numbers = [int.from_bytes(value, "little") for value in found]
    if not numbers or min(numbers) < want.svn:
        return failed(
            check, expected=f"at least {want.svn}", found=str(min(numbers)) if numbers else "none is measured"
        )
    return passed(check, found=str(min(numbers)))


# The definition of "acceptable". The reference page is generated from the table.
RULES: Final[dict[str, Rule]] = {
    "spdm.device-mode": debugging_is_closed,
    "spdm.nonce": nonce_is_ours,
    "spdm.name": name_is_listed,
    "spdm.measurements": measurements_are_known,
    "spdm.svn": version_is_recent,
}


def acceptable(case: Case, want: SpdmExpect) -> tuple[Finding, ...]:
    """One finding for every rule, over an authentic conversation."""
    return tuple(rule(case, want) for rule in RULES.values())


def _short(value: bytes | None) -> str:
    return "absent" if value is None else f"{value.hex()[:16]}…"
