"""The registers a virtual processor starts with, as each virtual machine monitor sets them."""

from enum import StrEnum
from typing import Any, Final

from warily.formats._record import record
from warily.formats.snp_vmsa import Segment, Vmsa

BOOT_EIP: Final = 0xFFFF_FFF0  # the x86 reset vector
MXCSR: Final = 0x1F80  # what a processor has after reset, and the x87 control word
X87_FCW: Final = 0x37F


class Vmm(StrEnum):
    """Who starts the guest: QEMU on KVM, Amazon EC2 (Nitro), or Google Compute Engine (Vanadium)."""

    QEMU = "qemu"
    EC2 = "ec2"
    GCE = "gce"


@record
class Reset:
    """Where monitors differ: segment attributes, page attribute table, RDX, floating point control.

    `cs_boot` is for the boot processor, `cs` for the others. `rdx` None: the CPU signature.
    """

    cs_boot: int
    cs: int
    ss: int
    tr: int
    g_pat: int
    rdx: int | None
    mxcsr: int
    x87_fcw: int


# QEMU: Linux 6.10 and later; before that MXCSR and FCW were zero. EC2 and GCE: as sev-snp-measure 0.0.13
# and published reports have them (virtee/sev-snp-measure pull request 60 for EC2's RDX).
RESETS: Final = {
    Vmm.QEMU: Reset(
        cs_boot=0x9B, cs=0x9B, ss=0x93, tr=0x8B, g_pat=0x0007_0406_0007_0406, rdx=None, mxcsr=MXCSR, x87_fcw=X87_FCW
    ),
    Vmm.EC2: Reset(cs_boot=0x9A, cs=0x9B, ss=0x92, tr=0x83, g_pat=0x0007_0406_0007_0406, rdx=0x600, mxcsr=0, x87_fcw=0),
    Vmm.GCE: Reset(cs_boot=0x9B, cs=0x9B, ss=0x93, tr=0x8B, g_pat=0x0007_0106, rdx=0x600, mxcsr=0, x87_fcw=0),
}


def boot_processor(reset: Reset, *, signature: int, features: int) -> bytes:
    """The VMSA page of the processor that runs the reset vector. `features` is SEV_FEATURES."""
    return _page(reset, BOOT_EIP, reset.cs_boot, signature, features)


def application_processor(reset: Reset, *, eip: int, signature: int, features: int) -> bytes:
    """The VMSA page of every other processor; it starts at `eip`, where the firmware says."""
    attributes = reset.cs_boot if eip == BOOT_EIP else reset.cs
    return _page(reset, eip, attributes, signature, features)


def _segment(attributes: int, *, selector: int = 0, base: int = 0) -> Segment:
    return Segment(selector=selector, attributes=attributes, limit=0xFFFF, base=base)


# What KVM gives every processor of an SEV guest: EFER has SVME, CR4 has MCE.
_COMMON: Final[dict[str, Any]] = {
    "efer": 0x1000,
    "cr4": 0x40,
    "dr7": 0x400,
    "dr6": 0xFFFF_0FF0,
    "rflags": 0x2,
    "xcr0": 0x1,
}


def _page(reset: Reset, eip: int, cs: int, signature: int, features: int) -> bytes:
    data = _segment(0x93)
    vmsa = Vmsa(
        es=data,
        cs=_segment(cs, selector=0xF000, base=eip & 0xFFFF_0000),
        ss=_segment(reset.ss),
        ds=data,
        fs=data,
        gs=data,
        gdtr=_segment(0),
        ldtr=_segment(0x82),
        idtr=_segment(0),
        tr=_segment(reset.tr),
        cr0=0x10,
        rip=eip & 0xFFFF,
        g_pat=reset.g_pat,
        rdx=signature if reset.rdx is None else reset.rdx,
        sev_features=features,
        mxcsr=reset.mxcsr,
        x87_fcw=reset.x87_fcw,
        **_COMMON,
    )
    return vmsa.pack()


def svsm_processor(reset: Reset, *, eip: int, signature: int, features: int) -> bytes:
    """The VMSA page of every processor under an SVSM: 32-bit protected mode with flat segments, at `eip`.

    The Coconut project's QEMU sets it so. The segments of `reset` but TR play no part.
    """
    data = Segment(selector=0x10, attributes=0xC93, limit=0xFFFF_FFFF, base=0)
    vmsa = Vmsa(
        es=data,
        cs=Segment(selector=0x8, attributes=0xC9B, limit=0xFFFF_FFFF, base=0),
        ss=data,
        ds=data,
        fs=data,
        gs=_segment(0x93),
        gdtr=_segment(0),
        ldtr=_segment(0x82),
        idtr=_segment(0),
        tr=_segment(reset.tr),
        cr0=0x11,
        rip=eip,
        g_pat=reset.g_pat,
        rdx=signature if reset.rdx is None else reset.rdx,
        sev_features=features,
        mxcsr=reset.mxcsr,
        x87_fcw=reset.x87_fcw,
        **_COMMON,
    )
    return vmsa.pack()
