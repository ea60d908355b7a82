"""One access to a region: which addresses it reaches.

Source: ACPI 6.5, 19.6.48 Field (access in units of the field's access type).
"""

from typing import TYPE_CHECKING, Final

from warily.acpi.bytecode.context import Event
from warily.acpi.bytecode.things import Region, Slot, Unit
from warily.acpi.bytecode.values import MAX, NOTHING, Value, arithmetic, bounds

if TYPE_CHECKING:
    from warily.acpi.bytecode.run import Run

_QUIET: Final = frozenset((0, 1, 2, 5))
"""Spaces whose accesses no other method runs during: memory, ports, PCI configuration, CMOS."""
_WIDTHS: Final = {1: 1, 2: 2, 3: 4, 4: 8}


def access(run: "Run", unit: Unit, *, write: bool) -> None:
    """Every region that the field may lie in is read or written, in the bytes that the field touches."""
    slots = unit.behind[0]
    kind = "write" if write else "read"
    found = False
    for slot in slots:
        run.watch(slot)
        regions = _regions(run, slot)
        run.machine.step(len(regions))
        for region in regions:
            found = True
            _touch(run, unit, region, kind)
    if not found and not any(slot.node.kind == "OperationRegion" for slot in slots):
        run.remark("no region", f"{unit.term.name}.{unit.part.name}", kind)


def read_region(run: "Run", region: Region) -> None:
    """The region is read from its beginning, as far as nobody can say."""
    event = Event("read", run.context.table, run.place, region.node.path, region.address, 1, region.space, region)
    run.note(event._replace(size=max(bounds(region.length)[1], 1) if isinstance(region.length, int) else 1))


def _regions(run: "Run", slot: Slot) -> list[Region]:
    """What the name may be: a method's own region, which nobody else declares, lies where this run has put it."""
    state = run.state
    if state is not None and slot in state.regions and slot.node.dynamic and len(slot.regions) == 1:
        return [state.regions[slot]]
    return list(slot.regions.values())


def _touch(run: "Run", unit: Unit, region: Region, kind: str) -> None:
    if region.address == NOTHING:
        return
    part = unit.part
    width = _WIDTHS.get(part.access, 1)
    first = part.bit_offset // 8 // width * width
    last = -(-(part.bit_offset + part.bits) // (8 * width)) * width
    address: Value = arithmetic("Add", region.address, first, MAX)
    if region.space not in _QUIET:
        # These handlers may run anything before they return.
        run.state.forget() if run.state is not None else None
    known = run.context.events.get((kind, run.place, id(part), id(region.term)))
    if known is not None and known.address == address and known.loop is run.loop:
        return
    subject = f"{region.node.path}.{part.name}" if known is None else known.subject
    run.note(
        Event(
            kind, run.context.table, run.place, subject, address, max(last - first, 1), region.space, region, run.loop
        ),
        id(part),
    )
