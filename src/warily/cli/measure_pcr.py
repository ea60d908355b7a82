"""The arguments of `warily measure pcr`."""

import argparse
from typing import TYPE_CHECKING, Final

from warily.cli.measure_common import output_options, read
from warily.cli.measure_tables import MAX_LOADER, declare_disk, declare_tables, disk_of, host_tables
from warily.cli.measure_tdx import size, version
from warily.errors import UsageError

if TYPE_CHECKING:
    from warily.core.registers import Prediction
    from warily.formats.tcg_log import EventLog
    from warily.measure.boot import BootEvent
    from warily.measure.pcr import PcrBoot

BANKS: Final = ("sha1", "sha256", "sha384", "sha512")
MAX_SECTION: Final = 1 << 30
MAX_KEY: Final = 1 << 16
MAX_DIGITS: Final = 2  # of a PCR's number
DESCRIPTION: Final = r"""
Predict the PCRs of a TPM. Registers are named by bank and number: sha256:11.

One of four:
  --uki FILE             PCR 11 of a unified kernel image, as systemd-stub measures it
  --section NAME=FILE …  the same from its sections, before there is an image
  --log FILE             the registers that an event log leads to
  --firmware FILE …      PCRs 0 to 9, 11 and 12 of a machine that starts from OVMF: --kernel and --initrd, or --uki

PCR 11 goes on through the phases of a boot; its values at the usual ones are candidates, and --phases decides which
one counts. What no input decides is named with the reason; --log of a machine of the same shape fills it in.

  warily measure pcr --uki linux.efi --phases enter-initrd:leave-initrd --tpm-policy
  warily measure pcr --firmware OVMF_CODE_4M.fd --vars OVMF_VARS_4M.fd --kernel vmlinuz --initrd initrd.zst \
      --append "$(cat cmdline)" --qemu 7.2 --memory 2G --vcpus 2 --bank sha256
"""


def declare(platforms: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the platform and its inputs."""
    pcr = platforms.add_parser(
        "pcr",
        help="the PCRs of a TPM",
        description=DESCRIPTION.strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    output_options(pcr)
    pcr.add_argument("--bank", action="append", choices=BANKS, metavar="BANK", help="sha1, sha256, … (default: all)")
    pcr.add_argument("--log", metavar="FILE", help="an event log")
    pcr.add_argument("--uki", metavar="FILE", help="a unified kernel image")
    pcr.add_argument("--section", action="append", default=[], metavar="NAME=FILE", help="a section: linux=vmlinuz")
    pcr.add_argument("--phases", metavar="PATH", help="phases of the boot with colons between (default: none)")
    pcr.add_argument("--profile", type=int, default=0, metavar="N", help="the profile that is started (default: 0)")
    pcr.add_argument("--stub", type=int, metavar="N", help="systemd-stub's version, where the image does not say")
    _machine(pcr)
    _policy(pcr)
    pcr.set_defaults(measure=_pcr)


def _machine(pcr: argparse.ArgumentParser) -> None:
    pcr.add_argument("--firmware", metavar="FILE", help="the firmware image")
    pcr.add_argument("--firmware-version", metavar="TEXT", help="what firmware measures as its version, if it differs")
    pcr.add_argument("--layout", metavar="NAME", help="event layout of the firmware, where the image does not show it")
    pcr.add_argument("--vars", metavar="FILE", help="the variable store, where it is not the one in the firmware")
    pcr.add_argument("--kernel", metavar="FILE", help="the kernel of a direct boot")
    pcr.add_argument("--initrd", metavar="FILE", help="the initrd")
    pcr.add_argument("--append", default="", metavar="STRING", help="the command line that QEMU or a boot option gives")
    pcr.add_argument("--qemu", metavar="VERSION", help="QEMU's version; before 10.2 it changes the kernel")
    pcr.add_argument("--memory", metavar="SIZE", help="memory: bytes, or with a unit (2G, 512M)")
    pcr.add_argument("--vcpus", type=int, metavar="N", help="virtual processors")
    pcr.add_argument("--phys-bits", type=int, default=40, metavar="N", help="width of physical addresses (default: 40)")
    declare_tables(pcr)
    declare_disk(pcr)


def _policy(pcr: argparse.ArgumentParser) -> None:
    pcr.add_argument("--tpm-policy", action="store_true", help="also the policy that binds a secret to these values")
    pcr.add_argument("--pcrs", default="11", metavar="N,N", help="the PCRs of the policy (default: 11)")
    pcr.add_argument("--authorized-by", metavar="FILE", help="a public key: the policy that whatever it signed fulfils")


def _pcr(options: argparse.Namespace) -> "Prediction":
    from warily.measure.pcr import predict, replay  # noqa: PLC0415  # --help answers without it
    from warily.measure.pcr_layouts import predict_boot  # noqa: PLC0415  # likewise
    from warily.measure.uki import USUAL_PATHS  # noqa: PLC0415  # likewise

    banks = tuple(dict.fromkeys(options.bank or BANKS))
    log = _log(options.log) if options.log else None
    if log is not None and not (options.firmware or options.uki or options.section):
        return _with_policies(replay(log, banks), options)
    if sum(map(bool, (options.uki, options.section, options.kernel))) != 1:
        raise UsageError(
            "one of --uki, --section, --kernel and --log says what is predicted", hint="see `warily measure pcr --help`"
        )
    if options.kernel and not options.firmware:
        raise UsageError("without firmware a kernel is in no PCR", hint="add --firmware FILE")
    paths = () if options.kernel or options.phases is not None else USUAL_PATHS[1:]
    if options.firmware:
        if options.section:
            raise UsageError("firmware starts a whole image, not sections", hint="use --uki FILE")
        found = predict_boot(_boot(options, log), banks=banks, path=options.phases or "", paths=paths)
    else:
        found = predict(_image_events(options, banks), banks=banks, path=options.phases or "", paths=paths)
    return _with_policies(found, options)


def _image_events(options: argparse.Namespace, banks: tuple[str, ...]) -> "tuple[BootEvent, ...]":
    from warily.formats import pe  # noqa: PLC0415  # --help answers without it
    from warily.measure.uki import section_events, uki_events  # noqa: PLC0415  # likewise

    if options.section:
        return section_events(dict(map(_section, options.section)), algorithms=banks)
    data = read(options.uki, pe.LIMIT)
    return uki_events(data, algorithms=banks, profile=options.profile, version=options.stub)


def _section(text: str) -> tuple[str, bytes]:
    name, separator, path = text.partition("=")
    if not separator or not path:
        msg = f"--section {text}: not NAME=FILE"
        raise UsageError(msg)
    return f".{name.removeprefix('.')}", read(path, MAX_SECTION)


def _boot(options: argparse.Namespace, log: "EventLog | None") -> "PcrBoot":
    from warily.formats import pe  # noqa: PLC0415  # --help answers without it
    from warily.formats.ovmf import LIMIT  # noqa: PLC0415  # likewise
    from warily.measure.direct_boot import MAX_INITRD  # noqa: PLC0415  # likewise
    from warily.measure.pcr import PcrBoot  # noqa: PLC0415  # likewise

    firmware = read(options.firmware, LIMIT)
    host, disk = host_tables(options, firmware), disk_of(options)
    return PcrBoot(
        firmware=firmware,
        program=read(options.uki or options.kernel, pe.LIMIT),
        route="kernel" if options.disk is None else "disk",
        initrd=read(options.initrd, MAX_INITRD) if options.initrd else None,
        command_line=options.append,
        firmware_version=options.firmware_version,
        layout=options.layout,
        variables=read(options.vars, LIMIT) if options.vars else None,
        acpi=host.acpi,
        smbios=host.smbios,
        devices=host.devices,
        qemu=version(options.qemu) if options.qemu else None,
        memory=size(options.memory) if options.memory else None,
        vcpus=options.vcpus,
        physical_bits=options.phys_bits,
        partitions=disk.partitions,
        file_system=disk.file_system,
        loader=read(options.loader, MAX_LOADER) if options.loader else None,
        log=log,
        profile=options.profile,
        stub=options.stub,
    )


def _log(path: str) -> "EventLog":
    from warily.formats.tcg_log import LIMIT, EventLog  # noqa: PLC0415  # --help answers without it

    return EventLog.decode(read(path, LIMIT))


def _with_policies(prediction: "Prediction", options: argparse.Namespace) -> "Prediction":
    """The prediction with the policies that were asked for, as registers of a name of their own."""
    from warily.measure.tpm_policy import policies  # noqa: PLC0415  # --help answers without it

    if not (options.tpm_policy or options.authorized_by):
        return prediction
    key = read(options.authorized_by, MAX_KEY) if options.authorized_by else None
    return policies(prediction, pcrs=_numbers(options.pcrs) if options.tpm_policy else (), key=key)


def _numbers(text: str) -> tuple[int, ...]:
    words = text.split(",")
    if not all(word.isascii() and word.isdecimal() and len(word) <= MAX_DIGITS for word in words):
        msg = f"--pcrs {text}: not numbers with commas between"
        raise UsageError(msg)
    return tuple(sorted({int(word) for word in words}))
