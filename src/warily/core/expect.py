"""Expectations: what the relying party wants. No field has a default; leaving one out is a type error."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

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
    `must_exclude` names advisories that the evidence must exclude, or a date: all answerable ones published until then.
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
    must_exclude: frozenset[str] | date | Waived


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRule:
    """One TCB status that is acceptable, `OutOfDate` for instance.

    With `since`, only while the oldest TCB level that the evidence matches is not of an earlier date.
    """

    status: str
    since: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TdxExpect:
    """What a relying party wants of an Intel quote. Every field is decided, or waived with a reason.

    `rehearsal_roots` are SHA-256 fingerprints of root certificates that may be trusted besides Intel's own.
    `enclaves` are the MRENCLAVEs of SGX enclaves, of which the quote must be; empty means that it must be of a TD.
    `advisories` are those that Intel may name; `must_exclude` names advisories that the evidence must exclude, or a
    date: all answerable ones published until then. `platform_ids` are PPIDs or platform instance ids, 16 bytes each.
    `mrservicetds` may hold the empty value: a quote of version 4, which does not say.
    `tee_tcb_svn` (16 bytes), `qe_svn`, `pce_svn` and `evaluation` are floors.
    """

    rehearsal_roots: frozenset[bytes]
    enclaves: frozenset[bytes] | Waived
    debug: bool | Waived
    statuses: frozenset[StatusRule] | Waived
    advisories: frozenset[str] | Waived
    must_exclude: frozenset[str] | date | Waived
    evaluation: int | Waived
    attributes: BitRule | Waived
    xfam: BitRule | Waived
    unknown_bits: bool | Waived
    platform: BitRule | Waived
    platform_ids: frozenset[bytes] | Waived
    tee_tcb_svn: bytes | Waived
    qe_svn: int | Waived
    pce_svn: int | Waived
    mrseams: frozenset[bytes] | Waived
    mrtds: frozenset[bytes] | Waived
    mrconfigids: frozenset[bytes] | Waived
    mrowners: frozenset[bytes] | Waived
    mrownerconfigs: frozenset[bytes] | Waived
    mrservicetds: frozenset[bytes] | Waived
    rtmr0: frozenset[bytes] | Waived
    rtmr1: frozenset[bytes] | Waived
    rtmr2: frozenset[bytes] | Waived
    rtmr3: frozenset[bytes] | Waived
    report_data: bytes | Waived


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivatedCredential:
    """A credential that the relying party made: for which endorsement key, for which key's name, with which secret.

    `endorsement_key` is SHA-256 of a SubjectPublicKeyInfo, `secret` is SHA-256 of the secret, `name` a TPM2B_NAME's
    content.
    """

    endorsement_key: bytes
    name: bytes
    secret: bytes


NO_CREDENTIAL: Final = Waived("no credential was made for this key")


@dataclass(frozen=True, slots=True, kw_only=True)
class TpmExpect:
    """What a relying party wants of TPM quotes. Every field is decided, or waived with a reason.

    `authorities` are SHA-256 fingerprints of certificates that may vouch for attestation keys besides the built-in
    ones of clouds; `attestation_keys` are SHA-256 of the SubjectPublicKeyInfo of keys that need no voucher.
    `bindings` says which kinds of voucher are acceptable: `snp`, `tdx`, `certificate`, `endorsement`, `named`.
    `credential` is what an attestation key's TPM must have opened; it is made for one key, and stands in no file.
    `hardware` is what is wanted of the processor below a virtual TPM; waived, it must still be genuine.
    `pcrs` has the acceptable values by bank and register. `selection` must all be covered by the quotes in each of
    the `banks`, one of which there must be. A log must explain `log_registers`; waived, a log may be absent, but one
    that is given must explain the boot registers and all others that it extends. `instances` are a cloud's names for
    virtual machines, `user_data` what was handed to Azure's paravisor.
    """

    authorities: frozenset[bytes]
    attestation_keys: frozenset[bytes]
    bindings: frozenset[str] | Waived
    credential: ActivatedCredential | Waived
    hardware: SnpExpect | TdxExpect | Waived
    nonce: bytes | Waived
    banks: frozenset[str] | Waived
    selection: frozenset[int] | Waived
    pcrs: Mapping[str, Mapping[int, frozenset[bytes]]] | Waived
    log_registers: frozenset[int] | Waived
    secure_boot: bool | Waived
    instances: frozenset[str] | Waived
    user_data: bytes | Waived


@dataclass(frozen=True, slots=True, kw_only=True)
class NitroExpect:
    """What a relying party wants of an AWS Nitro attestation document. Every field is decided, or waived with a reason.

    `rehearsal_roots` are SHA-256 fingerprints of root certificates that may be trusted besides Amazon's own.
    `debug` says whether an enclave in debug mode is acceptable, `tpm` whether a NitroTPM is wanted, not an enclave.
    `pcrs` has the acceptable values by register; `modules` are module ids; `max_age` is in seconds.
    """

    rehearsal_roots: frozenset[bytes]
    debug: bool | Waived
    tpm: bool | Waived
    pcrs: Mapping[int, frozenset[bytes]] | Waived
    nonce: bytes | Waived
    user_data: bytes | Waived
    public_key: bytes | Waived
    modules: frozenset[str] | Waived
    max_age: int | Waived


@dataclass(frozen=True, slots=True, kw_only=True)
class NvidiaExpect:
    """What a relying party wants of NVIDIA GPUs and switches. Every field is decided, or waived with a reason.

    `rehearsal_roots` are SHA-256 fingerprints of roots that may be trusted, for devices and for manifests, besides
    NVIDIA's own. `manifests` says whether every device needs NVIDIA's reference manifests; waived, those that are
    given are judged all the same. `certificate_hold` says whether a certificate that is on hold passes, `debug`
    whether a device that debugging is open on does. `modes` are those of `warily.formats.nvidia_report.Mode`,
    `models` chips such as `GH100`, `devices` SHA-256 of the SubjectPublicKeyInfo of leaf certificates. `count` is how
    many devices there must be.
    """

    rehearsal_roots: frozenset[bytes]
    manifests: bool | Waived
    certificate_hold: bool
    debug: bool | Waived
    modes: frozenset[str] | Waived
    nonce: bytes | Waived
    models: frozenset[str] | Waived
    drivers: frozenset[str] | Waived
    vbioses: frozenset[str] | Waived
    devices: frozenset[bytes] | Waived
    count: int | Waived


@dataclass(frozen=True, slots=True, kw_only=True)
class SpdmExpect:
    """What a relying party wants of a device's SPDM conversation. Every field is decided, or waived with a reason.

    `authorities` are SHA-256 fingerprints of the device makers' roots that are trusted; none is built in.
    `rehearsal_roots` are trusted likewise, and make the result a rehearsal. `debug` says whether a device passes that
    debugging is open on, or was since its reset. `names` are device names, as DSP0274 puts them into certificates,
    `measurements` acceptable values by index, and `svn` is the least security version.
    """

    authorities: frozenset[bytes]
    rehearsal_roots: frozenset[bytes]
    debug: bool | Waived
    nonce: bytes | Waived
    names: frozenset[str] | Waived
    measurements: Mapping[int, frozenset[bytes]] | Waived
    svn: int | Waived


PlatformExpect = SnpExpect | TdxExpect | TpmExpect | NitroExpect | NvidiaExpect | SpdmExpect


@dataclass(frozen=True, slots=True, kw_only=True)
class LastWord:
    """An expectation `over` which an expression in CEL has the last word. It can reject, and accept nothing."""

    over: PlatformExpect
    cel: str


Expect = PlatformExpect | LastWord
