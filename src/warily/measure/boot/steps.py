"""The events of a measured boot, one function a step of the layouts.

What an input decides is computed; where an input is missing, the event says so and its register stays unpredicted.
Sources: TCG PC Client Platform Firmware Profile 1.06, section 3.3.4; UEFI Specification 2.10, section 38.4 (RTMRs);
edk2 SecurityPkg/Tcg/Tcg2Dxe, OvmfPkg/Tcg/TdTcg2Dxe; Linux drivers/firmware/efi/libstub/efi-stub-helper.c.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from warily.core.acpi_blobs import AcpiBlobs
from warily.formats._record import record
from warily.formats.load_option import LoadOption
from warily.formats.smbios import SmbiosTables, Structure
from warily.formats.tcg_log import EventType
from warily.formats.td_hob import TdHob
from warily.formats.uefi_events import EFI_GLOBAL, LOAD_OPTIONS_TAG, UefiVariable
from warily.formats.uefi_varstore import IMAGE_SECURITY, VariableStore
from warily.measure.boot.event import BootEvent, hashed, known, unknown
from warily.measure.boot.layout import BootLayout, FirmwareFacts
from warily.measure.boot.smbios import measured

NOTHING: Final = bytes(4)  # what a separator is the hash of
CALLING: Final = b"Calling EFI Application from Boot Option"
EXIT: Final = b"Exit Boot Services Invocation"
EXITED: Final = b"Exit Boot Services Returned with Success"
NOT_EXITED: Final = b"Exit Boot Services Returned with Failure"
SECURE_BOOT_VARIABLES: Final = (
    ("SecureBoot", EFI_GLOBAL),
    ("PK", EFI_GLOBAL),
    ("KEK", EFI_GLOBAL),
    ("db", IMAGE_SECURITY),
    ("dbx", IMAGE_SECURITY),
)
TIMESTAMP_DATABASE: Final = "dbt"  # measured only where it is there


@record
class BootInputs:
    """What a boot depends on. None: not known, so the events that depend on it are not predicted.

    `firmware_events` are those of PCR 0. `image` and `initrd` are digests by algorithm; `image` is the Authenticode
    digest of the program that firmware starts, as firmware gets it, and `image_because` says why there is none.
    `fw_cfg` and `acpi` may be what QEMU offers, or events taken from elsewhere; `smbios` QEMU's tables, or digests.
    `boot_variables` are events in place of what layout and store say. `partitions` is UEFI_GPT_DATA of the disk, empty
    for a disk without a GPT. `stub` is what the program logs before Linux runs. `load_options` are the bytes that Linux
    gets as its load options (UTF-16 with a NUL); empty, as `initrd` may be, where it measures none. `failed_exits`
    counts how often leaving boot services failed at first.
    """

    facts: FirmwareFacts
    firmware_events: tuple[BootEvent, ...] | None = None
    td_hob: TdHob | None = None
    variable_volume: bytes | None = None
    variables: VariableStore | None = None
    fw_cfg: Mapping[str, bytes] | tuple[BootEvent, ...] | None = None
    acpi: AcpiBlobs | tuple[BootEvent, ...] | None = None
    smbios: SmbiosTables | Mapping[str, bytes] | None = None
    boot_variables: tuple[BootEvent, ...] | None = None
    partitions: bytes | None = None
    authority: tuple[BootEvent, ...] | None = None
    image: Mapping[str, bytes] | None = None
    image_because: str = "no kernel is given"
    stub: tuple[BootEvent, ...] = ()
    load_options: bytes | None = None
    initrd: Mapping[str, bytes] | None = None
    failed_exits: int = 0


Step = Callable[[BootInputs, BootLayout], Iterator[BootEvent]]


def _firmware(inputs: BootInputs, _: BootLayout) -> Iterator[BootEvent]:
    if inputs.firmware_events is None:
        yield unknown(0, EventType.S_CRTM_VERSION, "firmware", ingredient="firmware", because="it is not given")
        return
    yield from inputs.firmware_events


def _td_hob(inputs: BootInputs, _: BootLayout) -> Iterator[BootEvent]:
    kind, name = EventType.EFI_HANDOFF_TABLES2, "TD HOB"
    if inputs.td_hob is None:
        yield unknown(1, kind, name, ingredient="memory", because="the memory size is not given")
    else:
        yield BootEvent(register=1, type=kind, name=name, ingredient="memory", hashed=inputs.td_hob.measured)


def _variable_volume(inputs: BootInputs, _: BootLayout) -> Iterator[BootEvent]:
    kind, name = EventType.EFI_PLATFORM_FIRMWARE_BLOB2, "configuration firmware volume"
    if inputs.variable_volume is None:
        yield unknown(1, kind, name, ingredient="variables", because="the firmware has none")
    else:
        yield BootEvent(register=1, type=kind, name=name, ingredient="variables", hashed=inputs.variable_volume)


def _fw_cfg(inputs: BootInputs, layout: BootLayout) -> Iterator[BootEvent]:
    """Items that QEMU does not have, or with another size than expected, are not measured."""
    kind = EventType.PLATFORM_CONFIG_FLAGS
    if inputs.fw_cfg is None:
        yield unknown(1, kind, "items of fw_cfg", ingredient="qemu", because="what QEMU offers is not known")
        return
    if isinstance(inputs.fw_cfg, tuple):
        yield from inputs.fw_cfg
        return
    for name, size in layout.fw_cfg:
        value = inputs.fw_cfg.get(name, b"")
        if value and size in (0, len(value)):
            yield BootEvent(register=1, type=kind, name=f"fw_cfg {name}", ingredient="qemu", hashed=value)


def _secure_boot(inputs: BootInputs, _: BootLayout) -> Iterator[BootEvent]:
    kind = EventType.EFI_VARIABLE_DRIVER_CONFIG
    store = inputs.variables
    if store is None:
        because = "there is no variable store to be read"
        yield unknown(7, kind, "Secure Boot variables", ingredient="variables", because=because)
        return
    enforced = bytes([store.secure_boot]) if inputs.facts.secure_boot else b""
    for name, vendor in SECURE_BOOT_VARIABLES:
        value = enforced if name == "SecureBoot" else store.value(name, vendor)
        yield _variable(7, kind, name, vendor, value)
    if value := store.value(TIMESTAMP_DATABASE, IMAGE_SECURITY):
        yield _variable(7, kind, TIMESTAMP_DATABASE, IMAGE_SECURITY, value)


def _variable(register: int, kind: int, name: str, vendor: str, value: bytes) -> BootEvent:
    data = UefiVariable(guid=vendor, name=name, value=value).encode()
    return hashed(register, kind, f"variable {name}", ingredient="variables", data=data)


def _acpi(inputs: BootInputs, _: BootLayout) -> Iterator[BootEvent]:
    if inputs.acpi is None:
        because = "QEMU's ACPI tables for this machine are not given"
        yield unknown(1, EventType.PLATFORM_CONFIG_FLAGS, "ACPI tables", ingredient="acpi", because=because)
    elif isinstance(inputs.acpi, tuple):
        yield from inputs.acpi
    else:
        yield from acpi_events(inputs.acpi)


def acpi_events(blobs: AcpiBlobs) -> Iterator[BootEvent]:
    """The events of QEMU's files, in the order in which firmware asks for them."""
    kind, data = EventType.PLATFORM_CONFIG_FLAGS, b"ACPI DATA"
    named = {
        "etc/table-loader": blobs.loader,
        "etc/acpi/rsdp": blobs.rsdp,
        "etc/tpm/log": blobs.tpm_log,
        "etc/acpi/tables": blobs.tables,
    }
    for name, blob in named.items():
        if blob is not None:
            yield BootEvent(register=1, type=kind, name=name, ingredient="acpi", hashed=blob, data=data)


def _authority(inputs: BootInputs, _: BootLayout) -> Iterator[BootEvent]:
    """With Secure Boot, the entry of db that vouches for the program counts too."""
    enforced = inputs.facts.secure_boot and inputs.variables is not None and inputs.variables.secure_boot
    if inputs.authority is not None:
        yield from inputs.authority
    elif enforced:
        because = "which entry of db vouches for the program is not computed"
        yield unknown(7, EventType.EFI_VARIABLE_AUTHORITY, "authority", ingredient="variables", because=because)


def _image(inputs: BootInputs, _: BootLayout) -> Iterator[BootEvent]:
    kind, name = EventType.EFI_BOOT_SERVICES_APPLICATION, "the program that firmware starts"
    if inputs.image is None:
        yield unknown(4, kind, name, ingredient="kernel", because=inputs.image_because)
    else:
        yield known(4, kind, name, ingredient="kernel", digests=inputs.image)


def _smbios(inputs: BootInputs, _: BootLayout) -> Iterator[BootEvent]:
    kind, name = EventType.EFI_HANDOFF_TABLES, "SMBIOS tables"
    tables = inputs.smbios
    if isinstance(tables, Mapping):
        yield known(1, kind, name, ingredient="smbios", digests=tables)
    elif not inputs.facts.measures_smbios:
        return
    elif tables is None:
        because = "QEMU's SMBIOS tables for this machine are not given"
        yield unknown(1, kind, name, ingredient="smbios", because=because)
    else:
        yield smbios_event(tables, inputs.facts.bios)


def smbios_event(tables: SmbiosTables, bios: Structure | None) -> BootEvent:
    """The event of QEMU's tables, to which firmware adds `bios`, where they have no such structure."""
    kind, name = EventType.EFI_HANDOFF_TABLES, "SMBIOS tables"
    data = measured(tables, bios)
    if data is None:
        because = "it is not known what the firmware adds to them about itself"
        return unknown(1, kind, name, ingredient="firmware", because=because)
    return BootEvent(register=1, type=kind, name=name, ingredient="smbios", hashed=data)


def _boot_variables(inputs: BootInputs, layout: BootLayout) -> Iterator[BootEvent]:
    """Firmware adds its own options to an empty list; what it makes of a list that is there is not modelled."""
    kind = EventType.EFI_VARIABLE_BOOT
    if inputs.boot_variables is not None:
        yield from inputs.boot_variables
        return
    if inputs.variables is None or inputs.variables.boot_order:
        because = "the store has boot options already"
        if inputs.variables is None:
            because = "there is no variable store to be read"
        yield unknown(1, kind, "boot options", ingredient="variables", because=because)
        return
    order = b"".join(number.to_bytes(2, "little") for number in range(len(layout.boot_options)))
    yield boot_variable("BootOrder", order)
    for number, option in enumerate(layout.boot_options):
        yield boot_variable(f"Boot{number:04X}", option.encode())


def boot_variable(name: str, value: bytes) -> BootEvent:
    """The event of a boot variable, whose digest is over its value alone."""
    data = UefiVariable(guid=EFI_GLOBAL, name=name, value=value).encode()
    what = f"variable {name}"
    if name != "BootOrder":
        what += f", {LoadOption.decode(value).description!r}"
    return BootEvent(
        register=1, type=EventType.EFI_VARIABLE_BOOT, name=what, ingredient="firmware", hashed=value, data=data
    )


def _calling(_: BootInputs, __: BootLayout) -> Iterator[BootEvent]:
    yield hashed(4, EventType.EFI_ACTION, CALLING.decode(), ingredient="", data=CALLING)


def separator(register: int) -> BootEvent:
    """The separator of a PCR: what firmware did before it is told from what comes after."""
    return hashed(register, EventType.SEPARATOR, "separator", ingredient="", data=NOTHING)


def _partitions(inputs: BootInputs, _: BootLayout) -> Iterator[BootEvent]:
    kind, name = EventType.EFI_GPT_EVENT, "partition table"
    if inputs.partitions is None:
        yield unknown(5, kind, name, ingredient="disk", because="the disk's partition table is not given")
    elif inputs.partitions:
        yield hashed(5, kind, name, ingredient="disk", data=inputs.partitions)


def _stub(inputs: BootInputs, _: BootLayout) -> Iterator[BootEvent]:
    yield from inputs.stub


def _load_options(inputs: BootInputs, _: BootLayout) -> Iterator[BootEvent]:
    kind, name = EventType.EVENT_TAG, "load options"
    if inputs.load_options is None:
        yield unknown(9, kind, name, ingredient="command line", because="the command line that Linux gets is not known")
    elif inputs.load_options:
        data = tagged(LOAD_OPTIONS_TAG, b"LOADED_IMAGE::LoadOptions\0")
        yield BootEvent(
            register=9, type=kind, name=name, ingredient="command line", hashed=inputs.load_options, data=data
        )


def _initrd(inputs: BootInputs, _: BootLayout) -> Iterator[BootEvent]:
    kind, name = EventType.EVENT_TAG, "initrd"
    if inputs.initrd is None:
        yield unknown(9, kind, name, ingredient="initrd", because="what initrd the stub hands over is not known")
    elif inputs.initrd:
        yield known(9, kind, name, ingredient="initrd", digests=inputs.initrd)


def tagged(tag: int, content: bytes) -> bytes:
    """The data of an EV_EVENT_TAG event (PC Client Platform Firmware Profile 1.06, section 10.4.2)."""
    return tag.to_bytes(4, "little") + len(content).to_bytes(4, "little") + content


def _exit(inputs: BootInputs, _: BootLayout) -> Iterator[BootEvent]:
    """Linux tries again where the memory map changed under it; each try counts."""
    for outcome in (NOT_EXITED,) * inputs.failed_exits + (EXITED,):
        for words in (EXIT, outcome):
            yield hashed(5, EventType.EFI_ACTION, words.decode(), ingredient="", data=words)


STEPS: Final[Mapping[str, Step]] = {
    "firmware": _firmware,
    "td-hob": _td_hob,
    "variable-volume": _variable_volume,
    "fw-cfg": _fw_cfg,
    "secure-boot": _secure_boot,
    "acpi": _acpi,
    "authority": _authority,
    "image": _image,
    "smbios": _smbios,
    "boot-variables": _boot_variables,
    "calling": _calling,
    "partitions": _partitions,
    "stub": _stub,
    "load-options": _load_options,
    "initrd": _initrd,
    "exit": _exit,
}
