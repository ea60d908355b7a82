"""The launch digests of SEV and SEV-ES guests: SHA-256 over what enters the guest encrypted, in order.

The digest stands in no report: the AMD-SP signs an HMAC over it (LAUNCH_MEASURE), with a nonce and versions.
Source: AMD 55766 (SEV API 0.24), sections 6.2 to 6.5; QEMU target/i386/sev.c.
"""

import hashlib
from collections.abc import Iterator
from typing import Final

from warily.core.registers import Prediction, Step
from warily.errors import UsageError
from warily.formats._record import record
from warily.formats.ovmf import Ovmf, check_size
from warily.measure.cpu import signature
from warily.measure.direct_boot import DirectBoot
from warily.measure.processors import checked_counts
from warily.measure.vmsa import RESETS, Vmm, application_processor, boot_processor

REGISTER: Final = "launch_digest"


@record
class SevLaunch:
    """A launch under QEMU. `vcpus` None: plain SEV, whose processors are not measured; else SEV-ES."""

    firmware: bytes
    boot: DirectBoot
    vcpus: int | None
    cpu: str


def predict(launch: SevLaunch) -> Prediction:
    """The launch digest and its trace by part. Raises `UsageError` and `FormatError`."""
    check_size(launch.firmware)
    hashes = launch.boot.hashes()
    digest = hashlib.sha256(launch.firmware)
    trace = [_step(digest, "firmware", "firmware", launch.firmware)]
    if hashes is not None:
        if Ovmf.parse(launch.firmware).hash_table is None:
            raise UsageError(
                "this firmware does not measure a kernel: it has no table for kernel hashes",
                hint="use a firmware built for it, such as OVMF.amdsev.fd of Debian's ovmf-amdsev, or no kernel",
            )
        table = hashes.encode()
        digest.update(table)
        trace.append(_step(digest, "kernel-hashes", "kernel, initrd, command line", table))
    if launch.vcpus is not None:
        for index, page in enumerate(_pages(launch, launch.vcpus)):
            digest.update(page)
            trace.append(_step(digest, "vmsa", f"vCPU {index}", page))
    return Prediction(registers={REGISTER: digest.digest()}, trace=tuple(trace))


def _pages(launch: SevLaunch, vcpus: int) -> Iterator[bytes]:
    """The VMSA of each processor. SEV_FEATURES is SNP's and zero here."""
    checked_counts((vcpus,))
    reset, cpu = RESETS[Vmm.QEMU], signature(launch.cpu)
    yield boot_processor(reset, signature=cpu, features=0)
    if vcpus == 1:
        return
    eip = Ovmf.parse(launch.firmware).reset_eip
    if eip is None:
        raise UsageError("this firmware has no SEV-ES reset block: no second processor can start", hint="use one vCPU")
    other = application_processor(reset, eip=eip, signature=cpu, features=0)
    for _ in range(vcpus - 1):
        yield other


def _step(digest: "hashlib._Hash", name: str, source: str, data: bytes) -> Step:
    return Step(step=name, input=source, input_digest=hashlib.sha256(data).hexdigest(), after=digest.copy().hexdigest())
