"""PCRs of a machine whose firmware does not show which events it logs: every way that is known, each by its name."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from warily.core.registers import Candidate, Prediction
from warily.measure.boot import BootLayout, facts_of, layouts
from warily.measure.pcr import PcrBoot, boot_events, predict, same_events

OF_FIRMWARE: Final = 10  # registers below are those that firmware's own events may reach


def predict_boot(boot: PcrBoot, *, banks: Sequence[str], path: str = "", paths: Sequence[str] = ()) -> Prediction:
    """The registers of the boot, with `path` and `paths` as in `predict`.

    Where several layouts fit the firmware, what they agree on is predicted. Where none does, what no layout touches is.
    The rest is absent, and its values under each layout are candidates. Raises `UsageError` and `FormatError`.
    """
    fitting = facts_of(boot.firmware, layout=boot.layout).layouts
    if fitting and same_events(fitting, boot.route):
        return predict(boot_events(boot, banks), banks=banks, path=path, paths=paths)
    found = [
        (layout, predict(boot_events(replace(boot, layout=layout.name), banks), banks=banks, path=path, paths=paths))
        for layout in fitting or layouts()
    ]
    predictions = [each for _, each in found]
    first = predictions[0]
    agreed = {
        name: value
        for name, value in first.registers.items()
        if all(each.registers.get(name) == value for each in predictions) and (fitting or not _of_firmware(name))
    }
    names = ", ".join(layout.name for layout, _ in found)
    because = f"several event layouts fit this firmware ({names}); name one: --layout NAME"
    if not fitting:
        because = "no event layout fits this firmware; name one: --layout NAME"
    reasons = {name: why for each in predictions for name, why in each.absent}
    opened = {name: reasons.get(name, because) for each in predictions for name in (*each.registers, *reasons)}
    return Prediction(
        registers=agreed,
        trace=tuple(step for step in first.trace if step.register in agreed),
        candidates=(*_candidates(found, agreed), *(each for each in first.candidates if each.register in agreed)),
        absent=tuple((name, why) for name, why in opened.items() if name not in agreed),
    )


def _of_firmware(name: str) -> bool:
    return int(name.partition(":")[2]) < OF_FIRMWARE


def _candidates(found: Sequence[tuple[BootLayout, Prediction]], agreed: Mapping[str, bytes]) -> Iterator[Candidate]:
    """The values under each layout, each once; and what else may be under one."""
    seen: set[tuple[str, bytes]] = set()
    for layout, prediction in found:
        because = f"the events of {layout.name}, of {layout.dated}"
        own = [
            Candidate(name=layout.name, register=name, value=value, because=because)
            for name, value in prediction.registers.items()
        ]
        others = [replace(each, name=f"{layout.name} {each.name}") for each in prediction.candidates]
        for each in (*own, *others):
            if each.register not in agreed and (each.register, each.value) not in seen:
                seen.add((each.register, each.value))
                yield each
