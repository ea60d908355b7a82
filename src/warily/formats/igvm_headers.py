"""The variable headers of IGVM files, one layout a type.

Source: the IGVM specification of Microsoft's `igvm_defs` crate.
"""

from enum import IntEnum
from typing import Annotated, Final

from warily.formats._layout import Layout, layout, octets, u8, u16, u32, u64

PAGE: Final = 4096
LARGE_PAGE: Final = 2 << 20
_SOURCE: Final = "igvm_defs, "


class HeaderType(IntEnum):
    """What a variable header holds."""

    SUPPORTED_PLATFORM = 0x1
    GUEST_POLICY = 0x101
    RELOCATABLE_REGION = 0x102
    PAGE_TABLE_RELOCATION_REGION = 0x103
    CORIM_DOCUMENT = 0x104
    CORIM_SIGNATURE = 0x105
    PARAMETER_AREA = 0x301
    PAGE_DATA = 0x302
    PARAMETER_INSERT = 0x303
    VP_CONTEXT = 0x304
    REQUIRED_MEMORY = 0x305
    VP_COUNT_PARAMETER = 0x307
    SRAT = 0x308
    MADT = 0x309
    MMIO_RANGES = 0x30A
    SNP_ID_BLOCK = 0x30B
    MEMORY_MAP = 0x30C
    ERROR_RANGE = 0x30D
    COMMAND_LINE = 0x30E
    SLIT = 0x30F
    PPTT = 0x310
    VBS_MEASUREMENT = 0x311
    DEVICE_TREE = 0x312
    ENVIRONMENT_INFO = 0x313
    CORIM_MEASUREMENT = 0x314


class PlatformType(IntEnum):
    """An isolation technology."""

    NATIVE = 0
    VSM = 1
    SEV_SNP = 2
    TDX = 3
    SEV = 4
    SEV_ES = 5
    CCA = 6


class DataType(IntEnum):
    """How page data enters the guest."""

    NORMAL = 0
    SECRETS = 1
    CPUID = 2
    CPUID_XF = 3


@layout(16, source=_SOURCE + "IGVM_VHS_SUPPORTED_PLATFORM")
class SupportedPlatform(Layout):
    """A platform, and the one bit of compatibility masks that stands for it."""

    mask: Annotated[int, u32(0)]
    highest_vtl: Annotated[int, u8(4)]
    platform: Annotated[PlatformType, u8(5)]
    version: Annotated[int, u16(6)]
    shared_boundary: Annotated[int, u64(8)]


@layout(16, source=_SOURCE + "IGVM_VHS_GUEST_POLICY")
class GuestPolicy(Layout):
    """The policy as the platform defines it."""

    policy: Annotated[int, u64(0)]
    mask: Annotated[int, u32(8)]


@layout(48, source=_SOURCE + "IGVM_VHS_RELOCATABLE_REGION")
class RelocatableRegion(Layout):
    """Memory that the loader may place elsewhere."""

    mask: Annotated[int, u32(0)]
    vp_index: Annotated[int, u16(4)]
    vtl: Annotated[int, u8(6)]
    flags: Annotated[int, u8(7)]
    alignment: Annotated[int, u64(8)]
    gpa: Annotated[int, u64(16)]
    size: Annotated[int, u64(24)]
    lowest: Annotated[int, u64(32)]
    highest: Annotated[int, u64(40)]


@layout(32, source=_SOURCE + "IGVM_VHS_PAGE_TABLE_RELOCATION")
class PageTableRelocation(Layout):
    """Page tables that the loader adjusts when it relocates."""

    mask: Annotated[int, u32(0)]
    vp_index: Annotated[int, u16(4)]
    vtl: Annotated[int, u8(6)]
    gpa: Annotated[int, u64(8)]
    size: Annotated[int, u64(16)]
    used_size: Annotated[int, u64(24)]


@layout(16, source=_SOURCE + "IGVM_VHS_CORIM_DOCUMENT")
class CorimReference(Layout):
    """A CoRIM document or its signature in the file data."""

    mask: Annotated[int, u32(0)]
    file_offset: Annotated[int, u32(4)]
    size: Annotated[int, u32(8)]


@layout(16, source=_SOURCE + "IGVM_VHS_PARAMETER_AREA")
class ParameterArea(Layout):
    """Memory in which the loader puts parameters; for all platforms."""

    size: Annotated[int, u64(0)]
    index: Annotated[int, u32(8)]
    file_offset: Annotated[int, u32(12)]


@layout(24, source=_SOURCE + "IGVM_VHS_PAGE_DATA")
class PageData(Layout):
    """A page of the guest. `file_offset` 0 stands for zeros."""

    gpa: Annotated[int, u64(0)]
    mask: Annotated[int, u32(8)]
    file_offset: Annotated[int, u32(12)]
    flags: Annotated[int, u32(16)]
    data_type: Annotated[DataType, u16(20)]

    @property
    def size(self) -> int:
        """The bytes of the page: 4 KiB, or 2 MiB."""
        return LARGE_PAGE if self.flags & 1 else PAGE

    @property
    def unmeasured(self) -> bool:
        """Whether its content does not count."""
        return bool(self.flags & 2)

    @property
    def shared(self) -> bool:
        """Whether the host can read it."""
        return bool(self.flags & 4)


@layout(16, source=_SOURCE + "IGVM_VHS_PARAMETER_INSERT")
class ParameterInsert(Layout):
    """Puts a parameter area into the guest."""

    gpa: Annotated[int, u64(0)]
    mask: Annotated[int, u32(8)]
    index: Annotated[int, u32(12)]


@layout(24, source=_SOURCE + "IGVM_VHS_VP_CONTEXT")
class VpContext(Layout):
    """A processor's state: for SNP a VMSA in the file data, and its address in the guest."""

    gpa: Annotated[int, u64(0)]
    mask: Annotated[int, u32(8)]
    file_offset: Annotated[int, u32(12)]
    vp_index: Annotated[int, u16(16)]


@layout(24, source=_SOURCE + "IGVM_VHS_REQUIRED_MEMORY")
class RequiredMemory(Layout):
    """Memory without which the guest does not start."""

    gpa: Annotated[int, u64(0)]
    mask: Annotated[int, u32(8)]
    size: Annotated[int, u32(12)]
    flags: Annotated[int, u32(16)]


@layout(8, source=_SOURCE + "IGVM_VHS_PARAMETER")
class Parameter(Layout):
    """Where in which parameter area the loader puts what the header's type says."""

    index: Annotated[int, u32(0)]
    offset: Annotated[int, u32(4)]


@layout(16, source=_SOURCE + "IGVM_VHS_ERROR_RANGE")
class ErrorRange(Layout):
    """Memory shared with the host, for reports of errors."""

    gpa: Annotated[int, u64(0)]
    mask: Annotated[int, u32(8)]
    size: Annotated[int, u32(12)]


@layout(0x90, source=_SOURCE + "IGVM_VHS_SNP_ID_BLOCK_SIGNATURE")
class IdSignature(Layout):
    """R and S, little-endian."""

    r: Annotated[bytes, octets(0, 72)]
    s: Annotated[bytes, octets(72, 72)]


@layout(0x98, source=_SOURCE + "IGVM_VHS_SNP_ID_BLOCK_PUBLIC_KEY")
class IdKey(Layout):
    """A point, little-endian, and its curve (2 is P-384)."""

    curve: Annotated[int, u32(0)]
    x: Annotated[bytes, octets(8, 72)]
    y: Annotated[bytes, octets(80, 72)]


@layout(0x2B8, source=_SOURCE + "IGVM_VHS_SNP_ID_BLOCK")
class SnpIdBlock(Layout):
    """The ID block that the AMD-SP checks before the guest starts, with its signatures."""

    mask: Annotated[int, u32(0)]
    author_key_enabled: Annotated[int, u8(4)]
    launch_digest: Annotated[bytes, octets(8, 48)]
    family_id: Annotated[bytes, octets(56, 16)]
    image_id: Annotated[bytes, octets(72, 16)]
    version: Annotated[int, u32(88)]
    guest_svn: Annotated[int, u32(92)]
    id_key_algorithm: Annotated[int, u32(96)]
    author_key_algorithm: Annotated[int, u32(100)]
    id_key_signature: Annotated[IdSignature, octets(104, 0x90)]
    id_key: Annotated[IdKey, octets(248, 0x98)]
    author_key_signature: Annotated[IdSignature, octets(400, 0x90)]
    author_key: Annotated[IdKey, octets(544, 0x98)]


LAYOUTS: Final[dict[HeaderType, type[Layout]]] = {
    HeaderType.SUPPORTED_PLATFORM: SupportedPlatform,
    HeaderType.GUEST_POLICY: GuestPolicy,
    HeaderType.RELOCATABLE_REGION: RelocatableRegion,
    HeaderType.PAGE_TABLE_RELOCATION_REGION: PageTableRelocation,
    HeaderType.CORIM_DOCUMENT: CorimReference,
    HeaderType.CORIM_SIGNATURE: CorimReference,
    HeaderType.PARAMETER_AREA: ParameterArea,
    HeaderType.PAGE_DATA: PageData,
    HeaderType.PARAMETER_INSERT: ParameterInsert,
    HeaderType.VP_CONTEXT: VpContext,
    HeaderType.REQUIRED_MEMORY: RequiredMemory,
    HeaderType.SNP_ID_BLOCK: SnpIdBlock,
    HeaderType.ERROR_RANGE: ErrorRange,
    **dict.fromkeys(
        (
            HeaderType.VP_COUNT_PARAMETER,
            HeaderType.SRAT,
            HeaderType.MADT,
            HeaderType.MMIO_RANGES,
            HeaderType.MEMORY_MAP,
            HeaderType.COMMAND_LINE,
            HeaderType.SLIT,
            HeaderType.PPTT,
            HeaderType.DEVICE_TREE,
            HeaderType.ENVIRONMENT_INFO,
        ),
        Parameter,
    ),
}
