"""The virtual processors' share of a launch digest: one VMSA page each, the boot processor's first.

They come last and all but the first are alike, so that one chain gives the digest of every count.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from warily.core.registers import Step
from warily.errors import UsageError
from warily.formats._record import record
from warily.formats.snp_page_info import PageType
from warily.measure.launch_digest import VMSA_GPA, LaunchDigest

MAX_VCPUS: Final = 4096  # KVM_MAX_VCPUS on x86


@record
class Processors:
    """SHA-384 of the boot processor's VMSA and of every other's; None where no other can start.

    `gpa` is the guest physical address that is measured with each.
    """

    boot: bytes
    other: bytes | None
    gpa: int = VMSA_GPA

    def steps(self, digest: LaunchDigest, vcpus: int) -> Iterator[Step]:
        """Add the VMSAs of `vcpus` processors. Raises `UsageError` where only one can start."""
        for index in range(vcpus):
            contents = self._contents(index)
            digest.add(PageType.VMSA, self.gpa, contents)
            yield digest.step("vmsa", f"vCPU {index}", contents, at=self.gpa)

    def digests(self, digest: LaunchDigest, counts: frozenset[int]) -> dict[int, bytes]:
        """The launch digest for each of `counts`, in ascending order, from the state before any VMSA."""
        found: dict[int, bytes] = {}
        for index in range(max(counts, default=0)):
            digest.add(PageType.VMSA, self.gpa, self._contents(index))
            if index + 1 in counts:
                found[index + 1] = digest.value
        return found

    def _contents(self, index: int) -> bytes:
        if index == 0:
            return self.boot
        if self.other is None:
            raise UsageError(
                "this firmware has no SEV-ES reset block: no second processor can start", hint="use one vCPU"
            )
        return self.other


def checked_counts(counts: Iterable[int]) -> frozenset[int]:
    """The counts, each 1 to 4096. Raises `UsageError`."""
    wanted = set()
    for count in counts:
        if not 1 <= count <= MAX_VCPUS:
            msg = f"{count} vCPUs: 1 to {MAX_VCPUS} are possible"
            raise UsageError(msg)
        wanted.add(count)
    return frozenset(wanted)
