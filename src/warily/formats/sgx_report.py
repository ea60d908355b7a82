"""The SGX REPORT body: what an enclave (a quoting enclave among them) says of itself."""

from enum import IntFlag
from typing import Annotated, Final

from warily.formats._layout import Layout, layout, octets, u16, u32, u64

SIZE: Final = 384


class EnclaveFlag(IntFlag):
    """ATTRIBUTES.FLAGS (Intel SDM volume 3D, table 35-3)."""

    INIT = 1 << 0
    DEBUG = 1 << 1
    MODE64BIT = 1 << 2
    PROVISIONKEY = 1 << 4
    EINITTOKEN_KEY = 1 << 5
    CET = 1 << 6
    KSS = 1 << 7
    AEXNOTIFY = 1 << 10


@layout(SIZE, source="Intel SDM volume 3D, section 39.15, REPORT (the part that is MACed or signed)")
class SgxReport(Layout):
    """The 384 bytes of a REPORT that a quote carries. Integers are little-endian; reserved bytes are zero."""

    cpusvn: Annotated[bytes, octets(0, 16)]
    miscselect: Annotated[int, u32(16)]
    isvextprodid: Annotated[bytes, octets(32, 16)]
    flags: Annotated[int, u64(48)]
    xfrm: Annotated[int, u64(56)]
    mrenclave: Annotated[bytes, octets(64, 32)]
    mrsigner: Annotated[bytes, octets(128, 32)]
    configid: Annotated[bytes, octets(192, 64)]
    isvprodid: Annotated[int, u16(256)]
    isvsvn: Annotated[int, u16(258)]
    configsvn: Annotated[int, u16(260)]
    isvfamilyid: Annotated[bytes, octets(304, 16)]
    report_data: Annotated[bytes, octets(320, 64)]

    @property
    def attributes(self) -> bytes:
        """ATTRIBUTES as QE identities write them: FLAGS, then XFRM."""
        return self.flags.to_bytes(8, "little") + self.xfrm.to_bytes(8, "little")
