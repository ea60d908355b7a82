"""Measured boot as a list of events: what firmware, stub and kernel extend into registers, in order.

A PCR and an RTMR are both folds of such a list; they differ in which events there are and in who holds the register.
"""

from warily.measure.boot.event import Alternative, BootEvent, hashed, known, unknown
from warily.measure.boot.fold import Folded, Place, fold, pcr, rtmr
from warily.measure.boot.from_log import (
    acpi_of,
    boot_variables_of,
    events_of,
    fw_cfg_of,
    is_of_td,
    is_smbios,
    smbios_of,
    stub_smbios_of,
)
from warily.measure.boot.layout import BootLayout, FirmwareFacts, examine, facts_of, layout_named, layouts
from warily.measure.boot.predict import predict_events
from warily.measure.boot.steps import BootInputs

__all__ = [
    "Alternative",
    "BootEvent",
    "BootInputs",
    "BootLayout",
    "FirmwareFacts",
    "Folded",
    "Place",
    "acpi_of",
    "boot_variables_of",
    "events_of",
    "examine",
    "facts_of",
    "fold",
    "fw_cfg_of",
    "hashed",
    "is_of_td",
    "is_smbios",
    "known",
    "layout_named",
    "layouts",
    "pcr",
    "predict_events",
    "rtmr",
    "smbios_of",
    "stub_smbios_of",
    "unknown",
]
