r"""Predict what hardware will report for given files, before anything runs.

  warily measure snp        the launch digest of an AMD SEV-SNP guest
  warily measure tdx        MRTD and the RTMRs of an Intel TDX guest
  warily measure pcr        the PCRs of a TPM: firmware, kernel, unified kernel image, event log
  warily measure igvm       what SNP or TDX reports of a machine started from an IGVM file
  warily measure sev-es     the launch digest of the generations before SNP; `sev` likewise
  warily measure seed       the SNP register after a firmware image, which stands for it with --seed
  warily measure rehearsal  SNP's chain for the rehearsal machine, whose firmware knows no SEV
  warily measure id-block   signs the launch digest that an SNP processor shall check before it starts

Files and the command line count byte for byte; nothing is stripped. The digest goes to standard
output. `--trace` adds the steps that led to it, `--trace=pages` one for each page of the firmware;
`--json` always has the steps, with their digests in full. Where the host decides something, `--candidates`
lists every value it may have, and `--match HEX` names the one that a report shows (exit status 10: none).

  warily measure snp --firmware OVMF.amdsev.fd --kernel vmlinuz --initrd initrd.zst \
      --append "$(cat cmdline)" --vcpus 2 --cpu EPYC-v4 --features 1
"""

import argparse
import importlib
from typing import Final

from warily.cli.measure_common import hexadecimal, print_prediction

# Platform → the module that declares it: `declare(platforms)` adds one parser or more, whose default `measure`
# takes the options and returns a `Prediction`, or None where it has printed all itself.
PLATFORMS: Final = {
    "snp": "measure_snp",
    "seed": "measure_rehearsal",
    "rehearsal": "measure_rehearsal",
    "sev": "measure_sev",
    "sev-es": "measure_sev",
    "igvm": "measure_igvm",
    "id-block": "measure_id_block",
    "tdx": "measure_tdx",
    "pcr": "measure_pcr",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the platforms and their inputs; only the module that is wanted where the words to parse say which."""
    words = getattr(parser, "words", ())
    wanted = PLATFORMS.get(next((word for word in words if not word.startswith("-")), ""))
    platforms = parser.add_subparsers(dest="platform", required=True, metavar="PLATFORM", prog=parser.prog)
    for module in dict.fromkeys(PLATFORMS.values()):
        if wanted in (None, module):
            importlib.import_module(f"warily.cli.{module}").declare(platforms)


def run(options: argparse.Namespace) -> int:
    """Predict, and print the registers."""
    match = getattr(options, "match", None)
    wanted = None if match is None else hexadecimal(match, 48, "--match")
    prediction = options.measure(options)
    if prediction is None:
        return 0
    return print_prediction(prediction, as_json=options.json, trace=bool(options.trace), match=wanted)
