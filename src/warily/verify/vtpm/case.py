"""Evidence of a TPM taken apart once, and what could vouch for its attestation key. Nothing is trusted here yet."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from warily.core.appraisal import Appraisal
from warily.core.collateral import TpmCollateral
from warily.core.evidence import TpmEvidence, TpmQuote
from warily.core.expect import ActivatedCredential, TpmExpect
from warily.errors import FormatError, UsageError
from warily.formats.hcl_report import HclReport, ReportType, RuntimeData
from warily.formats.tpm import Attest, Public, Signature
from warily.formats.x509 import Certificate, RevocationList
from warily.verify import x509
from warily.verify.vtpm import keys
from warily.verify.vtpm.chain import climb, is_endorsement

MAX_QUOTES: Final = 8
MAX_CERTIFICATES: Final = 64
MAX_CRLS: Final = 16
MAX_LOGS: Final = 8
MAX_PCRS: Final = 512
_SEQUENCE: Final = 0x30


class Binding(StrEnum):
    """What vouches for the attestation key."""

    SNP = "snp"
    TDX = "tdx"
    CERTIFICATE = "certificate"
    ENDORSEMENT = "endorsement"
    NAMED = "named"


HARDWARE: Final = {ReportType.SNP: Binding.SNP, ReportType.TDX: Binding.TDX}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What the processor below a virtual TPM said: its own appraisal, and the REPORT_DATA of its evidence."""

    appraisal: Appraisal
    report_data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """One quote, decoded. `values` are the registers it selects, of those that came with it, by bank and number."""

    raw: TpmQuote = field(repr=False)
    attest: Attest
    signature: Signature = field(repr=False)
    values: dict[int, dict[int, bytes]] = field(repr=False)

    @property
    def missing(self) -> list[tuple[int, int]]:
        """Registers that the quote selects and of which no value came with it."""
        selected = ((entry.bank, pcr) for entry in self.attest.selections for pcr in entry.pcrs)
        return [(bank, pcr) for bank, pcr in selected if pcr not in self.values.get(bank, {})]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything that the checks look at. `key` is the attestation key as SubjectPublicKeyInfo, None where none is.

    `chain` begins with the key's own certificate, or with that of the endorsement key; it is empty where none is at
    hand.
    """

    quotes: tuple[Quote, ...]
    key: bytes | None
    public: Public | None
    binding: Binding
    hcl: HclReport | None = field(repr=False)
    runtime: RuntimeData | None = field(repr=False)
    hardware: Hardware | None = field(repr=False)
    chain: tuple[Certificate, ...]
    activated: bytes = field(repr=False)
    crls: tuple[RevocationList, ...]
    logs: tuple[bytes, ...] = field(repr=False)
    at: datetime
    want: TpmExpect = field(repr=False)

    def values(self) -> dict[int, dict[int, bytes]]:
        """All registers of all quotes, by bank and number."""
        found: dict[int, dict[int, bytes]] = {}
        for quote in self.quotes:
            for bank, values in quote.values.items():
                found.setdefault(bank, {}).update(values)
        return found


def pick(
    evidence: TpmEvidence, collateral: TpmCollateral, want: TpmExpect, *, hardware: Hardware | None, at: datetime
) -> Case:
    """The case that evidence and collateral make.

    Raises `FormatError` for anything malformed or too large, `UsageError` for a credential where a paravisor vouches.
    Logs are read by whoever judges them, after the signature; here only their number is bounded.
    """
    ders = dict.fromkeys((*collateral.certificates, *evidence.certificates))
    _bound(evidence, collateral, len(ders))
    hcl = HclReport.decode(evidence.hcl_report) if evidence.hcl_report else None
    if hcl and isinstance(want.credential, ActivatedCredential):
        msg = "a paravisor vouches for this attestation key: it is not bound by a credential"
        raise UsageError(msg)
    runtime = RuntimeData.decode(hcl.runtime_data) if hcl else None
    offered = tuple(x509.decoded(der) for der in ders)
    public, key = _key(evidence, collateral, runtime, offered, want)
    binding = HARDWARE[hcl.report_type] if hcl else _binding(key, offered, want)
    chain: tuple[Certificate, ...] = ()
    leaf = _leaf(binding, key, offered, want)
    if leaf is not None:
        chain = climb(leaf, offered, want.authorities)
    return Case(
        quotes=tuple(_quote(entry) for entry in evidence.quotes),
        key=key,
        public=public,
        binding=binding,
        hcl=hcl,
        runtime=runtime,
        hardware=hardware,
        chain=chain,
        activated=evidence.activated,
        crls=tuple(RevocationList.decode(der) for der in collateral.crls),
        logs=evidence.event_logs,
        at=at,
        want=want,
    )


def _bound(evidence: TpmEvidence, collateral: TpmCollateral, certificates: int) -> None:
    """Raises `FormatError` where there is too much of anything, or no quote."""
    counts = (len(evidence.quotes), certificates, len(collateral.crls), len(evidence.event_logs))
    fewest = 0 if evidence.hcl_report else 1  # a paravisor's report says something by itself
    if not fewest <= counts[0] <= MAX_QUOTES or any(
        count > most for count, most in zip(counts[1:], (MAX_CERTIFICATES, MAX_CRLS, MAX_LOGS), strict=True)
    ):
        msg = f"TPM evidence of {counts[0]} quotes, {counts[1]} certificates, {counts[2]} CRLs, {counts[3]} logs"
        raise FormatError(msg)


def _quote(raw: TpmQuote) -> Quote:
    if len(raw.pcrs) > MAX_PCRS:
        msg = f"{len(raw.pcrs)} registers in one quote"
        raise FormatError(msg)
    attest = Attest.decode(raw.message)
    selected = {(entry.bank, pcr) for entry in attest.selections for pcr in entry.pcrs}
    values: dict[int, dict[int, bytes]] = {}
    for bank, pcr, value in raw.pcrs:
        if (bank, pcr) not in selected:
            continue
        if pcr in values.setdefault(bank, {}):
            msg = f"register {pcr} of bank {bank:#06x} appears twice"
            raise FormatError(msg)
        values[bank][pcr] = value
    return Quote(raw=raw, attest=attest, signature=Signature.decode(raw.signature), values=values)


def _key(
    evidence: TpmEvidence,
    collateral: TpmCollateral,
    runtime: RuntimeData | None,
    offered: tuple[Certificate, ...],
    want: TpmExpect,
) -> tuple[Public | None, bytes | None]:
    """The attestation key: of the paravisor's runtime data, of the evidence, or the one that collateral offers."""
    if runtime is not None:
        return None, keys.from_rsa(runtime.modulus, runtime.exponent)
    blob = evidence.attestation_key
    if blob:
        if blob[0] == _SEQUENCE:
            return None, blob
        public = Public.decode(blob)
        return public, keys.from_tpm(public)
    if collateral.keys:
        named = (key for key in collateral.keys if fingerprint(key) in want.attestation_keys)
        return None, next(named, collateral.keys[0])
    leaves = [entry for entry in offered if not entry.is_authority and not is_endorsement(entry)]
    return None, leaves[0].public_key if leaves else None


def _binding(key: bytes | None, offered: tuple[Certificate, ...], want: TpmExpect) -> Binding:
    """By a credential where the expectation has one; else by name where it names the key, or could have.

    Else by a certificate, of the key itself or of the endorsement key of its TPM.
    """
    if isinstance(want.credential, ActivatedCredential):
        return Binding.ENDORSEMENT
    if key is not None and fingerprint(key) in want.attestation_keys:
        return Binding.NAMED
    if any(entry.public_key == key for entry in offered):
        return Binding.CERTIFICATE
    if want.attestation_keys:
        return Binding.NAMED
    return Binding.ENDORSEMENT if any(map(is_endorsement, offered)) else Binding.CERTIFICATE


def _leaf(binding: Binding, key: bytes | None, offered: tuple[Certificate, ...], want: TpmExpect) -> Certificate | None:
    """The certificate that the chain begins with: of the key, or of the endorsement key that the credential names."""
    match binding:
        case Binding.CERTIFICATE:
            return next((entry for entry in offered if entry.public_key == key), None)
        case Binding.ENDORSEMENT:
            made = want.credential
            if isinstance(made, ActivatedCredential):
                wanted = (entry for entry in offered if fingerprint(entry.public_key) == made.endorsement_key)
                return next(wanted, None)
            return next(filter(is_endorsement, offered), None)
        case _:
            return None


def fingerprint(key: bytes) -> bytes:
    """SHA-256 over a SubjectPublicKeyInfo."""
    return hashlib.sha256(key).digest()
