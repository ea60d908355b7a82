"""What a host decides about the VMSAs of an SNP guest, and thus about its launch digest.

The same image on the same virtual machine monitor has one of these digests; nothing in a report says which.
`vmm` is who starts the guest, `svsm` whether below an SVSM. The first entry of each is the usual one. The rest says
what differs from the monitor's reset values: `mxcsr`, `x87_fcw`, `rdx`, SEV_FEATURES bits set in addition
(`features`), and `vmsa_gpa`, the guest physical address that is measured with each VMSA.
"""

from typing import Any, Final

SOURCE: Final = (
    "Linux arch/x86/kvm/svm/sev.c: debug swap by default in 6.6 and 6.7, FPU state in the VMSA since 6.10; "
    "amd/sev-utils issue 8; virtee/sev-snp-measure pull request 60; google/gce-tcb-verifier sev/measurement.go"
)
DATED: Final = "2026-11"

HOSTS: Final[tuple[dict[str, Any], ...]] = (
    {
        "name": "linux-6.10",
        "vmm": "qemu",
        "because": "the host runs Linux 6.10 or later, which sets MXCSR and the x87 control word",
    },
    {
        "name": "linux-6.9",
        "vmm": "qemu",
        "because": "the host runs Linux 6.9 or earlier, which leaves MXCSR and the x87 control word zero",
        "mxcsr": 0,
        "x87_fcw": 0,
    },
    {
        "name": "linux-6.6",
        "vmm": "qemu",
        "because": "the host runs Linux 6.6 or 6.7, which also turns on debug swap (SEV_FEATURES bit 5)",
        "mxcsr": 0,
        "x87_fcw": 0,
        "features": 0x20,
    },
    {
        "name": "linux-6.10-debug-swap",
        "vmm": "qemu",
        "because": "the host runs Linux 6.10 or later with debug swap (SEV_FEATURES bit 5) turned on",
        "features": 0x20,
    },
    {
        "name": "svsm",
        "vmm": "qemu",
        "svsm": True,
        "because": "published digests of SVSM guests have MXCSR set and the x87 control word zero",
        "x87_fcw": 0,
    },
    {
        "name": "svsm-linux-6.10",
        "vmm": "qemu",
        "svsm": True,
        "because": "the host runs Linux 6.10 or later, which sets MXCSR and the x87 control word",
    },
    {
        "name": "svsm-linux-6.9",
        "vmm": "qemu",
        "svsm": True,
        "because": "the host runs Linux 6.9 or earlier, which leaves MXCSR and the x87 control word zero",
        "mxcsr": 0,
        "x87_fcw": 0,
    },
    {"name": "ec2", "vmm": "ec2", "because": "EC2 starts processors with RDX 0x600, as seen on hardware since 2025"},
    {"name": "ec2-rdx-0", "vmm": "ec2", "because": "earlier EC2 hosts started processors with RDX zero", "rdx": 0},
    {
        "name": "gce-milan",
        "vmm": "gce",
        "because": "Milan has 48 bits of physical address, which end the address of a VMSA",
        "vmsa_gpa": 0x0000_FFFF_FFFF_F000,
    },
    {
        "name": "gce-genoa",
        "vmm": "gce",
        "because": "Genoa and later have 52 bits of physical address, which end the address of a VMSA",
        "vmsa_gpa": 0x000F_FFFF_FFFF_F000,
    },
)
