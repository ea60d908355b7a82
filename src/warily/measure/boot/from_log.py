"""A log's entries as boot events: to fold a real boot, and to take from it what cannot be computed."""

from collections.abc import Iterable
from typing import Final

from warily.core.registers import HASHES
from warily.formats.tcg_log import EventLog, EventType
from warily.formats.uefi_events import explain
from warily.measure.boot.event import BootEvent

INGREDIENT: Final = "the log"
SHA384_ALONE: Final = ((0x000C, 48),)
QEMU_ITEM: Final = b"QEMU FW CFG\0"
ACPI_DATA: Final = b"ACPI DATA"
SMBIOS_TABLES: Final = b"SmbiosTable\0"
ACPI_FILES: Final = 3  # without a TPM

# The measurement register index of a CCEL log → the first PCR index that stands for it (MRTD and RTMR3 have none).
PCR_OF_MEASUREMENT_REGISTER: Final = {0: 0, 1: 1, 2: 2, 3: 8}
RUNTIME_REGISTER: Final = 4


def events_of(log: EventLog, *, measurement_registers: bool = False) -> tuple[BootEvent, ...]:
    """The entries of a log that extend a register, in order.

    `measurement_registers` says that the log is a CCEL, whose register 1 is RTMR0; its entries get a PCR index that
    `rtmr` leads back to the same register. Entries of RTMR3, which no boot extends, are left out there.
    """
    return tuple(
        BootEvent(
            register=PCR_OF_MEASUREMENT_REGISTER.get(event.register, 0) if measurement_registers else event.register,
            type=event.type,
            name=explain(event.type, event.data),
            ingredient=INGREDIENT,
            digests={HASHES[number]: digest for number, digest in event.digests if number in HASHES},
            data=event.data,
        )
        for event in log.events
        if event.extends and not (measurement_registers and event.register >= RUNTIME_REGISTER)
    )


def is_of_td(log: EventLog) -> bool:
    """Whether the log is a TD's: SHA-384 alone, and a head that names register 1 (edk2 OvmfPkg TdTcg2Dxe)."""
    return log.header is not None and log.algorithms == SHA384_ALONE and log.header.register == 1


def boot_variables_of(events: Iterable[BootEvent]) -> tuple[BootEvent, ...] | None:
    """The boot variables of a log, in order; None where it has none."""
    return tuple(event for event in events if event.type == EventType.EFI_VARIABLE_BOOT) or None


def smbios_of(events: Iterable[BootEvent]) -> dict[str, bytes] | None:
    """The digests of the SMBIOS tables in a log; None where it has none."""
    found = next(filter(is_smbios, events), None)
    return None if found is None else dict(found.digests)


def is_smbios(event: BootEvent) -> bool:
    """Whether the event is that of the SMBIOS tables; in newer form a log names them."""
    named = event.type == EventType.EFI_HANDOFF_TABLES2 and SMBIOS_TABLES in event.data
    return event.type == EventType.EFI_HANDOFF_TABLES or named


def stub_smbios_of(events: Iterable[BootEvent]) -> tuple[BootEvent, ...] | None:
    """What systemd-stub measured of the SMBIOS tables; None where the log has nothing of it."""
    return tuple(event for event in events if (event.register, event.type) == (1, EventType.EVENT_TAG)) or None


def fw_cfg_of(events: Iterable[BootEvent]) -> tuple[BootEvent, ...] | None:
    """The items of QEMU that a TD's firmware measured; None where the log has none."""
    return tuple(event for event in events if event.data.startswith(QEMU_ITEM)) or None


def acpi_of(events: Iterable[BootEvent]) -> tuple[BootEvent, ...] | None:
    """The ACPI tables of a machine without a TPM, as a TD is; None where the log has others or none."""
    found = tuple(event for event in events if event.data == ACPI_DATA)
    return found if len(found) == ACPI_FILES else None
