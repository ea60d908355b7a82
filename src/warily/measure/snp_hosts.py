"""The variants of a host: what it decides about the VMSAs, as named choices (data/snp_hosts.py)."""

from collections.abc import Iterator
from typing import Any

from warily.data.snp_hosts import HOSTS
from warily.errors import UsageError
from warily.formats._record import record
from warily.measure.launch_digest import VMSA_GPA
from warily.measure.vmsa import RESETS, Reset, Vmm


@record
class Host:
    """One way a host starts processors: reset values, SEV_FEATURES bits it adds, where it says the VMSAs are."""

    name: str
    because: str
    reset: Reset
    features: int
    vmsa_gpa: int


def hosts(vmm: Vmm, *, svsm: bool) -> Iterator[Host]:
    """All known variants under `vmm`, the usual one first."""
    for entry in HOSTS:
        if entry["vmm"] == vmm.value and entry.get("svsm", False) is svsm:
            yield _host(vmm, entry)


def host_named(name: str, vmm: Vmm, *, svsm: bool) -> Host:
    """The variant of that name; the usual one where the name is empty. Raises `UsageError`."""
    names = []
    for host in hosts(vmm, svsm=svsm):
        if name in ("", host.name):
            return host
        names.append(host.name)
    if not names:
        message = f"an SVSM is known under QEMU only, not under {vmm.value}"
        raise UsageError(message)
    message = f"no host variant {name!r} under {vmm.value}{' with an SVSM' if svsm else ''}"
    raise UsageError(message, hint=f"these are known: {', '.join(names)}")


def _host(vmm: Vmm, entry: dict[str, Any]) -> Host:
    usual = RESETS[vmm]
    values: dict[str, Any] = {name: entry.get(name, getattr(usual, name)) for name in Reset.__annotations__}
    return Host(
        name=entry["name"],
        because=entry["because"],
        reset=Reset(**values),
        features=entry.get("features", 0),
        vmsa_gpa=entry.get("vmsa_gpa", VMSA_GPA),
    )
