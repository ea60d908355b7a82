"""The arguments of `warily measure tdx`."""

import argparse
import os
import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from warily.cli.measure_common import output_options, read
from warily.cli.measure_tables import MAX_LOADER, Host, declare_disk, declare_tables, disk_of, host_tables
from warily.errors import FormatError, HostError, UsageError

if TYPE_CHECKING:
    from warily.core.registers import Prediction
    from warily.measure.boot import BootEvent

DESCRIPTION: Final = r"""
Predict MRTD and RTMR0 to RTMR3 of an Intel TDX guest that QEMU starts from OVMF.

Without a kernel, MRTD alone; with --kernel, the boot of that kernel, or of a unified kernel image. Registers that the
inputs do not suffice for are named with the reason. RTMR0 needs QEMU's ACPI tables, and since 2025 its SMBIOS tables:
from --acpi DIR and --smbios FILE, or from the installed QEMU, asked with --launch STRING. Where --qemu names the
installed version, a q35 machine of this size with no other device is asked, with --cpu MODEL for its SMBIOS tables too.

  warily measure tdx --firmware OVMF.inteltdx.fd --memory 2G --vcpus 4 --kernel vmlinuz --initrd initrd.zst \
      --append "$(cat cmdline)" --qemu 10.2
"""

_SIZE: Final = re.compile(r"([0-9]{1,19})(?:([KMGT])(?:i?B)?|B)?", re.IGNORECASE)
_UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_VERSION: Final = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})(?:\.[0-9]{1,3})?")


def declare(platforms: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the platform and its inputs."""
    tdx = platforms.add_parser(
        "tdx",
        help="an Intel TDX guest started from OVMF",
        description=DESCRIPTION.strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    output_options(tdx)
    tdx.add_argument("--firmware", required=True, metavar="FILE", help="the firmware image")
    tdx.add_argument("--memory", required=True, metavar="SIZE", help="memory: bytes, or with a unit (2G, 64GiB, 512M)")
    tdx.add_argument("--vcpus", type=int, required=True, metavar="N", help="virtual processors")
    tdx.add_argument("--kernel", metavar="FILE", help="the kernel, or the unified kernel image")
    tdx.add_argument("--initrd", metavar="FILE", help="the initrd")
    tdx.add_argument("--append", metavar="STRING", help="the kernel command line")
    tdx.add_argument("--vars", metavar="FILE", help="the variable store, where it is not the one in the firmware")
    tdx.add_argument("--qemu", metavar="VERSION", help="QEMU's version (default: as upstream does it since 10.2)")
    tdx.add_argument("--cpu", metavar="MODEL", help="QEMU's CPU model, which the SMBIOS tables of that machine name")
    declare_tables(tdx)
    tdx.add_argument("--log", metavar="FILE", help="event log of such a machine, for what cannot be computed")
    tdx.add_argument("--layout", metavar="NAME", help="event layout of the firmware, where the image does not show it")
    declare_disk(tdx)
    tdx.set_defaults(measure=_tdx)


def _tdx(options: argparse.Namespace) -> "Prediction":
    from warily.formats.ovmf import LIMIT  # noqa: PLC0415  # --help answers without it
    from warily.measure.direct_boot import MAX_INITRD, MAX_KERNEL  # noqa: PLC0415  # likewise
    from warily.measure.tdx import TdxLaunch, predict  # noqa: PLC0415  # likewise

    memory = size(options.memory)
    qemu = None if options.qemu is None else version(options.qemu)
    firmware = read(options.firmware, LIMIT)
    host, disk = _tables(options, firmware, memory, qemu), disk_of(options)
    return predict(
        TdxLaunch(
            firmware=firmware,
            memory=memory,
            vcpus=options.vcpus,
            kernel=read(options.kernel, MAX_KERNEL) if options.kernel else None,
            initrd=read(options.initrd, MAX_INITRD) if options.initrd else None,
            command_line=None if options.append is None else os.fsencode(options.append),
            variables=read(options.vars, LIMIT) if options.vars else None,
            qemu=qemu,
            acpi=host.acpi,
            smbios=host.smbios,
            devices=host.devices,
            items=host.items,
            route="kernel" if options.disk is None else "disk",
            partitions=disk.partitions,
            file_system=disk.file_system,
            loader=read(options.loader, MAX_LOADER) if options.loader else None,
            layout=options.layout,
            log=read_log(options.log) if options.log else (),
        )
    )


def size(text: str) -> int:
    """The number of bytes that `text` names: 2147483648, 2G, 2GiB and 2GB are the same. Raises `UsageError`."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        msg = f"--memory {text}: not a size"
        raise UsageError(msg, hint="bytes, or a number with K, M, G or T: 2G, 64GiB, 2147483648")
    return int(found[1]) * _UNITS[(found[2] or "").upper()]


def version(text: str) -> tuple[int, int]:
    """Major and minor of a version. Raises `UsageError`."""
    found = _VERSION.fullmatch(text)
    if found is None:
        msg = f"--qemu {text}: not a version"
        raise UsageError(msg, hint="major and minor, such as 10.2 or 9.2.1")
    return int(found[1]), int(found[2])


def _tables(options: argparse.Namespace, firmware: bytes, memory: int, qemu: tuple[int, int] | None) -> Host:
    """The tables that are given; or else those of the installed QEMU, where it is the version that was named."""
    given = host_tables(options, firmware)
    if given.acpi is not None or qemu is None:
        return given
    from warily.formats.smbios import SmbiosTables  # noqa: PLC0415  # --help answers without it
    from warily.host.qtest import qemu_version, read_tables  # noqa: PLC0415  # only where QEMU is asked

    try:
        if qemu_version()[:2] != qemu:
            return given
        shape = ("-smp", str(options.vcpus), "-m", f"{memory >> 10}K")
        words = ("-machine", "q35,smm=off", "-cpu", options.cpu or "max,-cx16", "-nodefaults", *shape)
        found = read_tables(words)
    except HostError as error:
        print(f"warily: QEMU's tables are not read: {error}", file=sys.stderr)
        return given
    smbios = given.smbios
    if smbios is None and options.cpu is not None and found.smbios is not None:
        smbios = SmbiosTables.decode(found.smbios)
    return replace(given, acpi=found.acpi, smbios=smbios)


def read_log(path: str) -> "tuple[BootEvent, ...]":
    """The events of a log, that of a TD or of a TPM. Raises `UsageError` and `FormatError`."""
    from warily.formats.tcg_log import LIMIT, EventLog  # noqa: PLC0415  # --help answers without it
    from warily.measure.boot import events_of, is_of_td  # noqa: PLC0415  # likewise

    log = EventLog.decode(read(path, LIMIT))
    found = events_of(log, measurement_registers=is_of_td(log))
    if not found:
        msg = f"{path}: the log has no event"
        raise FormatError(msg)
    return found
