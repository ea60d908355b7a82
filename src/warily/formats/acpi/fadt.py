"""FADT (`FACP`) and FACS: the fixed registers, and where firmware and kernel meet.

Source: ACPI 6.5, 5.2.9 and 5.2.10. Revision 1 ends after 116 bytes, 3 after 244, 5 after 268, 6 after 276;
fields past the end of an older table read as zero.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, ClassVar, Final

from warily.formats._layout import layout, octets, u8, u16, u32, u64
from warily.formats.acpi._parts import (
    Area,
    GenericAddress,
    Part,
    Structure,
    TablePointer,
    Use,
    declared_areas,
    declared_ports,
    fixed,
)
from warily.formats.acpi_table import AcpiTable

HARDWARE_REDUCED: Final = 1 << 20
_BLOCKS: Final = {
    "x_pm1a_event": "pm1_event_length",
    "x_pm1b_event": "pm1_event_length",
    "x_pm1a_control": "pm1_control_length",
    "x_pm1b_control": "pm1_control_length",
    "x_pm2_control": "pm2_control_length",
    "x_pm_timer": "pm_timer_length",
    "x_gpe0": "gpe0_length",
    "x_gpe1": "gpe1_length",
}


@layout(276, source="ACPI 6.5, 5.2.9 Fixed ACPI Description Table")
class Fadt(Structure):
    """The whole table. The blocks without `x_` are I/O ports."""

    MINIMUM: ClassVar[int] = 116

    header: Annotated[bytes, octets(0, 36)]
    facs: Annotated[TablePointer, u32(36)]
    dsdt: Annotated[TablePointer, u32(40)]
    interrupt_model: Annotated[int, u8(44)]
    preferred_profile: Annotated[int, u8(45)]
    sci_interrupt: Annotated[int, u16(46)]
    smi_command: Annotated[int, u32(48)]
    acpi_enable: Annotated[int, u8(52)]
    acpi_disable: Annotated[int, u8(53)]
    s4bios_request: Annotated[int, u8(54)]
    pstate_control: Annotated[int, u8(55)]
    pm1a_event: Annotated[int, u32(56)]
    pm1b_event: Annotated[int, u32(60)]
    pm1a_control: Annotated[int, u32(64)]
    pm1b_control: Annotated[int, u32(68)]
    pm2_control: Annotated[int, u32(72)]
    pm_timer: Annotated[int, u32(76)]
    gpe0: Annotated[int, u32(80)]
    gpe1: Annotated[int, u32(84)]
    pm1_event_length: Annotated[int, u8(88)]
    pm1_control_length: Annotated[int, u8(89)]
    pm2_control_length: Annotated[int, u8(90)]
    pm_timer_length: Annotated[int, u8(91)]
    gpe0_length: Annotated[int, u8(92)]
    gpe1_length: Annotated[int, u8(93)]
    gpe1_base: Annotated[int, u8(94)]
    cst_control: Annotated[int, u8(95)]
    c2_latency: Annotated[int, u16(96)]
    c3_latency: Annotated[int, u16(98)]
    flush_size: Annotated[int, u16(100)]
    flush_stride: Annotated[int, u16(102)]
    duty_offset: Annotated[int, u8(104)]
    duty_width: Annotated[int, u8(105)]
    day_alarm: Annotated[int, u8(106)]
    month_alarm: Annotated[int, u8(107)]
    century: Annotated[int, u8(108)]
    boot_architecture: Annotated[int, u16(109)]
    reserved: Annotated[int, u8(111)]
    flags: Annotated[int, u32(112)]
    reset_register: Annotated[GenericAddress, octets(116, 12)]
    reset_value: Annotated[int, u8(128)]
    arm_boot_architecture: Annotated[int, u16(129)]
    minor_revision: Annotated[int, u8(131)]
    x_facs: Annotated[TablePointer, u64(132)]
    x_dsdt: Annotated[TablePointer, u64(140)]
    x_pm1a_event: Annotated[GenericAddress, octets(148, 12)]
    x_pm1b_event: Annotated[GenericAddress, octets(160, 12)]
    x_pm1a_control: Annotated[GenericAddress, octets(172, 12)]
    x_pm1b_control: Annotated[GenericAddress, octets(184, 12)]
    x_pm2_control: Annotated[GenericAddress, octets(196, 12)]
    x_pm_timer: Annotated[GenericAddress, octets(208, 12)]
    x_gpe0: Annotated[GenericAddress, octets(220, 12)]
    x_gpe1: Annotated[GenericAddress, octets(232, 12)]
    sleep_control: Annotated[GenericAddress, octets(244, 12)]
    sleep_status: Annotated[GenericAddress, octets(256, 12)]
    hypervisor_vendor: Annotated[int, u64(268)]

    def areas(self) -> Iterator[Area]:
        """The registers, each as long as its block is said to be."""
        for area in declared_areas(self):
            yield self._whole(area)

    def ports(self) -> Iterator[Area]:
        """The ports: those of the registers, and those that older kernels read from fields of their own."""
        yield from map(self._whole, declared_ports(self))
        for name in (*(each.removeprefix("x_") for each in _BLOCKS), "smi_command"):
            port = getattr(self, name)
            if port:
                place, _ = self.PLACES[name]
                area = Area(field=name, offset=place.offset, use=Use.REGISTER, start=port, size=1)
                yield self._whole(area)

    def _whole(self, area: Area) -> Area:
        """The area, as long as its block is said to be."""
        field = _BLOCKS.get(area.field) or _BLOCKS.get(f"x_{area.field}")
        return replace(area, size=max(area.size, getattr(self, field))) if field is not None else area


@layout(64, source="ACPI 6.5, 5.2.10 Firmware ACPI Control Structure")
class Facs(Structure):
    """Shared with firmware: waking vectors that the kernel writes, and the global lock."""

    signature: Annotated[bytes, octets(0, 4)]
    length: Annotated[int, u32(4)]
    hardware_signature: Annotated[int, u32(8)]
    waking_vector: Annotated[int, u32(12)]
    global_lock: Annotated[int, u32(16)]
    flags: Annotated[int, u32(20)]
    x_waking_vector: Annotated[int, u64(24)]
    version: Annotated[int, u8(32)]
    reserved: Annotated[bytes, octets(33, 3)]
    ospm_flags: Annotated[int, u32(36)]
    reserved_2: Annotated[bytes, octets(40, 24)]


def fadt(table: AcpiTable) -> Iterator[Part]:
    """The table as one part."""
    yield fixed(table, Fadt, "FADT")


def facs(table: AcpiTable) -> Iterator[Part]:
    """The structure as one part."""
    yield fixed(table, Facs, "FACS")
