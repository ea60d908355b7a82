"""How long a prediction takes: `warily measure snp` and `sev-snp-measure`, whole processes, in one run.

  python bench/measure.py [--firmware FILE] [--kernel FILE] [--runs N]

Alternating runs, medians, both with compiled modules. Without files: 4 MiB of firmware made here and a
14 MB kernel. Also: one prediction within a process, 512 vCPU counts with 8 feature sets, and reading a manifest
and the list of 10,000 packages beside it.
"""

import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from warily.core.declaration import Platform
from warily.core.manifest import Ingredient, Manifest, PredictedRegister, VerityRoot
from warily.core.sbom import read_sbom
from warily.measure.snp import SnpLaunch, Vmm, predict, predict_counts

KERNEL_SIZE = 14_000_000
SECTIONS = [
    (0x800000, 0x9000, 1),
    (0x80D000, 0x1000, 2),
    (0x80E000, 0x1000, 3),
    (0x811000, 0x1F000, 1),
    (0x810000, 0x1000, 16),
]


def firmware() -> bytes:
    """4 MiB that both tools read as OVMF with a place for kernel hashes."""
    entries = b""
    for name, data in (
        ("dc886566-984a-4798-a75e-5585a7bf67cc", struct.pack("<I", 0x600)),
        ("7255371f-3a3b-4b04-927b-1da6efa8d454", struct.pack("<II", 0x810C00, 1024)),
        ("00f771de-1a7e-4fcb-890e-68c77e2fb44e", struct.pack("<I", 0x80B004)),
    ):
        entries += data + struct.pack("<H", len(data) + 18) + uuid.UUID(name).bytes_le
    footer = entries + struct.pack("<H", len(entries) + 18) + uuid.UUID("96b582de-1fb2-45f7-baea-a366c55a082d").bytes_le
    about = struct.pack("<4sIII", b"ASEV", 16 + 12 * len(SECTIONS), 1, len(SECTIONS))
    about += b"".join(struct.pack("<III", *section) for section in SECTIONS)
    tail = about.ljust(0x600 - len(footer) - 32, b"\0") + footer + bytes(32)
    return os.urandom((4 << 20) - len(tail)) + tail


def packages(count: int) -> bytes:
    """A list of packages as `warily build` writes them."""
    entries = [
        {
            "bom-ref": f"pkg:deb/debian/package-{at}@1.{at}-1?arch=amd64&distro=trixie",
            "hashes": [{"alg": "SHA-256", "content": f"{at:064x}"}],
            "name": f"package-{at}",
            "properties": [{"name": "warily:set", "value": "root"}],
            "purl": f"pkg:deb/debian/package-{at}@1.{at}-1?arch=amd64&distro=trixie",
            "type": "library",
            "version": f"1.{at}-1",
        }
        for at in range(count)
    ]
    depend = [{"ref": entry["bom-ref"]} for entry in entries]
    document = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": entries, "dependencies": depend}
    return json.dumps(document, indent=2).encode()


def manifest(values: dict[int, bytes]) -> bytes:
    """A manifest with the values of one platform."""
    return Manifest(
        name="ledger",
        suite="trixie",
        source_date_epoch=0,
        ingredients=(Ingredient(role="kernel", name="vmlinuz", size=KERNEL_SIZE, sha256=bytes(32)),),
        command_line="quiet",
        root=VerityRoot(algorithm="sha256", root_hash=bytes(32), salt=bytes(32), data_blocks=5, block_size=4096),
        cpus=2,
        memory=1 << 30,
        cpu="EPYC-v4",
        platforms=(Platform.SNP,),
        registers=tuple(
            PredictedRegister(platform=Platform.SNP, register="launch_digest", when={"vcpus": str(count)}, value=value)
            for count, value in values.items()
        ),
        volumes=(),
        ports=(),
        grantor=bytes(32),
    ).encode()


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def medians(names: dict[str, Callable[[], object]], runs: int) -> dict[str, float]:
    """Milliseconds for each, run in turns after one warm-up."""
    taken: dict[str, list[float]] = {name: [] for name in names}
    for index in range(runs + 1):
        for name, work in names.items():
            spent = timed(work)
            if index:
                taken[name].append(spent)
    return {name: statistics.median(times) for name, times in taken.items()}


def processes(folder: Path, image: Path, kernel: Path) -> dict[str, Callable[[], object]]:
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "pyc")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    tools = Path(sys.executable).parent
    common = ["--vcpus", "4", "--kernel", str(kernel), "--append", "quiet"]
    ours: list[str | Path] = [
        tools / "warily",
        "measure",
        "snp",
        "--firmware",
        image,
        "--cpu",
        "EPYC-v4",
        "--features",
        "1",
        *common,
    ]
    theirs: list[str | Path] = [
        tools / "sev-snp-measure",
        "--mode",
        "snp",
        "--ovmf",
        image,
        "--vcpu-type",
        "EPYC-v4",
        *common,
    ]

    def run(words: list[str | Path]) -> str:
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout

    assert run(ours) == run(theirs), "the two disagree"
    return {
        "warily measure snp": lambda: run(ours),
        "sev-snp-measure": lambda: run(theirs),
        "python -c pass": lambda: run([sys.executable, "-c", "pass"]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--firmware", type=Path)
    parser.add_argument("--kernel", type=Path)
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        image, kernel = options.firmware or folder / "firmware", options.kernel or folder / "kernel"
        if options.firmware is None:
            image.write_bytes(firmware())
        if options.kernel is None:
            kernel.write_bytes(os.urandom(KERNEL_SIZE))
        found = medians(processes(folder, image, kernel), options.runs)
        launch = SnpLaunch(
            firmware=image.read_bytes(),
            vcpus=4,
            cpu="EPYC-v4",
            features=1,
            vmm=Vmm.QEMU,
            kernel=kernel.read_bytes(),
            initrd=None,
            command_line=b"quiet",
        )
    bare = replace(launch, kernel=None, command_line=None)
    inside = medians({"in process, no kernel": lambda: predict(bare), "in process": lambda: predict(launch)}, 5)
    features = [1, 3, 5, 9, 0x11, 0x21, 0x201, 0x221]
    shapes = timed(lambda: [predict_counts(replace(launch, features=bits), range(1, 513)) for bits in features])
    text, listed = manifest(predict_counts(launch, range(1, 65))), packages(10_000)
    read = medians({"manifest and 10,000 packages": lambda: (Manifest.decode(text), read_sbom(listed))}, 5)
    for what, spent in {**found, **inside, "512 vCPU counts x 8 feature sets": shapes, **read}.items():
        print(f"{what:<34} {spent:8.1f} ms")
    print(f"{'warily / sev-snp-measure':<34} {found['warily measure snp'] / found['sev-snp-measure']:8.2f}")


if __name__ == "__main__":
    main()
