"""The processor's signed report over 64 bytes of our choice: from the kernel, or from a rehearsal's stand-in.

A stand-in signs with a root of its own, which a verifier accepts only where an expectation names it; asking
it therefore weakens nothing.
"""

import os
import select
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from warily.formats import snp_guest_message, tsm_report
from warily.formats.guest_config import SP_PORT
from warily.formats.snp_guest_message import PREFIX_SIZE, SUCCESS, ReportAnswer, ReportRequest
from warily.formats.tsm_report import TsmReport
from warily.guest import kernel
from warily.guest.kernel import Mount
from warily.guest.refusal import Refused

CONFIG: Final = Path("/sys/kernel/config")
REPORTS: Final = CONFIG / "tsm" / "report"
ENTRY: Final = "warily"
PORTS: Final = Path("/sys/class/virtio-ports")
ATTEMPTS: Final = 5
TIMEOUT: Final = 20.0
PIECE: Final = 1 << 16


def report(report_data: bytes) -> TsmReport:
    """A fresh report over `report_data`. Raises `Refused` where no processor answers."""
    entry = _kernel_entry()
    if entry is not None:
        return _from_kernel(entry, report_data)
    port = _port()
    if port is None:
        raise Refused("evidence.none", "neither configfs-tsm nor a rehearsal processor is there")
    return _from_port(port, report_data)


def _kernel_entry() -> Path | None:
    """A folder of our own in configfs-tsm, or None where the kernel has no provider."""
    if not (CONFIG / "tsm").exists():
        with suppress(OSError):
            kernel.mount("configfs", str(CONFIG), "configfs", Mount.NOSUID | Mount.NODEV | Mount.NOEXEC)
    entry = REPORTS / ENTRY
    try:
        entry.mkdir()
    except OSError:
        return entry if entry.is_dir() else None
    return entry


def _from_kernel(entry: Path, report_data: bytes) -> TsmReport:
    """The report, once nobody else wrote between our question and the answer (`generation` stands still)."""
    for _ in range(ATTEMPTS):
        before = _generation(entry)
        (entry / "inblob").write_bytes(report_data)
        provider = (entry / "provider").read_text().strip()
        outblob = (entry / "outblob").read_bytes()
        auxblob = (entry / "auxblob").read_bytes() if provider == tsm_report.SEV_GUEST else b""
        if _generation(entry) == before + 1:
            return TsmReport(provider=provider, outblob=outblob, auxblob=auxblob)
    raise Refused("evidence.busy", "something else keeps asking the processor for reports")


def _generation(entry: Path) -> int:
    return int((entry / "generation").read_text())


def _port() -> Path | None:
    """The node of the virtio-serial port with the stand-in's name."""
    for name in sorted(PORTS.glob("*/name")):
        if name.read_text().strip() == SP_PORT:
            return Path("/dev") / name.parent.name
    return None


def _from_port(port: Path, report_data: bytes) -> TsmReport:
    handle = os.open(port, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    deadline = time.monotonic() + TIMEOUT
    try:
        _write(handle, ReportRequest(report_data=report_data, vmpl=0).pack(), deadline)
        size = snp_guest_message.frame_length(_read(handle, PREFIX_SIZE, deadline))
        answer = ReportAnswer.decode(_read(handle, size, deadline))
    finally:
        os.close(handle)
    if answer.status != SUCCESS:
        raise Refused("evidence.status", f"the processor answers with status {answer.status:#x}")
    return TsmReport(provider=tsm_report.REHEARSAL, outblob=answer.report, auxblob=answer.certificates)


def _write(handle: int, data: bytes, deadline: float) -> None:
    while data:
        if not select.select([], [handle], [], _left(deadline))[1]:
            continue
        data = data[os.write(handle, data) :]


def _read(handle: int, size: int, deadline: float) -> bytes:
    """Exactly `size` bytes. A port whose other side is not connected yet reads as closed: it is waited for."""
    received = b""
    while len(received) < size:
        select.select([handle], [], [], _left(deadline))
        with suppress(BlockingIOError):
            piece = os.read(handle, min(size - len(received), PIECE))
            if not piece:
                time.sleep(0.01)
            received += piece
    return received


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise Refused("evidence.silent", "the processor does not answer")
    return left
