"""What an authentic conversation says, as plain values: hex text, numbers, names."""

from warily.formats import dice
from warily.formats.spdm import MeasurementBlock, ValueType
from warily.verify.spdm.case import Case


def claims(case: Case) -> dict[str, object]:
    """Who the device is, and every measurement by its index."""
    measured, algorithms = case.transcript.measured, case.transcript.algorithms
    return {
        "spdm_version": f"{algorithms.version >> 4}.{algorithms.version & 0xF}",
        "slot": case.slot,
        "leaf": case.leaf.name,
        "device": dice.device_names(case.leaf.extensions).get(dice.DEVICE_INFO),
        "names": dice.device_names(case.leaf.extensions),
        "nonce": measured.request.nonce.hex(),
        "measurements": {str(block.index): _said(block) for block in measured.blocks},
    }


def _said(block: MeasurementBlock) -> dict[str, object]:
    known = block.type in ValueType._value2member_map_
    name = ValueType(block.type).name.lower().replace("_", "-") if known else f"type {block.type}"
    return {"type": name, "raw": block.raw, "value": block.value.hex()}
