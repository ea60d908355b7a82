"""`warily measure snp`: an SNP guest started from firmware and, at will, a kernel."""

import argparse
import os
from typing import TYPE_CHECKING, Final

from warily.cli.measure_common import hexadecimal, machine_options, read, sha256, sha256_meanwhile
from warily.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from warily.core.registers import Prediction
    from warily.measure.direct_boot import FileDigest
    from warily.measure.snp import SnpLaunch, Svsm

DESCRIPTION: Final = r"""
Predict the launch digest (MEASUREMENT) of an AMD SEV-SNP guest.

It covers the firmware, what the firmware's table names, one VMSA for each virtual processor and, with kernel hashes,
the kernel, initrd and command line of a direct boot. What else the host decides is not in any file: --cpu is the model
that QEMU is told (the physical processor does not matter), --features is SEV_FEATURES, and --host a variant of the
host's kernel. A report that shows another digest than the predicted one may be of another host: --match HEX says which.

  warily measure snp --firmware OVMF.amdsev.fd --kernel vmlinuz --initrd initrd.zst \
      --append "$(cat cmdline)" --vcpus 2 --cpu EPYC-v4
  warily measure snp --firmware ovmf_img.fd --vmm ec2 --vcpus 4
"""


def declare(platforms: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the platform."""
    snp = platforms.add_parser(
        "snp",
        help="an AMD SEV-SNP guest started from OVMF",
        description=DESCRIPTION.strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    machine_options(snp)
    snp.add_argument("--features", default="1", metavar="HEX", help="SEV_FEATURES (default: 1, SNP alone)")
    snp.add_argument("--vmm", choices=("qemu", "ec2", "gce"), default="qemu", help="who starts it (default: qemu)")
    snp.add_argument("--kernel", metavar="FILE", help="the kernel of a direct boot")
    snp.add_argument("--svsm", metavar="FILE", help="the SVSM below the firmware (with QEMU only)")
    snp.add_argument("--vars-size", type=int, metavar="BYTES", help="the variable store between SVSM and firmware")
    snp.add_argument("--host", default="", metavar="NAME", help="the host variant; --candidates lists them")
    snp.add_argument("--seed", metavar="HEX", help="the register after the firmware, instead of the firmware's pages")
    snp.add_argument("--candidates", action="store_true", help="every digest that known hosts give this launch")
    snp.add_argument(
        "--match", metavar="HEX", help="name the candidate of this digest; exit status 10 if there is none"
    )
    snp.set_defaults(measure=_snp)


def _snp(options: argparse.Namespace) -> "Prediction":
    from warily.measure.direct_boot import MAX_KERNEL  # noqa: PLC0415  # --help answers without it

    kernel = sha256_meanwhile(options.kernel, MAX_KERNEL) if options.kernel else None
    from warily.core.registers import Prediction  # noqa: PLC0415  # while the kernel is read
    from warily.measure import snp  # noqa: PLC0415  # likewise

    launch = _launch(options, kernel)
    wanted = options.candidates or options.match
    found = snp.candidates(launch) if wanted or options.json else ()
    if not (options.trace or options.json):
        (value,) = snp.predict_counts(launch, (launch.vcpus,)).values()
        return Prediction(registers={snp.REGISTER: value}, trace=(), candidates=found)
    prediction = snp.predict(launch)
    trace = tuple(snp.pages(launch)) if options.trace == "pages" else prediction.trace
    return Prediction(registers=prediction.registers, trace=trace, candidates=found)


def _launch(options: argparse.Namespace, kernel: "Callable[[], FileDigest] | None") -> "SnpLaunch":
    from warily.formats.ovmf import LIMIT  # noqa: PLC0415  # --help answers without it
    from warily.measure.direct_boot import MAX_INITRD  # noqa: PLC0415  # likewise
    from warily.measure.snp import SnpLaunch, Vmm, after_firmware  # noqa: PLC0415  # likewise

    if options.vmm == "qemu" and not options.cpu:
        raise UsageError("--cpu is missing: the digest of a QEMU guest depends on it", hint="add --cpu EPYC-v4, say")
    seed = None if options.seed is None else hexadecimal(options.seed, 48, "--seed")
    firmware = read(options.firmware, LIMIT)
    if seed is None and options.trace != "pages":
        seed = after_firmware(firmware)  # while the kernel is read
    return SnpLaunch(
        firmware=firmware,
        vcpus=options.vcpus,
        cpu=options.cpu,
        features=_features(options.features),
        vmm=Vmm(options.vmm),
        kernel=None if kernel is None else kernel(),
        initrd=sha256(options.initrd, MAX_INITRD) if options.initrd else None,
        command_line=None if options.append is None else os.fsencode(options.append),
        svsm=_svsm(options),
        host=options.host,
        seed=seed,
    )


def _svsm(options: argparse.Namespace) -> "Svsm | None":
    from warily.formats.ovmf import LIMIT  # noqa: PLC0415  # --help answers without it
    from warily.measure.snp import Svsm  # noqa: PLC0415  # likewise

    if not options.svsm:
        if options.vars_size is not None:
            raise UsageError("--vars-size counts with --svsm only")
        return None
    if options.vars_size is None:
        raise UsageError(
            "--vars-size is missing: an SVSM lies below the variable store", hint="the size of OVMF_VARS.fd in bytes"
        )
    return Svsm(image=read(options.svsm, LIMIT), variables=options.vars_size)


def _features(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        message = f"--features {text}: not a hexadecimal number"
        raise UsageError(message, hint="bit 0 is SNPActive, bit 5 debug swap: 1 or 21") from None
