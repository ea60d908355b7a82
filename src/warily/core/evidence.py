"""Evidence: what the attester sent. Bytes as received, split only where the container says so."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SnpEvidence:
    """An SEV-SNP ATTESTATION_REPORT (0x4A0 bytes) and the certificates that came with it, in DER."""

    report: bytes
    certificates: tuple[bytes, ...] = ()


Evidence = SnpEvidence
