"""Other verifiers of SNP reports, built here from their own registries, each with the genuine report of the benchmark.

go-sev-guest is a Go module, `sev` the crate on which snpguest rests. Where the compiler is missing, or its registry
does not answer, the reason stands in the place of a rate.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from warily.formats import pem

SOURCES = Path(__file__).resolve().parent / "others"
BUILD_SECONDS = 900
SECONDS = "1"
ROUNDS = 3

Ratios = Iterator[tuple[str, str]]


def ratios(report: Path, vcek: Path, at: datetime, ours: Callable[[], float]) -> Ratios:
    """Our rate by theirs, verifications a second of processor time on one thread; or why there is no such number.

    Each is the best of three that were taken in turn: `ours` measures our own once.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        der = folder / "vcek.der"
        der.write_bytes(pem.decode_blocks(vcek.read_bytes())[0].der)
        yield from _measured("go", ("go-sev-guest",), _go, [report, der, at.isoformat()], ours)
        names = ("snpguest (sev crate)", "sev crate, signature alone")
        yield from _measured("cargo", names, _cargo, [report, der], ours)


def _measured(
    tool: str,
    names: tuple[str, ...],
    build: Callable[[Path], Path],
    arguments: list[str | Path],
    ours: Callable[[], float],
) -> Ratios:
    if shutil.which(tool) is None:
        yield from ((name, f"not measured: no {tool}") for name in names)
        return
    print(f"building {names[0]}", file=sys.stderr, flush=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            command = [str(build(Path(folder))), *map(str, arguments), SECONDS]
            runs = [(ours(), *map(float, _run(command, Path(folder)).split())) for _ in range(ROUNDS)]
    except (subprocess.SubprocessError, OSError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1:]
        yield from ((name, f"not measured: {' '.join(said)[:120]}") for name in names)
        return
    best = [max(run[at] for run in runs) for at in range(len(runs[0]))]
    for name, theirs in zip(names, best[1:], strict=True):
        yield name, f"{best[0]:7.0f}/s {theirs:6.0f}/s {best[0] / theirs:5.2f}"


def _go(folder: Path) -> Path:
    program = folder / "go-sev-guest"
    _run(["go", "build", "-o", str(program), "."], SOURCES / "go_sev_guest")
    return program


def _cargo(folder: Path) -> Path:
    sources = shutil.copytree(SOURCES / "sev_crate", folder / "sev_crate")  # cargo writes a lock beside them
    _run(["cargo", "build", "--release", "--target-dir", str(folder / "target")], sources)
    return folder / "target" / "release" / "bench-sev"


def _run(command: list[str], folder: Path) -> str:
    finished = subprocess.run(
        command, cwd=folder, check=True, capture_output=True, text=True, timeout=BUILD_SECONDS, stdin=subprocess.DEVNULL
    )
    return finished.stdout
