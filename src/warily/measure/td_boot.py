"""What a TD's boot depends on, as inputs of the boot model: the program, its load options, its initrd, QEMU's items.

Direct boot of a kernel, and of a unified kernel image, given to QEMU or found on a disk.
Source: edk2 OvmfPkg/Library/GenericQemuLoadImageLib; Linux drivers/firmware/efi/libstub (measured since 6.9 on TDX);
systemd src/boot/stub.c.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

from warily.core.acpi_blobs import AcpiBlobs
from warily.core.boot_devices import BootDevices
from warily.errors import FormatError, UsageError
from warily.formats._record import record
from warily.formats.linux_kernel import MIN_SIZE, SetupHeader
from warily.formats.pe import PeImage
from warily.formats.smbios import SmbiosTables
from warily.formats.tdvf import SectionType, Tdvf
from warily.formats.uefi_varstore import VariableStore
from warily.formats.uki import Uki
from warily.measure.authenticode import authenticode
from warily.measure.boot import (
    BootEvent,
    BootInputs,
    BootLayout,
    FirmwareFacts,
    acpi_of,
    boot_variables_of,
    fw_cfg_of,
    smbios_of,
    stub_smbios_of,
)
from warily.measure.boot.layout import Route
from warily.measure.boot.options import disk_variables
from warily.measure.boot_loader import loaded
from warily.measure.qemu_kernel import patched_kernel
from warily.measure.secure_boot import authorities
from warily.measure.stub import handed_initrd, heeded, load_options, stub_events
from warily.measure.td_memory import qemu_td_hob
from warily.measure.uki import uki_events

ALGORITHM: Final = "sha384"
MEASURED_SINCE: Final = (6, 9)
# QEMU offers this option ROM, which boots kernels on a BIOS, with boot index 0 (hw/i386/x86-common.c).
KERNEL_BOOT_ORDER: Final = b"/rom@genroms/linuxboot_dma.bin"
NO_MENU: Final = bytes(2)


@record
class TdxLaunch:
    """A TD as the host starts it. Bytes are the files' content; `memory` is in bytes.

    `variables` replaces the variable store of the firmware. `qemu` is the version, major and minor. `acpi` and
    `smbios` are QEMU's tables for this very machine. `route` says whether QEMU gets the kernel (`kernel`) or firmware
    finds a unified kernel image on a disk (`disk`), with `partitions` as `BootInputs` has them. `layout` names the
    event layout where the firmware does not show it. `file_system` says whether the disk has a file system in place of
    partitions, `devices` what else the machine has, `items` what small files QEMU offers to firmware; `loader` is
    systemd-boot, where it is on the disk and starts the image. `log` are the events of a boot of such a machine, from
    which comes what is not given: tables, and the boot variables of disks.
    """

    firmware: bytes
    memory: int
    vcpus: int
    kernel: bytes | None = None
    initrd: bytes | None = None
    command_line: bytes | None = None
    variables: bytes | None = None
    qemu: tuple[int, int] | None = None
    acpi: AcpiBlobs | tuple[BootEvent, ...] | None = None
    smbios: SmbiosTables | None = None
    route: Route = "kernel"
    partitions: bytes | None = None
    file_system: bool | None = None
    devices: BootDevices | None = None
    items: Mapping[str, bytes] | None = None
    loader: bytes | None = None
    layout: str | None = None
    log: tuple[BootEvent, ...] = ()


@record
class Variant:
    """One way in which the host or the firmware may do it."""

    layout: BootLayout
    patched: bool = False
    failed_exits: int = 0
    widened: bool = False


def check_launch(launch: TdxLaunch) -> None:
    """The inputs belong together. Raises `UsageError`."""
    if launch.vcpus < 1:
        msg = f"{launch.vcpus} virtual processors: at least one is needed"
        raise UsageError(msg)
    if launch.kernel is None and (launch.initrd is not None or launch.command_line is not None):
        raise UsageError("an initrd or a command line needs a kernel", hint="add --kernel FILE")
    if launch.kernel is not None and launch.initrd is not None and _uki_of(launch.kernel):
        raise UsageError("a unified kernel image has its initrd inside", hint="leave --initrd out")
    if launch.route == "disk" and (launch.initrd is not None or launch.command_line is not None):
        raise UsageError("a program on a disk gets neither an initrd nor a command line from QEMU")
    if launch.loader is not None and launch.route != "disk":
        raise UsageError("a boot loader is on a disk", hint="add --disk")
    if 0 in (launch.command_line or b""):
        raise UsageError("the command line holds a NUL byte; QEMU would end it there")


def with_variables(tdvf: Tdvf, firmware: bytes, variables: bytes | None) -> bytes:
    """The firmware with the variable store in its place, or before it where the file has the code alone.

    Raises `UsageError` where the store has another size than the metadata says.
    """
    if variables is None:
        return firmware
    section = tdvf.only(SectionType.CFV)
    if section is None or section.raw_size != len(variables):
        wanted = "none" if section is None else f"one of {section.raw_size} bytes"
        msg = f"a variable store of {len(variables)} bytes, where the firmware's metadata knows {wanted}"
        raise UsageError(msg, hint="give the OVMF_VARS file that belongs to this firmware")
    code_alone = section.data_offset == 0 and all(
        part.data_offset + part.raw_size == len(firmware) + len(variables)
        for part in tdvf.sections
        if part.type is SectionType.BFV
    )
    if code_alone:
        return variables + firmware
    end = section.data_offset + section.raw_size
    return firmware[: section.data_offset] + variables + firmware[end:]


class TdBoot:
    """A launch, with what is costly about it computed once: `inputs` makes of it the boot of a variant."""

    def __init__(self, launch: TdxLaunch, tdvf: Tdvf, facts: FirmwareFacts) -> None:
        self._launch, self._facts = launch, facts
        self._td_hob = qemu_td_hob(tdvf, launch.memory)
        section = tdvf.only(SectionType.CFV)
        self._volume = None if section is None else tdvf.content(section, launch.firmware)
        self._variables = _variables(self._volume, given=launch.variables is not None)
        self._uki = None if launch.kernel is None else _uki_of(launch.kernel)
        if launch.route == "disk" and launch.kernel is not None and self._uki is None:
            raise UsageError("the program on a disk is not a unified kernel image, and only those are predicted")
        self._given = launch.command_line or b""
        self._images: dict[bool, Mapping[str, bytes] | None] = {}
        self._vouchers: dict[bool, tuple[tuple[BootEvent, ...], ...] | None] = {}
        self._image_because = _why_no_image(launch.kernel)
        self._stub = self._stub_events()
        self._initrd = self._initrd_digests()

    def inputs(self, variant: Variant) -> BootInputs:
        """The inputs of the boot model. Raises `FormatError` and `UsageError`."""
        launch, patched = self._launch, variant.patched and self._launch.route == "kernel"
        items = {"BootMenu": NO_MENU} | dict(launch.items or {})
        if launch.route == "kernel":
            items["bootorder"] = KERNEL_BOOT_ORDER + b"\n" * ("bootorder" in items) + items.get("bootorder", b"\0")
        return BootInputs(
            facts=self._facts,
            td_hob=self._td_hob,
            variable_volume=self._volume,
            variables=self._variables,
            fw_cfg=fw_cfg_of(launch.log) or items,
            acpi=launch.acpi or acpi_of(launch.log),
            smbios=launch.smbios or smbios_of(launch.log),
            boot_variables=self._boot_variables(variant.layout),
            partitions=launch.partitions,
            authority=vouchers[0] if (vouchers := self._authorities(patched=patched)) else None,
            image=self._image(patched=patched),
            image_because=self._image_because,
            stub=self._stub,
            load_options=self._load_options(variant),
            initrd=self._initrd,
            failed_exits=variant.failed_exits,
        )

    def _boot_variables(self, layout: BootLayout) -> tuple[BootEvent, ...] | None:
        """Those of the log, or those that firmware makes of a machine with a disk."""
        launch = self._launch
        if (found := boot_variables_of(launch.log)) or launch.route == "kernel":
            return found
        store, disk = self._variables, launch.file_system
        return disk_variables(self._facts, layout, store, launch.devices, file_system=disk)

    def _image(self, *, patched: bool) -> Mapping[str, bytes] | None:
        """The digest of the program as firmware gets it."""
        program = self._launch.loader or self._launch.kernel
        if program is None or self._image_because:
            return None
        if patched not in self._images:
            started = self._patched(program) if patched else program
            self._images[patched] = {ALGORITHM: authenticode(started, ALGORITHM)}
        return self._images[patched]

    def _patched(self, kernel: bytes) -> bytes:
        launch = self._launch
        size, line = len(launch.initrd or b""), launch.command_line or b""
        return patched_kernel(kernel, initrd_size=size, memory=launch.memory, command_line=line)

    def _authorities(self, *, patched: bool) -> tuple[tuple[BootEvent, ...], ...] | None:
        """Who vouches for the programs that firmware loads, where that is asked for and can be told."""
        launch = self._launch
        if launch.kernel is None or self._image_because:
            return None
        if patched not in self._vouchers:
            programs = [launch.kernel if not patched else self._patched(launch.kernel)]
            programs = [launch.loader, *programs] if launch.loader else programs
            self._vouchers[patched] = authorities(self._facts, self._variables, programs)
        return self._vouchers[patched]

    def _stub_events(self) -> tuple[BootEvent, ...]:
        """What the stub of a unified kernel image logs before Linux runs."""
        kernel, uki = self._launch.kernel, self._uki
        if uki is None or kernel is None:
            return ()
        smbios = self._launch.smbios or stub_smbios_of(self._launch.log)
        sections, given = uki.measured(), _text(self._given)
        before: tuple[BootEvent, ...] = ()
        if self._launch.loader is not None:
            second = vouchers[1] if (vouchers := self._authorities(patched=False)) else ()
            found = loaded(self._launch.loader, kernel, sections, smbios, algorithms=(ALGORITHM,), authority=second)
            before, given, smbios = found.before, found.given, found.smbios
        secure = self._authorities(patched=False) is not None
        given = heeded(given, sections, secure_boot=secure)
        own = stub_events(
            kernel, uki, sections, algorithms=(ALGORITHM,), given=given, smbios=smbios, secure_boot=secure
        )
        return (*before, *uki_events(kernel, algorithms=(ALGORITHM,)), *own)

    def _load_options(self, variant: Variant) -> bytes | None:
        """What Linux gets as its command line, in UTF-16 with a NUL; empty where it measures none."""
        kernel, uki = self._launch.kernel, self._uki
        if kernel is None or not _measures(kernel, uki):
            return None if kernel is None else b""
        if uki is not None:
            sections, secure = uki.measured(), self._authorities(patched=False) is not None
            return load_options(kernel, uki, sections, heeded(_text(self._given), sections, secure_boot=secure))
        text = self._given.decode("latin-1") if variant.widened else _text(self._given)
        return f"{variant.layout.command_line(text, initrd=bool(self._launch.initrd))}\0".encode("utf-16-le")

    def _initrd_digests(self) -> Mapping[str, bytes] | None:
        """The digest of the initrd that Linux gets; empty where it gets or measures none, None where it is unknown."""
        kernel, initrd = self._launch.kernel, self._launch.initrd
        if kernel is None or not _measures(kernel, self._uki):
            return None if kernel is None else {}
        if self._uki is not None:
            return handed_initrd(kernel, self._uki, self._uki.measured(), (ALGORITHM,))
        return {ALGORITHM: hashlib.sha384(initrd).digest()} if initrd else {}


def _uki_of(kernel: bytes) -> Uki | None:
    try:
        return Uki.parse(kernel)
    except FormatError:
        return None


def _variables(volume: bytes | None, *, given: bool) -> VariableStore | None:
    """The variables in the firmware's volume: None where it is of another kind, unless somebody gave it as one."""
    try:
        return None if volume is None else VariableStore.parse(volume)
    except FormatError:
        if given:
            raise
        return None


def _why_no_image(kernel: bytes | None) -> str:
    """Why firmware cannot measure the kernel as a program; empty where it can."""
    if kernel is None:
        return "no kernel is given"
    try:
        PeImage.parse(kernel)
    except FormatError as error:
        return f"firmware would not start it: {error}"
    return ""


def _measures(kernel: bytes, uki: Uki | None) -> bool:
    """Whether this Linux extends RTMRs: since 6.9. A kernel that does not say its version is taken for a new one."""
    section = uki.section(".linux") if uki else None
    linux = kernel if section is None else bytes(section.loaded(kernel))
    version = SetupHeader.parse(linux).version if len(linux) >= MIN_SIZE else None
    return version is None or version >= MEASURED_SINCE


def _text(command_line: bytes) -> str:
    try:
        return command_line.decode("utf-8")
    except UnicodeDecodeError:
        return command_line.decode("latin-1")
