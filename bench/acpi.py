"""How long bytecode takes: `inspect_bytecode` and decoding within one process, `iasl -d` beside them.

  python bench/acpi.py [--vectors FOLDER] [--runs N]

Medians in milliseconds of CPU time, in turns. iasl is a whole process that disassembles and judges nothing.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from warily.acpi.bytecode import inspect_bytecode
from warily.core.ranges import Range
from warily.formats.acpi_table import AcpiTable, split
from warily.formats.aml import decode

MEMORY = (Range(0, 0x80000000), Range(0x100000000, 0x180000000))
LIMITS = {"q35": 150.0, "178 KB DSDT": 8.0}


def own(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1000


def children(command: Sequence[str], folder: Path) -> float:
    def spent() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    began = spent()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return (spent() - began) * 1000


def row(name: str, tables: list[AcpiTable], largest: AcpiTable, runs: int, folder: Path) -> tuple[float, float]:
    """Print one line; the medians of inspecting and of iasl."""
    (folder / "table.aml").write_bytes(largest.raw)
    inspected, decoded, disassembled = [], [], []
    for _ in range(runs):
        inspected.append(own(lambda: inspect_bytecode(tables, ram=MEMORY)))
        decoded.append(own(lambda: decode(tables)))
        disassembled.append(children(["iasl", "-d", "table.aml"], folder))
    medians = [statistics.median(each) for each in (inspected, decoded, disassembled)]
    size = sum(len(each.raw) for each in tables)
    print(
        f"{name:<14} {size:>8} bytes   inspect {medians[0]:7.1f}   decode {medians[1]:7.1f}   iasl -d {medians[2]:7.1f}"
    )
    return medians[0], medians[2]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path, default=Path(os.environ.get("WARILY_VECTORS", "../shared/vectors")))
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    if shutil.which("iasl") is None:
        print("bench/acpi: iasl is not installed (acpica-tools)", file=sys.stderr)
        return 5
    folder = options.vectors / "acpi"
    q35 = split((folder / "fwcfg-qemu7.2/q35-2c-2g/etc_acpi_tables.bin").read_bytes())
    big = max(folder.glob("dumps/*/DSDT.aml"), key=lambda each: each.stat().st_size)
    large = AcpiTable.parse(big.read_bytes())
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        quick, _ = row("q35, all", q35, max(q35, key=lambda each: each.length), options.runs, work)
        slow, peer = row("largest DSDT", [large], large, options.runs, work)
    print(f"q35 under {LIMITS['q35']:.0f} ms: {quick < LIMITS['q35']}")
    print(f"largest DSDT: {slow / peer:.1f} times iasl -d (under 8)")
    return 0 if quick < LIMITS["q35"] and slow < peer * LIMITS["178 KB DSDT"] else 1


if __name__ == "__main__":
    sys.exit(main())
