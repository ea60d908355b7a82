"""What an authentic report says, as plain values: hex text, numbers, names."""

from collections.abc import Mapping

from warily.formats import dice
from warily.formats.nvidia_report import Field
from warily.verify.nvidia.case import Case

_NUMBERED: Mapping[str, Field] = {
    "board_id": Field.BOARD_ID, "switch_position": Field.POSITION, "switch_lock": Field.LOCK,
}  # fmt: skip


def claims(case: Case, compared: Mapping[str, str]) -> dict[str, object]:
    """Who the device is, what runs on it, and every measurement; `compared` says how each manifest came out."""
    report = case.report
    return {
        "kind": "switch" if report.is_switch else "GPU",
        "model": case.model,
        "device": dice.device_names(case.leaf.extensions).get(dice.DEVICE_INFO),
        "device_key": case.key_digest.hex(),
        "leaf": case.leaf.name,
        "driver_version": report.driver_version,
        "vbios_version": report.vbios_version,
        "vbios_manifest": report.vbios_manifest,
        "mode": report.mode.value,
        "nonce": report.request.nonce.hex(),
        "firmware_ids": [digest.hex() for _, digest in case.firmware.ids] if case.firmware else [],
        "pdis": _pdis(report.fields.get(Field.PDI, b"")),
        **{
            name: int.from_bytes(report.fields[field], "little")
            for name, field in _NUMBERED.items()
            if field in report.fields
        },
        "compared": dict(compared),
        "measurements": {str(index): value.hex() for index, value in report.measurements.items()},
    }


def _pdis(value: bytes) -> list[str]:
    """The device identifiers, 8 bytes each: of linked switches, or the switch's own."""
    return sorted({value[at : at + 8].hex() for at in range(0, len(value), 8)})
