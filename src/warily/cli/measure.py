r"""Predict what hardware will report for given files, before anything runs.

  warily measure snp        the launch digest of an AMD SEV-SNP guest
  warily measure rehearsal  the same chain for the rehearsal machine, whose firmware knows no SEV

Files and the command line count byte for byte; nothing is stripped. The digest goes to standard
output. `--trace` adds the steps that led to it, `--trace=pages` one for each page of the firmware;
`--json` always has the steps, with their digests in full.

  warily measure snp --firmware OVMF.amdsev.fd --kernel vmlinuz --initrd initrd.zst \
      --append "$(cat cmdline)" --vcpus 2 --cpu EPYC-v4 --features 1
"""

import argparse
import json
import os
from typing import TYPE_CHECKING

from warily.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warily.core.registers import Step
    from warily.measure.snp import SnpLaunch


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the platforms and their inputs."""
    platforms = parser.add_subparsers(dest="platform", required=True, metavar="PLATFORM")
    snp = platforms.add_parser("snp", help="an AMD SEV-SNP guest started from OVMF")
    _common(snp)
    snp.add_argument("--features", required=True, metavar="HEX", help="SEV_FEATURES; 1 is SNP alone")
    snp.add_argument("--vmm", choices=("qemu", "ec2", "gce"), default="qemu", help="who starts it (default: qemu)")
    snp.add_argument("--kernel", metavar="FILE", help="the kernel of a direct boot")
    snp.set_defaults(measure=_snp)
    rehearsal = platforms.add_parser("rehearsal", help="the rehearsal machine")
    _common(rehearsal)
    rehearsal.add_argument("--kernel", metavar="FILE", required=True, help="the kernel")
    rehearsal.set_defaults(measure=_rehearsal)


def run(options: argparse.Namespace) -> int:
    """Predict, and print the registers."""
    registers, trace = options.measure(options)
    if options.json:
        print(json.dumps({"registers": registers, "trace": [step.as_json() for step in trace]}, indent=2))
        return 0
    for value in registers.values():
        print(value)
    if options.trace:
        _show(trace)
    return 0


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print the result as JSON")
    parser.add_argument("--trace", nargs="?", choices=("parts", "pages"), const="parts", help="print the steps as well")
    parser.add_argument("--firmware", required=True, metavar="FILE", help="the firmware image")
    parser.add_argument("--vcpus", type=int, required=True, metavar="N", help="virtual processors")
    parser.add_argument(
        "--cpu",
        default="",
        metavar="MODEL",
        help="QEMU's CPU model, its CPUID 1 EAX in hexadecimal, or family/model/stepping (with QEMU only)",
    )
    parser.add_argument("--initrd", metavar="FILE", help="the initrd")
    parser.add_argument("--append", metavar="STRING", help="the kernel command line")


def _snp(options: argparse.Namespace) -> tuple[dict[str, str], "Iterable[Step]"]:
    from warily.measure import snp  # noqa: PLC0415  # --help answers without it

    launch = _launch(options)
    prediction = snp.predict(launch)
    trace: Iterable[Step] = snp.pages(launch) if options.trace == "pages" else prediction.trace
    return {name: value.hex() for name, value in prediction.registers.items()}, trace


def _launch(options: argparse.Namespace) -> "SnpLaunch":
    from warily.formats.ovmf import LIMIT  # noqa: PLC0415  # --help answers without it
    from warily.measure.direct_boot import MAX_INITRD, MAX_KERNEL  # noqa: PLC0415  # likewise
    from warily.measure.snp import SnpLaunch, Vmm  # noqa: PLC0415  # likewise

    if options.vmm == "qemu" and not options.cpu:
        raise UsageError("--cpu is missing: the digest of a QEMU guest depends on it", hint="add --cpu EPYC-v4, say")
    return SnpLaunch(
        firmware=_read(options.firmware, LIMIT),
        vcpus=options.vcpus,
        cpu=options.cpu,
        features=_hexadecimal(options.features),
        vmm=Vmm(options.vmm),
        kernel=_read(options.kernel, MAX_KERNEL) if options.kernel else None,
        initrd=_read(options.initrd, MAX_INITRD) if options.initrd else None,
        command_line=None if options.append is None else os.fsencode(options.append),
    )


def _rehearsal(options: argparse.Namespace) -> tuple[dict[str, str], "Iterable[Step]"]:
    from warily.formats.ovmf import LIMIT  # noqa: PLC0415  # --help answers without it
    from warily.measure import rehearsal  # noqa: PLC0415  # likewise
    from warily.measure.direct_boot import MAX_INITRD, MAX_KERNEL  # noqa: PLC0415  # likewise

    if options.trace == "pages":
        raise UsageError("the rehearsal's trace has parts only", hint="use --trace")
    prediction = rehearsal.predict(
        firmware=_read(options.firmware, LIMIT),
        kernel=_read(options.kernel, MAX_KERNEL),
        initrd=_read(options.initrd, MAX_INITRD) if options.initrd else None,
        command_line=None if options.append is None else os.fsencode(options.append),
        vcpus=options.vcpus,
        cpu=options.cpu,
    )
    return {name: value.hex() for name, value in prediction.registers.items()}, prediction.trace


def _read(path: str, limit: int) -> bytes:
    """The content of the file, of at most `limit` bytes."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123  # importing pathlib costs a tenth of a prediction
            data = file.read(limit + 1)
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise UsageError(message) from None
    if len(data) > limit:
        message = f"{path}: over the limit of {limit} bytes"
        raise UsageError(message)
    return data


def _hexadecimal(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        message = f"--features {text}: not a hexadecimal number"
        raise UsageError(message, hint="bit 0 is SNPActive, bit 5 debug swap: 1 or 21") from None


def _show(trace: "Iterable[Step]") -> None:
    print(f"\n{'address':<14}  {'step':<13}  {'input':<36}  {'input digest':<16}  register after")
    for step in trace:
        at = "" if step.at is None else f"{step.at:#x}"
        print(f"{at:<14}  {step.step:<13}  {step.input:<36}  {step.input_digest[:16]}  {step.after[:16]}")
