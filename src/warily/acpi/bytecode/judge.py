"""What the events of the analysis mean: findings, in the words of their identifiers.

An access is judged by its address space and addresses, against memory and against what QEMU's own tables do.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from warily.acpi.bytecode.context import Context, Event
from warily.acpi.bytecode.graph import LAST_PORT, Graph
from warily.acpi.bytecode.hotplug import (
    CMOS_PORTS,
    CONFIGURATION_PORTS,
    FWCFG_DMA_PORTS,
    INTERRUPT_CONTROLLERS,
    KNOWN_PORTS,
    KNOWN_REGISTERS,
)
from warily.acpi.bytecode.objects import DATA_TABLE_SPACE
from warily.acpi.bytecode.things import Region, Text
from warily.acpi.bytecode.values import MAX, Value, bounds, points_of, things_of
from warily.core.ranges import Range, RangeSet
from warily.formats.aml import Node
from warily.formats.aml.opcodes import space_name

_SPACES: Final = {
    3: "EC_REGION",
    4: "SMBUS_REGION",
    5: "CMOS_REGION",
    6: "PCIBAR_REGION",
    7: "IPMI_REGION",
    8: "GPIO_REGION",
    9: "SERIALBUS_REGION",
    10: "PCC_REGION",
    11: "PRM_REGION",
    0x7F: "FFIXEDHW_REGION",
}
_MEMORY, _IO, _PCI = 0, 1, 2
_AML_TABLES: Final = frozenset(("DSDT", "SSDT", "PSDT", "OSDT", "XSDT", "RSDT", "FACP"))
LONG_SLEEP: Final = 60_000
FOREVER: Final = 0xFFFF
_ANYWHERE: Final = 1 << 31
"""Addresses that may lie this far apart are as good as unbounded."""


class Judge:
    """Findings about single events. `memory` is what is RAM, `windows` where PCI configuration space is mapped."""

    def __init__(self, graph: Graph, memory: RangeSet, windows: Sequence[Range], signalled: set[str]) -> None:
        self._graph: Final = graph
        self._memory: Final = memory
        self._windows: Final = windows
        self._signalled: Final = signalled

    def judge(self, context: Context, event: Event) -> Iterator[tuple[str, str]]:
        """Identifier and evidence of everything that is wrong with an event."""
        if event.kind in ("read", "write"):
            yield from self._access(event)
        elif event.kind == "declare":
            yield from self._declared(event)
        elif event.kind == "no region":
            yield "MEM_DYNAMIC_ADDR", f"{event.detail} of {event.subject}: no table given says where its region lies"
        elif event.kind == "lost":
            yield "MEM_DYNAMIC_ADDR", f"{event.subject} that may mean too many objects to follow"
        elif event.kind == "redefine":
            yield "SELF_MODIFY", f"CopyObject puts something else behind the method {event.subject}"
        else:
            yield from self._effect(context, event)

    def _access(self, event: Event) -> Iterator[tuple[str, str]]:
        if event.space == _MEMORY:
            yield from self._memory_access(event)
        elif event.space == _IO:
            yield from self._port_access(event)
        elif event.space == _PCI:
            if event.kind == "write" and not _is_known_register(event):
                yield "PCI_CONFIG_WRITE", f"{_what(event)} in {_device(event.region)}"
        else:
            yield from self._special(event)

    def _special(self, event: Event) -> Iterator[tuple[str, str]]:
        """Spaces that any use of is a finding: their handlers talk to the host."""
        if event.space == DATA_TABLE_SPACE:
            tables = sorted(_signatures(event.region))
            yield "DATATABLE_REGION", f"{event.kind} {event.subject} in the table {' or '.join(tables) or '?'}"
            if event.kind == "write" and (not tables or _AML_TABLES & set(tables)):
                yield "SELF_MODIFY", f"write {event.subject} changes the table {' or '.join(tables) or '?'}"
            return
        identifier = _SPACES.get(event.space, "OEM_REGION")
        yield identifier, f"{_what(event)} in {space_name(event.space)}"

    def _memory_access(self, event: Event) -> Iterator[tuple[str, str]]:
        verb = event.kind.upper()
        spans = list(_spans(event.address, event.size))
        known = points_of(event.address)
        lo, hi = bounds(event.address)
        hits = [hit for span in spans if (hit := self._memory.first_overlap(span)) is not None]
        dynamic = known is None or len(known) > 1
        unbounded = known is None and hi - lo >= _ANYWHERE
        if unbounded:
            yield "MEM_DYNAMIC_ADDR", f"{_what(event)}: no bound on the address is known"
            yield f"MEM_{verb}", f"{_what(event)}: any address"
        elif dynamic and hits:
            yield "MEM_DYNAMIC_ADDR", f"{_what(event)}: the address is computed, and may lie in memory"
        if hits:
            yield f"MEM_RAM_{verb}", f"{_what(event)}: memory at {hits[0]}"
            yield from self._straddles(event.region)
        if event.kind == "write" and not unbounded:
            yield from self._registers(event, spans)

    def _registers(self, event: Event, spans: Sequence[Range]) -> Iterator[tuple[str, str]]:
        """Registers outside memory that reach further than a device of their own."""
        if any(window.overlaps(span) for window in self._windows for span in spans):
            yield "PCI_CONFIG_WRITE", f"{_what(event)}: PCI configuration space, mapped"
        elif any(INTERRUPT_CONTROLLERS.first_overlap(span) for span in spans):
            yield "MEM_WRITE", f"{_what(event)}: an interrupt controller"

    def _port_access(self, event: Event) -> Iterator[tuple[str, str]]:
        spans = [span for span in _spans(event.address, event.size) if not KNOWN_PORTS.covers(span)]
        if not spans:
            return
        verb = event.kind.upper()
        _, hi = bounds(event.address)
        bounded = "" if hi <= LAST_PORT else ", no bound on the port is known"
        yield f"IO_{verb}", _what(event) + bounded
        for identifier, ports in (
            ("IO_PCI_MECH1", CONFIGURATION_PORTS),
            ("IO_FWCFG_DMA", FWCFG_DMA_PORTS),
            ("CMOS_REGION", CMOS_PORTS),
        ):
            if any(ports.overlaps(span) for span in spans):
                yield identifier, f"{_what(event)}{bounded}"

    def _declared(self, event: Event) -> Iterator[tuple[str, str]]:
        """What a region is by itself, whoever uses it."""
        region = event.region
        if region is None:
            return
        if event.space == _MEMORY:
            yield from self._straddles(region)
        elif event.space not in (_IO, _PCI):
            yield from self._special(event._replace(kind="declare", subject=region.node.path, size=1))

    def _straddles(self, region: Region | None) -> Iterator[tuple[str, str]]:
        """A region with one end in memory and the other outside: a check of its first page sees nothing."""
        if region is None:
            return
        end = bounds(region.length)[1]
        if not isinstance(region.address, int) or not 0 < end <= MAX - region.address:
            return
        span = Range(region.address, region.address + end)
        if self._memory.first_overlap(span) is not None and not self._memory.covers(span):
            yield "MEM_STRADDLE", f"region {region.node.path} at {span} lies partly in memory"

    def _effect(self, context: Context, event: Event) -> Iterator[tuple[str, str]]:
        many = context in self._graph.repeated or self._graph.is_many(event.loop)
        often = " again and again" if many else ""
        if event.kind == "notify" and many:
            yield "NOTIFY_STORM", f"Notify ({event.subject}){often}"
        elif event.kind == "debug" and many:
            yield "DEBUG_FLOOD", f"the debug object is stored to{often}"
        elif event.kind == "create" and many:
            yield "NAMESPACE_BOMB", f"{event.detail} ({event.subject}){often}"
        elif event.kind in ("load", "loadtable"):
            what = event.detail.replace("\0", " ") or event.subject
            yield event.kind.upper(), f"{event.kind} of {what}{often}"
            if many:
                yield "NAMESPACE_BOMB", f"{event.kind} of {event.subject}{often}"
        elif event.kind == "fatal":
            yield "FATAL", f"Fatal, {event.subject}"
        else:
            yield from self._blocks(event)

    def _blocks(self, event: Event) -> Iterator[tuple[str, str]]:
        low, high = bounds(event.address)
        if event.kind == "sleep":
            if high >= LONG_SLEEP * (1000 if event.detail != "ms" else 1):
                yield "BLOCK_FOREVER", f"{event.subject} of up to {high} {event.detail}"
        elif event.kind == "wait" and high >= FOREVER and event.subject not in self._signalled:
            yield "BLOCK_FOREVER", f"Wait ({event.subject}) without timeout, and nothing signals it"
        elif event.kind == "acquire" and low >= FOREVER and event.subject == "\\_GL":
            yield "BLOCK_FOREVER", "Acquire (\\_GL) without timeout: the host can hold the global lock"


def _spans(address: Value, size: int) -> Iterator[Range]:
    points = points_of(address)
    if points is not None:
        for point in sorted(points):
            yield Range(point, min(point + size, MAX + 1))
        return
    lo, hi = bounds(address)
    yield Range(lo, min(hi + size, MAX + 1))


def _what(event: Event) -> str:
    spans = ", ".join(str(each) for each in _spans(event.address, event.size))
    return f"{event.kind} {event.subject} at {spans}"


def _signatures(region: Region | None) -> set[str]:
    if region is None:
        return set()
    return {each.text for each in things_of(region.signature) if isinstance(each, Text)}


def _address(node: Node) -> int | None:
    """The `_ADR` of the device around a name: device in the upper half, function in the lower."""
    device: Node | None = node
    while device is not None and device.kind not in ("Device", "Processor"):
        device = device.parent
    found = device.children.get("_ADR") if device is not None else None
    if found is None or not found.definitions:
        return None
    value = found.definitions[0].term.args[-1]
    return value if isinstance(value, int) and found.kind == "Name" else None


def _device(region: Region | None) -> str:
    address = _address(region.node) if region is not None else None
    return "a device that is not known" if address is None else f"device {address >> 16:#x}.{address & 0xFFFF:x}"


def _is_known_register(event: Event) -> bool:
    """Whether QEMU's own tables write there: interrupt routing of the bridge to ISA."""
    if event.region is None:
        return False
    address = _address(event.region.node)
    spans = list(_spans(event.address, event.size))
    return all(
        any(known.address == address and known.registers.covers(span) for known in KNOWN_REGISTERS) for span in spans
    )
