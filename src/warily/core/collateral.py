"""Collateral: what vendors say about their hardware. Certificates and revocation lists, in DER."""

from dataclasses import dataclass, field

from warily.formats.intel_collateral import Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class SnpCollateral:
    """Everything offered for judging an SNP report; the verifier picks what fits and trusts none of it.

    `certificates` may hold VCEK, VLEK, ASK, ASVK and ARK in any order.
    """

    certificates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TdxCollateral:
    """Everything offered for judging an Intel quote; the verifier picks what fits and trusts none of it.

    `certificates` may hold PCK and TCB signing certificates and the authorities above them, in DER; statements may
    bring their own chains, which are then the only ones looked at for them.
    """

    tcb_infos: tuple[Statement, ...] = ()
    qe_identities: tuple[Statement, ...] = ()
    root_crls: tuple[bytes, ...] = ()
    pck_crls: tuple[bytes, ...] = ()
    certificates: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TpmCollateral:
    """Everything offered for judging TPM quotes; the verifier picks what fits and trusts none of it.

    `certificates` may hold those of attestation keys, of authorities above them, and of the hardware below a virtual
    TPM. `keys` are attestation keys, as SubjectPublicKeyInfo in DER; only an expectation makes one of them trusted.
    """

    certificates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    keys: tuple[bytes, ...] = ()
    tdx: TdxCollateral = field(default_factory=TdxCollateral)


@dataclass(frozen=True, slots=True, kw_only=True)
class NitroCollateral:
    """Nothing: a Nitro attestation document brings its whole chain, and Amazon's root is built in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NvidiaCollateral:
    """Everything offered for judging reports of NVIDIA devices; the verifier picks what fits and trusts none of it.

    `certificates` may hold chains of devices, `manifests` are signed reference manifests (XML), `answers` are of OCSP
    responders (DER).
    """

    certificates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    manifests: tuple[bytes, ...] = ()
    answers: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SpdmCollateral:
    """Certificates and statements about revocation (DER) for judging a device's SPDM conversation."""

    certificates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    answers: tuple[bytes, ...] = ()


Collateral = SnpCollateral | TdxCollateral | TpmCollateral | NitroCollateral | NvidiaCollateral | SpdmCollateral
