r"""Say what a hash, a piece of evidence or an event log means; where it is unknown, what it is near and why not it.

  warily explain 7f51e17f… --manifest image/         a value out of a report
  warily explain report.bin --manifest image/        every value of a report, a quote, a TPM's quote
  warily explain ccel.bin --manifest image/          an event log, event by event, against what is predicted
  warily explain new/manifest.json --manifest old/   a manifest against others
  warily explain --file /usr/bin/python3 --manifest image/
                                                     from the launch digest to one file, each link checked

--manifest takes manifests, folders of images, folders of firmware, kernel and initrd files, reference values of
others (CoRIM, Keylime, pcrlock, Contrast, dstack, NVIDIA's manifests) and event logs of machines that are known.
--with names further files that may stand in the place of another. Every number of vCPUs up to 512 and every kind of
host is recomputed; what is still unknown is searched for among a few changes of the inputs of each known build, and
what is not found is said with what that excludes.
Nothing is verified: `warily verify` says whether evidence is genuine.

Exit statuses: 0 known · 4 there is nothing to compare with · 10 unknown (the nearest are named).
"""

import argparse
from pathlib import Path

from warily.cli.written_value import value_of
from warily.errors import UsageError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subject and what it is compared with."""
    parser.add_argument("subject", metavar="VALUE|FILE", nargs="?", help="a value in hexadecimal, or a file")
    parser.add_argument(
        "--manifest", action="append", default=[], type=Path, metavar="FILE|DIR", help="what is known; may be repeated"
    )
    parser.add_argument(
        "--with", dest="extra", action="append", default=[], type=Path, metavar="FILE", help="a file that may be part"
    )
    parser.add_argument(
        "--log", action="append", default=[], type=Path, metavar="FILE", help="event log of the evidence"
    )
    parser.add_argument("--register", default="", metavar="NAME", help="which register the value is of: rtmr1, pcr11 …")
    parser.add_argument("--owner", action="append", default=[], metavar="HEX", help="trust this owner's public key")
    parser.add_argument("--file", metavar="PATH", help="explain how a file of the root is covered by the measurement")
    parser.add_argument(
        "--vcpus", type=int, default=1, metavar="N", help="of files without a manifest: what you expect"
    )
    parser.add_argument("--cpu", default="EPYC-v4", metavar="MODEL", help="likewise")
    parser.add_argument("--memory", default="2G", metavar="SIZE", help="likewise")
    parser.add_argument("--append", default=None, metavar="STRING", help="likewise: the kernel command line")


def run(options: argparse.Namespace) -> int:
    """Explain it; the status says whether it is known."""
    if options.file is not None:
        from warily.cli import explain_file  # noqa: PLC0415  # reads file systems

        return explain_file.run(options)
    if options.subject is None:
        raise UsageError("explain what?", hint="give a value in hexadecimal or a file, or --file PATH")
    value = value_of(options.subject)
    if value is not None:
        from warily.cli import explain_value  # noqa: PLC0415  # --help does without all formats

        return explain_value.explain_value(value, options)
    from warily.cli import explain_subject  # noqa: PLC0415  # a value does without all formats of evidence

    return explain_subject.explain_path(Path(options.subject), options)
