"""The measured kernel command line: what warily always says, what a declaration may add, and why.

The line is hashed into the launch measurement and is the guest's only source for the root hash.
`Documentation/admin-guide/kernel-parameters.rst` of Linux 6.12 defines the words.
"""

from dataclasses import dataclass
from typing import Final

from warily.core.manifest import VerityRoot
from warily.errors import UsageError

LIMIT: Final = 2033  # COMMAND_LINE_SIZE is 2048; the kernel and QEMU each need some of it


@dataclass(frozen=True, slots=True)
class Word:
    """One word of the command line and the reason it stands there."""

    word: str
    because: str


# Debian's cloud kernel has them built in, so they would take a device before the first program is there.
BUILT_IN: Final = (
    "nvme_init",
    "virtio_fs_init",
    "serial_pci_driver_init",
    "pericom8250_pci_driver_init",
    "i8042_init",
)
FIXED: Final = (
    Word("console=ttyS0", "the boot log is the one thing a guest shows; journald keeps the rest inside"),
    Word("quiet", "kernel messages go to the host in clear; only warnings and worse are worth that"),
    Word("panic=-1", "a panic reboots at once, and the launcher takes a reboot as the end: no half-alive guest"),
    Word("oops=panic", "a kernel that has contradicted itself holds secrets no longer"),
    Word("lockdown=confidentiality", "no one, root included, reads kernel memory or loads unsigned code"),
    Word("random.trust_cpu=y", "RDRAND is inside the processor, which is trusted; there is no better source at boot"),
    Word("random.trust_bootloader=n", "a seed handed over at boot comes from the host"),
    Word("init_on_alloc=1", "freed memory never shows up in another's allocation"),
    Word("slab_nomerge", "a bug in one kernel object does not reach into another of the same size"),
    Word("vsyscall=none", "an obsolete fixed address for attackers"),
    Word("ia32_emulation=0", "closes int 0x80, which a hypervisor can inject (Heckler)"),
    Word("nohibernate", "memory is never written to the host's disk"),
    Word("noresume", "memory is never read from the host's disk"),
    Word(
        "initcall_blacklist=acpi_init",
        "the host's ACPI tables hold code; without this step none of it is loaded or run",
    ),
    Word(
        f"initcall_blacklist={','.join(BUILT_IN)}",
        "drivers that the kernel has built in and no image needs: what is not there takes no device at boot",
    ),
    Word(
        "pci=lastbus=1", "without ACPI nobody names the PCI buses: bus 0 is looked at directly, and there is no other"
    ),
    Word("pcie_ports=compat", "no device is plugged in while the machine runs"),
    Word("reboot=t", "ends by a triple fault: the host's table names an address to write to instead"),
    Word("acpi_no_static_ssdt", "the host's secondary tables are code too, should the first defence ever fail"),
    Word("hest_disable", "the table names memory for the kernel to read at the host's word"),
    Word("erst_disable", "likewise, and a store the kernel writes to"),
    Word("bert_disable", "likewise, at boot"),
    Word("unknown_nmi_panic", "an interrupt that nothing in the guest asked for is the host's: the machine ends"),
    Word("mce=off", "machine checks can be injected by the host at any instruction"),
    Word("xen_nopv", "a host that says it is Xen is not believed"),
    Word("edd=off", "no disk geometry from the host's firmware"),
    Word("systemd.import_credentials=no", "credentials come from SMBIOS and fw_cfg, hence from the host"),
    Word("systemd.show_status=no", "what starts is nobody's business outside"),
)

# What a declaration may add: the whole word, or with a final `=` a prefix and a plain number or name.
ALLOWED: Final = (
    Word("loglevel=", "how much the kernel says on the console"),
    Word("mitigations=auto,nosmt", "stricter than the default"),
    Word("nosmt", "stricter than the default"),
    Word("transparent_hugepage=", "a matter of speed"),
    Word("hugepages=", "a matter of speed"),
    Word("hugepagesz=", "a matter of speed"),
    Word("default_hugepagesz=", "a matter of speed"),
    Word("init_on_free=1", "keys do not outlive their buffers; it costs seconds at boot where there is no KVM"),
    Word("page_alloc.shuffle=", "stricter than the default"),
    Word("tsc=reliable", "do not fall back to the host's clock sources"),
    Word("no-kvmclock", "do not take the time from the hypervisor's page"),
    Word("ipv6.disable=", "less network"),
    Word("cgroup_disable=", "less kernel"),
    Word("randomize_kstack_offset=", "stricter than the default"),
    Word("swiotlb=", "how much memory is shared with the host's devices"),
)
_VALUE: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789,._")


def refuse_unknown(words: tuple[str, ...]) -> None:
    """Every word is in `ALLOWED`. Raises `UsageError` with the nearest allowed word."""
    for word in words:
        if not any(_allows(entry.word, word) for entry in ALLOWED):
            known = ", ".join(entry.word for entry in ALLOWED)
            msg = f"the kernel command line may not say {word!r}"
            raise UsageError(msg, hint=f"what may be added: {known}")


def _allows(allowed: str, word: str) -> bool:
    if not allowed.endswith("="):
        return word == allowed
    value = word.removeprefix(allowed)
    return word.startswith(allowed) and bool(value) and set(value) <= _VALUE


def compose(root: VerityRoot, *, grantor: bytes, added: tuple[str, ...]) -> str:
    """The whole line: the fixed words, the declared ones, then warily's own. Raises `UsageError` when too long."""
    refuse_unknown(added)
    line = " ".join(
        (
            *(entry.word for entry in FIXED),
            *added,
            f"warily.root={root.root_hash.hex()}",
            f"warily.salt={root.salt.hex()}",
            f"warily.blocks={root.data_blocks}",
            f"warily.hash={root.algorithm}",
            "warily.devices=declared",
            f"warily.grantor={grantor.hex()}",
        )
    )
    if len(line) > LIMIT:
        msg = f"the kernel command line is {len(line)} bytes long, {LIMIT} are possible"
        raise UsageError(msg)
    return line
