"""What the platforms of `warily measure` share: reading files, the options all have, printing a prediction."""

import argparse
import hashlib
import os
import sys
from _thread import allocate_lock, start_new_thread
from typing import TYPE_CHECKING, Final

from warily.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from warily.core.registers import Prediction, Step
    from warily.measure.direct_boot import FileDigest

REJECTED: Final = 10
PIECE: Final = 1 << 20  # stays in the processor's cache between reading and hashing


def output_options(parser: argparse.ArgumentParser) -> None:
    """Declare `--json` and `--trace`. Each platform's parser calls this once."""
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print the result as JSON")
    parser.add_argument("--trace", nargs="?", choices=("parts", "pages"), const="parts", help="print the steps as well")


def machine_options(parser: argparse.ArgumentParser) -> None:
    """Declare what describes a machine whose processors are measured, and what all platforms have."""
    output_options(parser)
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


def read(path: str, limit: int) -> bytes:
    """The content of the file, of at most `limit` bytes. Raises `UsageError`."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123  # importing pathlib costs a tenth of a prediction
            # What is asked for is allocated first; the size spares asking for the limit.
            wanted = min(os.fstat(file.fileno()).st_size or limit, limit) + 1
            data = file.read(wanted)
            while len(data) <= limit and (more := file.read(limit + 1 - len(data))):
                data += more
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise UsageError(message) from None
    _check_size(path, len(data), limit)
    return data


def sha256(path: str, limit: int) -> "FileDigest":
    """Size and SHA-256 of the file, of at most `limit` bytes, read in pieces. Raises `UsageError`."""
    from warily.measure.direct_boot import FileDigest  # noqa: PLC0415  # --help answers without it

    found, size, piece = hashlib.sha256(), 0, memoryview(bytearray(PIECE))
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123  # likewise
            while size <= limit and (count := file.readinto(piece)):
                found.update(piece[:count])
                size += count
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise UsageError(message) from None
    _check_size(path, size, limit)
    return FileDigest(size=size, sha256=found.digest())


def sha256_meanwhile(path: str, limit: int) -> "Callable[[], FileDigest]":
    """Begin to read the file beside the caller. The result waits for its size and SHA-256, or raises `UsageError`.

    Reading and hashing leave the interpreter to others, and a kernel takes as long as loading what measures it.
    """
    found: list[FileDigest | UsageError] = []
    done = allocate_lock()

    def work() -> None:
        try:
            found.append(sha256(path, limit))
        except UsageError as error:
            found.append(error)
        finally:
            done.release()

    def wait() -> "FileDigest":
        with done:
            (result,) = found
        if isinstance(result, UsageError):
            raise result
        return result

    done.acquire()
    start_new_thread(work, ())
    return wait


def _check_size(path: str, size: int, limit: int) -> None:
    if size > limit:
        message = f"{path}: over the limit of {limit} bytes"
        raise UsageError(message)


def hexadecimal(text: str, width: int, what: str) -> bytes:
    """The `width` bytes that `text` writes in hexadecimal. Raises `UsageError`, naming `what`."""
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != width:
        message = f"{what} {text}: not {width} bytes in hexadecimal"
        raise UsageError(message)
    return found


def print_prediction(prediction: "Prediction", *, as_json: bool, trace: bool, match: bytes | None = None) -> int:
    """Print the registers: a single one as its value alone, so that a shell can take it; several with their names.

    With `match` the candidate of that value is named instead. The result is the exit status: 10 where none has it.
    """
    status = 0 if match is None or any(one.value == match for one in prediction.candidates) else REJECTED
    if as_json:
        import json  # noqa: PLC0415  # a digest alone needs none

        names = [one.name for one in prediction.candidates if one.value == match]
        print(json.dumps(prediction.as_json() | ({} if match is None else {"matched": names}), indent=2))
        return status
    if match is not None:
        _print_match(prediction, match)
        return status
    width = max((len(name) for name in prediction.registers), default=0)
    for name, value in prediction.registers.items():
        print(value.hex() if len(prediction.registers) == 1 else f"{name:<{width}}  {value.hex()}")
    for name, because in prediction.absent:
        print(f"{name:<{width}}  not predicted: {because}")
    if prediction.candidates:
        print("\ncandidates")
    several = len({one.register for one in prediction.candidates}) > 1
    for one in prediction.candidates:
        print(f"  {f'{one.register} ' if several else ''}{one.name}: {one.because}\n    {one.value.hex()}")
    if trace:
        show(prediction.trace)
    return status


def _print_match(prediction: "Prediction", match: bytes) -> None:
    for one in prediction.candidates:
        if one.value == match:
            print(f"{one.name}: {one.because}")
            return
    print(f"no candidate has {match.hex()}", file=sys.stderr)
    print("\nhint: `warily explain` searches over other inputs as well", file=sys.stderr)


def show(trace: "Iterable[Step]") -> None:
    """Print the steps as a table."""
    print(f"\n{'address':<14}  {'step':<13}  {'input':<36}  {'input digest':<16}  register after")
    for step in trace:
        at = (step.register or "") if step.at is None else f"{step.at:#x}"
        print(f"{at:<14}  {step.step:<13}  {step.input:<36}  {step.input_digest[:16]}  {step.after[:16]}")
