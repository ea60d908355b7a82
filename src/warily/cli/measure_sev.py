"""`warily measure sev` and `warily measure sev-es`: digests of the generations before SNP."""

import argparse
import os
from typing import TYPE_CHECKING

from warily.cli.measure_common import output_options, read, sha256

if TYPE_CHECKING:
    from warily.core.registers import Prediction


def declare(platforms: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add both platforms."""
    for name, about in (("sev", "an AMD SEV guest"), ("sev-es", "an AMD SEV-ES guest")):
        parser = platforms.add_parser(name, help=f"{about} started from OVMF by QEMU")
        output_options(parser)
        parser.add_argument("--firmware", required=True, metavar="FILE", help="the firmware image")
        parser.add_argument("--kernel", metavar="FILE", help="the kernel of a direct boot")
        parser.add_argument("--initrd", metavar="FILE", help="the initrd")
        parser.add_argument("--append", metavar="STRING", help="the kernel command line")
        if name == "sev-es":
            parser.add_argument("--vcpus", type=int, required=True, metavar="N", help="virtual processors")
            parser.add_argument("--cpu", required=True, metavar="MODEL", help="as with `warily measure snp`")
        parser.set_defaults(measure=_measure)


def _measure(options: argparse.Namespace) -> "Prediction":
    from warily.formats.ovmf import LIMIT  # noqa: PLC0415  # --help answers without it
    from warily.measure import sev  # noqa: PLC0415  # likewise
    from warily.measure.direct_boot import MAX_INITRD, MAX_KERNEL, DirectBoot  # noqa: PLC0415  # likewise

    boot = DirectBoot(
        kernel=sha256(options.kernel, MAX_KERNEL) if options.kernel else None,
        initrd=sha256(options.initrd, MAX_INITRD) if options.initrd else None,
        command_line=None if options.append is None else os.fsencode(options.append),
    )
    es = options.platform == "sev-es"
    return sev.predict(
        sev.SevLaunch(
            firmware=read(options.firmware, LIMIT),
            boot=boot,
            vcpus=options.vcpus if es else None,
            cpu=options.cpu if es else "",
        )
    )
