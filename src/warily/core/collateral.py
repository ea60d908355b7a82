"""Collateral: what vendors say about their hardware. Certificates and revocation lists, in DER."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SnpCollateral:
    """Everything offered for judging an SNP report; the verifier picks what fits and trusts none of it.

    `certificates` may hold VCEK, VLEK, ASK, ASVK and ARK in any order.
    """

    certificates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
