"""Expectations: what the relying party wants. No field has a default; leaving one out is a type error."""

from dataclasses import dataclass

from warily.core.finding import Waived


@dataclass(frozen=True, slots=True, kw_only=True)
class TcbFloor:
    """The least acceptable security patch levels, component by component. `fmc` is for Turin and later."""

    bootloader: int
    tee: int
    snp: int
    microcode: int
    fmc: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BitRule:
    """Which bits of a field must be set, and which must be clear. Others are not looked at."""

    required: int
    forbidden: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SnpExpect:
    """What a relying party wants of an SEV-SNP report. Every field is decided, or waived with a reason.

    `rehearsal_roots` holds SHA-256 fingerprints of the DER certificates of rehearsal ARKs that may be
    trusted besides AMD's own; it is empty wherever real hardware is wanted.
    `unknown_bits` says whether policy and platform bits that this version cannot name are acceptable.
    """

    rehearsal_roots: frozenset[bytes]
    measurements: frozenset[bytes] | Waived
    report_data: bytes | Waived
    host_data: frozenset[bytes] | Waived
    vmpls: frozenset[int] | Waived
    policy: BitRule | Waived
    platform: BitRule | Waived
    unknown_bits: bool | Waived
    tcb_floor: TcbFloor | Waived
    guest_svn: int | Waived
    chip_ids: frozenset[bytes] | Waived
    id_key_digests: frozenset[bytes] | Waived
    author_key_digests: frozenset[bytes] | Waived
    family_id: bytes | Waived
    image_id: bytes | Waived
    migration_agent: bool | Waived
    provisional_firmware: bool | Waived
