"""The events of a boot that has not happened: the steps of a layout, with what the inputs make of each."""

from collections.abc import Iterator
from typing import Final

from warily.measure.boot.event import BootEvent
from warily.measure.boot.layout import BootLayout, Platform, Route
from warily.measure.boot.steps import STEPS, BootInputs, separator

_SEPARATOR: Final = "separator:"
_SMBIOS: Final = "smbios"


def predict_events(
    inputs: BootInputs, layout: BootLayout, *, platform: Platform, route: Route
) -> tuple[BootEvent, ...]:
    """The events that a boot logs, in order. What is not known of one stands in its `because`."""
    steps = layout.steps(platform, route)
    if inputs.facts.runs_smm:
        steps = _with_late_smbios(steps)
    return tuple(event for step in steps for event in _step(step, inputs, layout))


def _with_late_smbios(steps: tuple[str, ...]) -> tuple[str, ...]:
    """The steps of firmware that runs SMM: its TPM driver starts last, and so comes first when a program is about to.

    Of drivers that wait for the same event, edk2 calls the one that asked last first.
    """
    if _SMBIOS not in steps:
        return steps
    rest = [step for step in steps if step != _SMBIOS]
    at = max(index for index, step in enumerate(rest) if step.startswith(_SEPARATOR)) + 1
    return (*rest[:at], _SMBIOS, *rest[at:])


def _step(step: str, inputs: BootInputs, layout: BootLayout) -> Iterator[BootEvent]:
    if step.startswith(_SEPARATOR):
        yield separator(int(step.removeprefix(_SEPARATOR)))
    else:
        yield from STEPS[step](inputs, layout)
