"""Genuine evidence of the vectors, and which of its bytes a signature covers: for changing one bit at a time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from warily.core.collateral import Collateral
from warily.core.evidence import Evidence, NitroEvidence, NvidiaEvidence, SnpEvidence, TdxEvidence, TpmEvidence
from warily.errors import FormatError
from warily.formats.cose_sign1 import CoseSign1
from warily.formats.nvidia_report import NvidiaReport
from warily.formats.snp_report import SIGNED_SIZE
from warily.formats.tdx_quote import Quote
from warily.verify import appraise, recognise
from warily.verify.presets import preset


@dataclass(frozen=True, slots=True)
class Genuine:
    """Evidence that is accepted as genuine at a time; `data` is what holds the signed ranges, half-open."""

    name: str
    data: bytes
    ranges: tuple[tuple[int, int], ...]
    evidence: Evidence
    offered: Collateral
    at: datetime
    put: Callable[[bytes], Evidence]

    @property
    def bits(self) -> list[int]:
        """The numbers of all signed bits: bit 0 is the least significant one of the first byte."""
        return [bit for start, end in self.ranges for bit in range(8 * start, 8 * end)]

    def accepts(self, data: bytes) -> bool:
        """Whether the evidence is accepted with `data` in the place of its own."""
        try:
            changed = self.put(data)
            return appraise(changed, self.offered, preset("genuine", self.evidence), at=self.at).accepted
        except FormatError:
            return False

    def accepted_with(self, bits: list[int]) -> list[int]:
        """Those of the bits that can change without anybody noticing."""
        found = []
        for bit in bits:
            changed = bytearray(self.data)
            changed[bit >> 3] ^= 1 << (bit & 7)
            if self.accepts(bytes(changed)):
                found.append(bit)
        return found


_SDK = "attestation-sdk/gpu"
# Evidence, collateral, time: one for each format, version and vendor. CASES.tsv and MANIFEST.tsv say where it is from.
FILES = (
    ("snp/milan_v2_go-sev-guest/report.bin", ("snp/milan_v2_go-sev-guest/vcek.der",), "2026-03-15"),
    ("snp/milan_v2_virtee/report.hex", ("snp/milan_v2_virtee/vcek.der",), "2026-03-15"),
    ("snp/milan_v2_trustee/report.bin", ("snp/milan_v2_trustee/vcek.der",), "2026-03-15"),
    ("snp/milan_v3_vlek_aws_trustee/report.bin", ("snp/milan_v3_vlek_aws_trustee/vlek.der",), "2025-01-15"),
    ("snp/milan_v3_aci_microsoft/report.bin", ("snp/milan_v3_aci_microsoft/vcek.pem",), "2026-03-15"),
    ("snp/genoa_v3_aci_microsoft/report.bin", ("snp/genoa_v3_aci_microsoft/vcek.pem",), "2026-03-15"),
    ("snp/turin_v5_aci_microsoft/report.bin", ("snp/turin_v5_aci_microsoft/vcek.pem",), "2026-03-15"),
    ("tdx/v4_dcap-qvl/tdx_quote", ("tdx/v4_dcap-qvl/tdx_quote_collateral.json",), "2025-07-01"),
    ("tdx/v5_go-tdx-guest/quote_v5_sample.dat", ("tdx/v5_go-tdx-guest/collateral_90c06f_2026-02.json",), "2026-03-01"),
    ("tdx/sgx_v3_dcap-qvl/sgx_quote", ("tdx/sgx_v3_dcap-qvl/sgx_quote_collateral.json",), "2025-07-01"),
    ("azure_snp_vtpm/trustee/evidence-v1.json", (), "2026-03-15"),
    ("nitro/nsm-qvl/nitro_attestation.bin", (), ""),
    (f"nvidia/{_SDK}/hopperAttestationReport.txt", (f"nvidia/{_SDK}/hopperCertChain.txt",), "2026-03-15"),
    (f"nvidia/{_SDK}/blackwellAttestationReport.txt", (f"nvidia/{_SDK}/blackwellCertChain.txt",), "2026-03-15"),
)


def genuine(vectors: Path) -> Iterator[Genuine]:
    """Each of the files, taken apart."""
    for name, collateral, date in FILES:
        yield one(vectors, name, collateral, date)


def one(vectors: Path, name: str, collateral: tuple[str, ...], date: str) -> Genuine:
    """One of the files, taken apart."""
    folder = vectors / "evidence"
    evidence = recognise.evidence_from((folder / name).read_bytes())
    offered = recognise.collateral_for(evidence, [(folder / other).read_bytes() for other in collateral])
    data, ranges, put = _signed(evidence)
    at = datetime.fromisoformat(date).replace(tzinfo=UTC) if date else _issued(data)
    return Genuine(name, data, ranges, evidence, offered, at, put)


def _issued(document: bytes) -> datetime:
    """When a Nitro document was made, by its own word: its certificate lives for hours."""
    from warily.formats.nitro import decode_message

    return datetime.fromtimestamp(decode_message(document)[1].timestamp / 1000, tz=UTC)


def _signed(evidence: Evidence) -> tuple[bytes, tuple[tuple[int, int], ...], Callable[[bytes], Evidence]]:
    match evidence:
        case SnpEvidence():
            return evidence.report, ((0, SIGNED_SIZE),), lambda data: replace(evidence, report=data)
        case TdxEvidence():
            return evidence.quote, _quote_ranges(evidence.quote), lambda data: replace(evidence, quote=data)
        case TpmEvidence():
            quote = evidence.quotes[0]
            return quote.message, ((0, len(quote.message)),), partial(_with_message, evidence)
        case NitroEvidence():
            payload = CoseSign1.decode(evidence.document, what="Nitro document").payload
            at = evidence.document.index(payload)
            return evidence.document, ((at, at + len(payload)),), lambda data: replace(evidence, document=data)
        case NvidiaEvidence():
            report = evidence.devices[0].report
            return report, ((0, len(NvidiaReport.decode(report).signed)),), partial(_with_report, evidence)
        case _:
            raise NotImplementedError


def _quote_ranges(data: bytes) -> tuple[tuple[int, int], ...]:
    """Header and body, which the attestation key signs; that key and the enclave's report, which Intel's key does."""
    quote = Quote.decode(data)
    parts = (quote.attestation_key, quote.qe_report.pack())
    places = [data.index(part) for part in parts]
    return (
        (0, len(quote.signed)),
        *((at, at + len(part)) for at, part in zip(places, parts, strict=True)),
    )


def _with_message(evidence: TpmEvidence, message: bytes) -> TpmEvidence:
    first, *others = evidence.quotes
    return replace(evidence, quotes=(replace(first, message=message), *others))


def _with_report(evidence: NvidiaEvidence, report: bytes) -> NvidiaEvidence:
    first, *others = evidence.devices
    return replace(evidence, devices=(replace(first, report=report), *others))
