"""Evidence: what the attester sent. Bytes as received, split only where the container says so."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SnpEvidence:
    """An SEV-SNP ATTESTATION_REPORT (0x4A0 bytes) and the certificates that came with it, in DER."""

    report: bytes
    certificates: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TdxEvidence:
    """An Intel quote as received, padding included: TDX in versions 4 and 5, SGX in version 3 and later.

    `event_logs` are logs of the same boot, CCEL or TCG, that are to explain its RTMRs.
    """

    quote: bytes
    event_logs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TpmQuote:
    """One TPM2 quote: the TPMS_ATTEST as signed, its TPMT_SIGNATURE, and the registers' values that it covers.

    `pcrs` are (bank as TPM_ALG_ID, register, value); values that the quote does not select are not believed.
    """

    message: bytes
    signature: bytes
    pcrs: tuple[tuple[int, int, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TpmEvidence:
    """Quotes of one TPM, all by one attestation key, and what may vouch for that key.

    `attestation_key` is a TPMT_PUBLIC or a SubjectPublicKeyInfo, or empty; nothing makes it trusted by itself.
    `activated` is what the TPM got out of a credential made for that key, or empty.
    `certificates` (DER) are of the key, of the authorities above it, or of the hardware below. `hcl_report` is the
    report of Azure's paravisor or empty, and `td_quote` the Intel quote that goes with it on TDX.
    """

    quotes: tuple[TpmQuote, ...]
    attestation_key: bytes = b""
    certificates: tuple[bytes, ...] = ()
    hcl_report: bytes = b""
    td_quote: bytes = b""
    activated: bytes = b""
    event_logs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NitroEvidence:
    """An AWS Nitro attestation document, of an enclave or of a NitroTPM: the bytes of its COSE_Sign1 as received."""

    document: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class NvidiaDevice:
    """One GPU or switch: its report, the certificates that came with it (DER), and what the file said beside them.

    What was said beside them proves nothing, and must not contradict the report. None where nothing was said.
    """

    report: bytes
    certificates: tuple[bytes, ...] = ()
    nonce: bytes | None = None
    arch: str | None = None
    driver_version: str | None = None
    vbios_version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NvidiaEvidence:
    """Attestation reports of one or more NVIDIA GPUs and switches of one machine."""

    devices: tuple[NvidiaDevice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpdmEvidence:
    """A recorded SPDM conversation with a device, from its version to its signed measurements."""

    transcript: bytes


Evidence = SnpEvidence | TdxEvidence | TpmEvidence | NitroEvidence | NvidiaEvidence | SpdmEvidence
