"""The SEV-SNP ATTESTATION_REPORT, versions 2 to 5, and the TCB versions inside it."""

from dataclasses import dataclass
from enum import IntEnum, IntFlag, StrEnum
from functools import lru_cache
from typing import Annotated, Final, Self

from warily.errors import FormatError
from warily.formats._layout import Layout, layout, octets, u8, u32, u64

SIZE: Final = 0x4A0
SIGNED_SIZE: Final = 0x2A0
VERSIONS: Final = range(2, 6)
HOST_REQUESTED: Final = 0xFFFFFFFF  # the VMPL of a report that the host asked for (SNP_HV_REPORT_REQ)
ECDSA_P384_SHA384: Final = 1
NO_MIGRATION_AGENT: Final = bytes([0xFF]) * 32


class PolicyBit(IntFlag):
    """Guest policy (AMD 56860, table 9). The low 16 bits are the least ABI version, minor then major."""

    SMT = 1 << 16
    RESERVED_ONE = 1 << 17
    MIGRATE_MA = 1 << 18
    DEBUG = 1 << 19
    SINGLE_SOCKET = 1 << 20
    CXL_ALLOW = 1 << 21
    MEM_AES_256_XTS = 1 << 22
    RAPL_DIS = 1 << 23
    CIPHERTEXT_HIDING_DRAM = 1 << 24
    PAGE_SWAP_DISABLE = 1 << 25


class PlatformBit(IntFlag):
    """PLATFORM_INFO (AMD 56860, table 23; IOMMU_WRITE_SAFE: AMD-SB-3016)."""

    SMT_EN = 1 << 0
    TSME_EN = 1 << 1
    ECC_EN = 1 << 2
    RAPL_DIS = 1 << 3
    CIPHERTEXT_HIDING_DRAM_EN = 1 << 4
    ALIAS_CHECK_COMPLETE = 1 << 5
    IOMMU_WRITE_SAFE = 1 << 6
    TIO_EN = 1 << 7


ABI_BITS: Final = 0xFFFF
POLICY_BITS: Final = ABI_BITS | sum(PolicyBit)
PLATFORM_BITS: Final = int(sum(PlatformBit))


class SigningKey(IntEnum):
    """Which key signed the report (KEY_INFO bits 4:2)."""

    VCEK = 0
    VLEK = 1
    NONE = 7


_SIGNING_KEYS: Final = {key.value: key for key in SigningKey}


class TcbLayout(StrEnum):
    """How a TCB_VERSION is laid out. It follows the product, not the version of the report."""

    LEGACY = "legacy"
    TURIN = "turin"


# Which byte of a TCB_VERSION holds which component; bytes not named are reserved.
TCB_BYTES: Final[dict[TcbLayout, dict[str, int]]] = {
    TcbLayout.LEGACY: {"bootloader": 0, "tee": 1, "snp": 6, "microcode": 7},
    TcbLayout.TURIN: {"fmc": 0, "bootloader": 1, "tee": 2, "snp": 3, "microcode": 7},
}
_RESERVED: Final = {
    kind: (1 << 64) - 1 - sum(0xFF << 8 * at for at in places.values()) for kind, places in TCB_BYTES.items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tcb:
    """A TCB_VERSION: security patch levels 0 to 255. `fmc` is None where the product has none."""

    bootloader: int
    tee: int
    snp: int
    microcode: int
    fmc: int | None = None

    @classmethod
    @lru_cache(maxsize=1024)  # each report has four, and a fleet has few
    def decode(cls, value: int, kind: TcbLayout) -> Self:
        """The components of a 64-bit TCB_VERSION. Raises `FormatError` where reserved bytes are not zero."""
        if value & _RESERVED[kind]:
            msg = f"TCB version {value:016x}: reserved bytes of the {kind} layout are not zero"
            raise FormatError(msg)
        return cls(**{name: value >> 8 * at & 0xFF for name, at in TCB_BYTES[kind].items()})

    def encode(self) -> int:
        """The 64-bit TCB_VERSION."""
        kind = TcbLayout.LEGACY if self.fmc is None else TcbLayout.TURIN
        return sum(getattr(self, name) << (8 * at) for name, at in TCB_BYTES[kind].items())

    def components(self) -> dict[str, int]:
        """The patch levels by name, in the order in which the parts run."""
        head = {} if self.fmc is None else {"fmc": self.fmc}
        return head | {"bootloader": self.bootloader, "tee": self.tee, "snp": self.snp, "microcode": self.microcode}

    def is_within(self, other: "Tcb") -> bool:
        """Whether no component is above the same component of `other`."""
        if self is other:  # as in most reports: `decode` gives the same object for the same value
            return True
        theirs = other.components()
        return all(level <= theirs.get(name, 0) for name, level in self.components().items())

    def __str__(self) -> str:
        return " ".join(f"{name} {level}" for name, level in self.components().items())


@layout(SIZE, source="AMD 56860 SEV-SNP Firmware ABI 1.58, ATTESTATION_REPORT")
class SnpReport(Layout):
    """An attestation report. The signature covers the first 0x2A0 bytes; R and S are little-endian.

    Fields that the report's version does not have are zero, as are all reserved bytes; anything else is a
    `FormatError`, also for values made here. Unknown policy and platform bits are kept: they are judged, not parsed.
    Firmware versions are three bytes each: build, minor, major.
    """

    version: Annotated[int, u32(0x000)]
    guest_svn: Annotated[int, u32(0x004)]
    policy: Annotated[int, u64(0x008)]
    family_id: Annotated[bytes, octets(0x010, 16)]
    image_id: Annotated[bytes, octets(0x020, 16)]
    vmpl: Annotated[int, u32(0x030)]
    signature_algorithm: Annotated[int, u32(0x034)]
    current_tcb: Annotated[int, u64(0x038)]
    platform_info: Annotated[int, u64(0x040)]
    key_info: Annotated[int, u32(0x048)]
    report_data: Annotated[bytes, octets(0x050, 64)]
    measurement: Annotated[bytes, octets(0x090, 48)]
    host_data: Annotated[bytes, octets(0x0C0, 32)]
    id_key_digest: Annotated[bytes, octets(0x0E0, 48)]
    author_key_digest: Annotated[bytes, octets(0x110, 48)]
    report_id: Annotated[bytes, octets(0x140, 32)]
    report_id_ma: Annotated[bytes, octets(0x160, 32)]
    reported_tcb: Annotated[int, u64(0x180)]
    cpuid_family: Annotated[int, u8(0x188)]
    cpuid_model: Annotated[int, u8(0x189)]
    cpuid_stepping: Annotated[int, u8(0x18A)]
    chip_id: Annotated[bytes, octets(0x1A0, 64)]
    committed_tcb: Annotated[int, u64(0x1E0)]
    current_version: Annotated[bytes, octets(0x1E8, 3)]
    committed_version: Annotated[bytes, octets(0x1EC, 3)]
    launch_tcb: Annotated[int, u64(0x1F0)]
    launch_mitigations: Annotated[int, u64(0x1F8)]
    current_mitigations: Annotated[int, u64(0x200)]
    signature_r: Annotated[bytes, octets(0x2A0, 72)]
    signature_s: Annotated[bytes, octets(0x2E8, 72)]

    def __post_init__(self) -> None:
        if self.version not in VERSIONS:
            msg = f"SnpReport: version {self.version} is not one of {VERSIONS.start}..{VERSIONS.stop - 1}"
            raise FormatError(msg)
        cpuid = (self.cpuid_family, self.cpuid_model, self.cpuid_stepping)
        mitigations = (self.launch_mitigations, self.current_mitigations)
        if (self.version < 3 and any(cpuid)) or (self.version < 5 and any(mitigations)):
            msg = f"SnpReport: bytes that version {self.version} reserves are not zero"
            raise FormatError(msg)
        if self.key_info >> 5 or self.key_info >> 2 & 7 not in _SIGNING_KEYS:
            msg = f"SnpReport: key_info {self.key_info:#x} has reserved bits or an unknown signing key"
            raise FormatError(msg)

    @property
    def has_cpuid(self) -> bool:
        """Whether the report names the processor's family, model and stepping (version 3 and later)."""
        return self.version >= 3

    @property
    def has_author_key(self) -> bool:
        """AUTHOR_KEY_EN: the author key digest means something."""
        return bool(self.key_info & 1)

    @property
    def masks_chip_key(self) -> bool:
        """MASK_CHIP_KEY."""
        return bool(self.key_info & 2)

    @property
    def signing_key(self) -> SigningKey:
        """SIGNING_KEY."""
        return _SIGNING_KEYS[self.key_info >> 2 & 7]


def firmware_version(packed: bytes) -> tuple[int, int, int]:
    """Major, minor and build of a three-byte firmware version."""
    build, minor, major = packed
    return major, minor, build
