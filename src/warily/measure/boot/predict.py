"""The events of a boot that has not happened: the steps of a layout, with what the inputs make of each."""

from collections.abc import Iterator
from typing import Final

from warily.measure.boot.event import BootEvent
from warily.measure.boot.layout import BootLayout, Platform, Route
from warily.measure.boot.steps import STEPS, BootInputs, separator

_SEPARATOR: Final = "separator:"


def predict_events(
    inputs: BootInputs, layout: BootLayout, *, platform: Platform, route: Route
) -> tuple[BootEvent, ...]:
    """The events that a boot logs, in order. What is not known of one stands in its `because`."""
    return tuple(event for step in layout.steps(platform, route) for event in _step(step, inputs, layout))


def _step(step: str, inputs: BootInputs, layout: BootLayout) -> Iterator[BootEvent]:
    if step.startswith(_SEPARATOR):
        yield separator(int(step.removeprefix(_SEPARATOR)))
    else:
        yield from STEPS[step](inputs, layout)
