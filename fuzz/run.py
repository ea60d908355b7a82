"""Fuzz every parser, guided by coverage, and say what was tried and what was found.

usage: python -m fuzz.run [--seconds N] [--only WORD]... [--vectors FOLDER] [--keep FOLDER]

N seconds are shared among the targets; what reaches new code is kept in FOLDER and taken up by the next run. Needs
atheris (`pip install atheris`), a wheel with its own libFuzzer: no compiler. A finding is printed with its input, which
is kept as FOLDER/found/TARGET-…; the exit status is 10 where there is one. See docs/fuzzing.md.
"""

import argparse
import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from tests.conftest import vectors_folder

SLOWEST: Final = 10  # seconds for one input of at most 64 KiB
MEMORY: Final = 2048  # MiB
NOTHING_TO_FUZZ_WITH: Final = 5
FOUND: Final = 10
_UNITS: Final = re.compile(r"stat::number_of_executed_units:\s+(\d+)")
_COVERED: Final = re.compile(r"^#\d+\s+(\w+)\s+cov: (\d+)", re.MULTILINE)
_CRASH: Final = re.compile(r"Test unit written to (\S+)")


@dataclass(frozen=True, slots=True)
class Result:
    """What one target's run came to. `covered` counts branches: after the seeds alone, and at the end."""

    name: str
    executions: int
    covered: tuple[int, int]
    finding: str


def main() -> int:
    """The command. The result is its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--only", action="append", default=[], metavar="WORD")
    parser.add_argument("--vectors", type=Path, default=vectors_folder())
    parser.add_argument("--keep", type=Path, help="where inputs are kept (default: a folder that is deleted)")
    options = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print("warily: error: atheris is not installed\n\nhint: pip install atheris", file=sys.stderr)
        return NOTHING_TO_FUZZ_WITH
    with tempfile.TemporaryDirectory() as folder:
        return fuzz_all(options, options.keep or Path(folder))


def fuzz_all(options: argparse.Namespace, keep: Path) -> int:
    """One target after the other, each in a child of its own: libFuzzer ends the process that it runs in."""
    import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]  # noqa: PLC0415  # where installed

    with atheris.instrument_imports(include=["warily"]):
        from fuzz.targets import named  # noqa: PLC0415  # instrumented as it is imported
    chosen = named(options.only)
    seconds = max(1, options.seconds // max(1, len(chosen)))
    (keep / "found").mkdir(parents=True, exist_ok=True)
    print(f"{'target':<48}{'executions':>12}{'branches':>10}{'of seeds':>10}", flush=True)
    results = []
    for name, target in chosen.items():
        corpus = keep / name
        corpus.mkdir(exist_ok=True)
        for number, seed in enumerate(target.start(options.vectors)):
            (corpus / f"seed-{number:02}").write_bytes(seed)
        said = keep / "said"
        child = os.fork()
        if child == 0:
            fuzz(target.check, keep, name, seconds, said)
        _, status = os.waitpid(child, 0)
        result = _outcome(name, said.read_text("utf-8", "replace"), status)
        results.append(result)
        before, after = result.covered
        print(f"{name:<48}{result.executions:>12}{after:>10}{before:>10}", flush=True)
        if result.finding:
            print(f"FOUND in {name}:\n{result.finding}", flush=True)
    wrong = sum(bool(result.finding) for result in results)
    print(f"{len(results)} targets, {sum(result.executions for result in results)} executions, {wrong} findings")
    return FOUND if wrong else 0


def _outcome(name: str, said: str, status: int) -> Result:
    """What libFuzzer's words and exit status come to. A run that does not end with its statistics is a finding."""
    covered = [int(count) for _, count in _COVERED.findall(said)]
    first = next((int(count) for event, count in _COVERED.findall(said) if event == "INITED"), 0)
    units = _UNITS.search(said)
    wrong = status != 0 or _CRASH.search(said) is not None or units is None
    executions = int(units.group(1)) if units else 0
    return Result(name, executions, (first, max(covered, default=0)), said[-3000:] if wrong else "")


def fuzz(check: Callable[[bytes], object], keep: Path, name: str, seconds: int, said: Path) -> NoReturn:
    """Fuzz one target in this process, which ends with it; what libFuzzer says goes into a file."""
    import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]  # noqa: PLC0415  # where installed

    with said.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    arguments = [
        "fuzz",
        str(keep / name),
        f"-max_total_time={seconds}",
        f"-timeout={SLOWEST}",
        f"-rss_limit_mb={MEMORY}",
        f"-artifact_prefix={keep / 'found' / name}-",
        "-max_len=65536",
        "-print_final_stats=1",
    ]
    atheris.Setup(arguments, lambda data: check(data) and None)
    atheris.Fuzz()
    os._exit(0)  # not reached: libFuzzer leaves by itself


if __name__ == "__main__":
    sys.exit(main())
