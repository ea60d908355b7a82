"""The VMSA: the encrypted page that holds a virtual processor's registers.

Source: AMD 24593 (Architecture Programmer's Manual, volume 2), appendix B, table B-4; field names as in
Linux arch/x86/include/asm/svm.h, struct sev_es_save_area. What has no default must be said.
"""

from typing import Annotated, Final

from warily.formats._layout import Layout, layout, octets, u8, u16, u32, u64

_SOURCE: Final = "AMD 24593 3.42, table B-4"


@layout(16, source=_SOURCE)
class Segment(Layout):
    """A segment register with its hidden part."""

    selector: Annotated[int, u16(0)]
    attributes: Annotated[int, u16(2)]
    limit: Annotated[int, u32(4)]
    base: Annotated[int, u64(8)]


@layout(4096, source=_SOURCE)
class Vmsa(Layout):
    """One virtual processor as it is when the guest starts."""

    es: Annotated[Segment, octets(0x000, 16)]
    cs: Annotated[Segment, octets(0x010, 16)]
    ss: Annotated[Segment, octets(0x020, 16)]
    ds: Annotated[Segment, octets(0x030, 16)]
    fs: Annotated[Segment, octets(0x040, 16)]
    gs: Annotated[Segment, octets(0x050, 16)]
    gdtr: Annotated[Segment, octets(0x060, 16)]
    ldtr: Annotated[Segment, octets(0x070, 16)]
    idtr: Annotated[Segment, octets(0x080, 16)]
    tr: Annotated[Segment, octets(0x090, 16)]
    vmpl0_ssp: Annotated[int, u64(0x0A0)] = 0
    vmpl1_ssp: Annotated[int, u64(0x0A8)] = 0
    vmpl2_ssp: Annotated[int, u64(0x0B0)] = 0
    vmpl3_ssp: Annotated[int, u64(0x0B8)] = 0
    u_cet: Annotated[int, u64(0x0C0)] = 0
    vmpl: Annotated[int, u8(0x0CA)] = 0
    cpl: Annotated[int, u8(0x0CB)] = 0
    efer: Annotated[int, u64(0x0D0)]
    xss: Annotated[int, u64(0x140)] = 0
    cr4: Annotated[int, u64(0x148)]
    cr3: Annotated[int, u64(0x150)] = 0
    cr0: Annotated[int, u64(0x158)]
    dr7: Annotated[int, u64(0x160)]
    dr6: Annotated[int, u64(0x168)]
    rflags: Annotated[int, u64(0x170)]
    rip: Annotated[int, u64(0x178)]
    debug_registers: Annotated[bytes, octets(0x180, 64)] = bytes(64)
    rsp: Annotated[int, u64(0x1D8)] = 0
    s_cet: Annotated[int, u64(0x1E0)] = 0
    ssp: Annotated[int, u64(0x1E8)] = 0
    interrupt_ssp_table: Annotated[int, u64(0x1F0)] = 0
    rax: Annotated[int, u64(0x1F8)] = 0
    star: Annotated[int, u64(0x200)] = 0
    lstar: Annotated[int, u64(0x208)] = 0
    cstar: Annotated[int, u64(0x210)] = 0
    sfmask: Annotated[int, u64(0x218)] = 0
    kernel_gs_base: Annotated[int, u64(0x220)] = 0
    sysenter_cs: Annotated[int, u64(0x228)] = 0
    sysenter_esp: Annotated[int, u64(0x230)] = 0
    sysenter_eip: Annotated[int, u64(0x238)] = 0
    cr2: Annotated[int, u64(0x240)] = 0
    g_pat: Annotated[int, u64(0x268)]
    branch_records: Annotated[bytes, octets(0x270, 40)] = bytes(40)
    pkru: Annotated[int, u32(0x2E8)] = 0
    tsc_aux: Annotated[int, u32(0x2EC)] = 0
    tsc_scale: Annotated[int, u64(0x2F0)] = 0
    tsc_offset: Annotated[int, u64(0x2F8)] = 0
    rcx: Annotated[int, u64(0x308)] = 0
    rdx: Annotated[int, u64(0x310)]
    rbx: Annotated[int, u64(0x318)] = 0
    rbp: Annotated[int, u64(0x328)] = 0
    rsi: Annotated[int, u64(0x330)] = 0
    rdi: Annotated[int, u64(0x338)] = 0
    r8_to_r15: Annotated[bytes, octets(0x340, 64)] = bytes(64)
    guest_exit_info: Annotated[bytes, octets(0x390, 32)] = bytes(32)
    sev_features: Annotated[int, u64(0x3B0)]
    virtual_interrupt_control: Annotated[int, u64(0x3B8)] = 0
    guest_exit_code: Annotated[int, u64(0x3C0)] = 0
    virtual_tom: Annotated[int, u64(0x3C8)] = 0
    tlb_id: Annotated[int, u64(0x3D0)] = 0
    pcpu_id: Annotated[int, u64(0x3D8)] = 0
    event_injection: Annotated[int, u64(0x3E0)] = 0
    xcr0: Annotated[int, u64(0x3E8)]
    x87_dp: Annotated[int, u64(0x400)] = 0
    mxcsr: Annotated[int, u32(0x408)]
    x87_ftw: Annotated[int, u16(0x40C)] = 0
    x87_fsw: Annotated[int, u16(0x40E)] = 0
    x87_fcw: Annotated[int, u16(0x410)]
    x87_fop: Annotated[int, u16(0x412)] = 0
    x87_ds: Annotated[int, u16(0x414)] = 0
    x87_cs: Annotated[int, u16(0x416)] = 0
    x87_rip: Annotated[int, u64(0x418)] = 0
    fpu_registers: Annotated[bytes, octets(0x420, 592)] = bytes(592)
