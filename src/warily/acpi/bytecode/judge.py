"""What the events of the analysis mean: findings, in the words of their identifiers.

An access is judged by its address space and addresses, against memory and against what QEMU's own tables do.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from warily.acpi.bytecode.blocking import Blocking
from warily.acpi.bytecode.context import Context, Event
from warily.acpi.bytecode.entries import ANSWERS
from warily.acpi.bytecode.functions import Functions
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
_ANYWHERE: Final = 1 << 31
"""Addresses that may lie this far apart are as good as unbounded."""


class Judge:
    """Findings about single events. `memory` is what is RAM, `windows` where PCI configuration space is mapped."""

    def __init__(
        self, graph: Graph, blocking: Blocking, functions: Functions, memory: RangeSet, windows: Sequence[Range]
    ) -> None:
        self._graph: Final = graph
        self._blocking: Final = blocking
        self._functions: Final = functions
        self._memory: Final = memory
        self._windows: Final = windows

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
            if event.kind == "write" and not self._is_known_register(event):
                yield "PCI_CONFIG_WRITE", f"{_what(event)} in {self._functions.describe(event.region)}"
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
        length = bounds(region.length)[1]
        for start in sorted(points_of(region.address) or ()):
            if length <= 0:
                continue
            end = min(start + length, MAX + 1)
            span = Range(start, end)
            wrapped = Range(0, min(start + length - end, start)) if start + length > MAX + 1 and start else span
            inside = [each for each in (span, wrapped) if self._memory.first_overlap(each) is not None]
            if inside and not (self._memory.covers(span) and self._memory.covers(wrapped)):
                around = " and on from zero" if wrapped != span else ""
                yield "MEM_STRADDLE", f"region {region.node.path} at {span}{around} lies partly in memory"

    def _is_known_register(self, event: Event) -> bool:
        """Whether QEMU's own tables write there: interrupt routing of the bridge to ISA."""
        address = self._functions.address(event.region)
        return all(
            any(known.address == address and known.registers.covers(span) for known in KNOWN_REGISTERS)
            for span in _spans(event.address, event.size)
        )

    def _effect(self, context: Context, event: Event) -> Iterator[tuple[str, str]]:
        many = self._graph.is_many(context, event.loop)
        often = " again and again" if many else ""
        if event.kind == "notify":
            asked = sorted(ANSWERS & self._graph.reach.get(context, set()))
            if many or asked:
                when = often or f" in {asked[0].removeprefix('auto:')}, which the kernel evaluates when it is notified"
                yield "NOTIFY_STORM", f"Notify ({event.subject}){when}"
        elif event.kind == "debug" and many:
            yield "DEBUG_FLOOD", f"the debug object is stored to{often}"
        elif event.kind == "large":
            what = event.detail or f"a {event.subject} of up to {bounds(event.address)[1]} bytes or elements"
            yield "NAMESPACE_BOMB", what
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
            yield from self._blocking.judge(context, event)


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
