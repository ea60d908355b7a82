"""`warily measure rehearsal`, and `warily measure seed`: what a firmware image alone makes of the register."""

import argparse
import os
from typing import TYPE_CHECKING

from warily.cli.measure_common import machine_options, output_options, read, sha256
from warily.errors import UsageError

if TYPE_CHECKING:
    from warily.core.registers import Prediction


def declare(platforms: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add both."""
    seed = platforms.add_parser("seed", help="the SNP register after a firmware image, before all else")
    output_options(seed)
    seed.add_argument("--firmware", required=True, metavar="FILE", help="the firmware image")
    seed.set_defaults(measure=_seed)
    rehearsal = platforms.add_parser("rehearsal", help="the rehearsal machine")
    machine_options(rehearsal)
    rehearsal.add_argument("--kernel", metavar="FILE", required=True, help="the kernel")
    rehearsal.set_defaults(measure=_rehearsal)


def _seed(options: argparse.Namespace) -> "Prediction":
    from warily.core.registers import Prediction  # noqa: PLC0415  # --help answers without it
    from warily.formats.ovmf import LIMIT  # noqa: PLC0415  # likewise
    from warily.measure.snp import after_firmware  # noqa: PLC0415  # likewise

    return Prediction(registers={"seed": after_firmware(read(options.firmware, LIMIT))}, trace=())


def _rehearsal(options: argparse.Namespace) -> "Prediction":
    from warily.formats.ovmf import LIMIT  # noqa: PLC0415  # --help answers without it
    from warily.measure import rehearsal  # noqa: PLC0415  # likewise
    from warily.measure.direct_boot import MAX_INITRD, MAX_KERNEL  # noqa: PLC0415  # likewise

    if options.trace == "pages":
        raise UsageError("the rehearsal's trace has parts only", hint="use --trace")
    return rehearsal.predict(
        firmware=read(options.firmware, LIMIT),
        kernel=sha256(options.kernel, MAX_KERNEL),
        initrd=sha256(options.initrd, MAX_INITRD) if options.initrd else None,
        command_line=None if options.append is None else os.fsencode(options.append),
        vcpus=options.vcpus,
        cpu=options.cpu,
    )
