"""Appraisals a second: SNP beside a bare P-384 verification, TDX beside dcap_qvl, in one run on one core.

usage: python bench/verify.py [ROUNDS]    (needs the vectors, see tests/conftest.py)

Reused: the library has seen the platform's certificates and the collateral before, as in a service that judges many
quotes. Cold: it has seen nothing but its own pinned roots; every byte of collateral is parsed and checked again.
"""

import os
import resource
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import dcap_qvl  # type: ignore[import-untyped]  # it ships no types
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, SHA384

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.conftest import vectors_folder
from warily.core.evidence import Evidence
from warily.core.expect import Expect
from warily.verify import appraise, recognise, x509
from warily.verify.snp.leaf import read_leaf
from warily.verify.snp.presets import BASELINE as SNP
from warily.verify.tdx import case, p256
from warily.verify.tdx.presets import BASELINE as TDX

QUOTE, BUNDLE = "tdx/v4_dcap-qvl/tdx_quote", "tdx/v4_dcap-qvl/tdx_quote_collateral.json"
REPORT, VCEK = "snp/genoa_v3_aci_microsoft/report.bin", "snp/genoa_v3_aci_microsoft/vcek.pem"
SUMMER, SPRING = datetime(2025, 7, 1, tzinfo=UTC), datetime(2026, 3, 15, tzinfo=UTC)
# Everything that remembers certificates, lists, statements and answers about them.
MEMORY = (
    x509.decoded,
    x509.p384_key,
    x509._pss_verified,  # noqa: SLF001  # to forget, which nothing else needs
    read_leaf,
    p256.certified_key,
    p256.raw_key,
    p256.statement_verified,
    p256._certificate_verified,  # noqa: SLF001  # likewise
    p256._list_verified,  # noqa: SLF001  # likewise
    case._tcb_info,  # noqa: SLF001  # likewise
    case._qe_identity,  # noqa: SLF001  # likewise
    case._list,  # noqa: SLF001  # likewise
    case._brought,  # noqa: SLF001  # likewise
    case._decoded,  # noqa: SLF001  # likewise
)
MANY = 100_000


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    folder = vectors_folder() / "evidence"
    quote, bundle, report, vcek = ((folder / name).read_bytes() for name in (QUOTE, BUNDLE, REPORT, VCEK))
    parsed, now = dcap_qvl.QuoteCollateralV3.from_json(bundle.decode()), int(SUMMER.timestamp())
    rates = compared(
        {
            "P-384 verification": bare(ec.SECP384R1(), ec.ECDSA(SHA384())),
            "P-256 verification": bare(ec.SECP256R1(), ec.ECDSA(SHA256())),
            "SNP, reused": reused(report, vcek, SNP, SPRING),
            "SNP, cold": cold(report, vcek, SNP, SPRING),
            "TDX, reused": reused(quote, bundle, TDX, SUMMER),
            "TDX, cold": cold(quote, bundle, TDX, SUMMER),
            "dcap_qvl, collateral parsed": lambda: dcap_qvl.verify(quote, parsed, now),
            "dcap_qvl, collateral in JSON": lambda: dcap_qvl.verify(
                quote, dcap_qvl.QuoteCollateralV3.from_json(bundle.decode()), now
            ),
        },
        rounds,
    )
    for name, rate in rates.items():
        print(f"{name:<30}{rate:8.0f}/s")
    for ours, theirs, wanted in (
        ("SNP, reused", "P-384 verification", 0.85),
        ("TDX, reused", "dcap_qvl, collateral parsed", 2.0),
        ("TDX, cold", "dcap_qvl, collateral in JSON", 1.0),
    ):
        print(f"{ours} / {theirs:<32}{rates[ours] / rates[theirs]:6.2f}    wanted {wanted}")
    print(f"memory over {MANY} TDX appraisals: {growth(reused(quote, bundle, TDX, SUMMER))} KiB more")
    print(f"{os.cpu_count()} processors, best of {rounds}")
    return 0


def bare(curve: ec.EllipticCurve, algorithm: ec.ECDSA) -> Callable[[], object]:
    """One verification by the library that everything rests on."""
    key, message = ec.generate_private_key(curve), bytes(672)
    signature, public = key.sign(message, algorithm), key.public_key()
    return lambda: public.verify(signature, message, algorithm)


def judged(evidence: Evidence, blob: bytes, expect: Expect, at: datetime) -> None:
    assert appraise(evidence, recognise.collateral_for(evidence, [blob]), expect, at=at).accepted


def reused(evidence: bytes, blob: bytes, expect: Expect, at: datetime) -> Callable[[], object]:
    """The collateral was taken apart once; certificates and statements were seen before."""
    given = recognise.evidence_from(evidence)
    offered = recognise.collateral_for(given, [blob])
    return lambda: appraise(given, offered, expect, at=at)


def cold(evidence: bytes, blob: bytes, expect: Expect, at: datetime) -> Callable[[], object]:
    """Nothing was seen before."""

    def run() -> None:
        for memory in MEMORY:
            memory.cache_clear()
        judged(recognise.evidence_from(evidence), blob, expect, at)

    return run


def compared(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The best rate of each; in turn, so that whatever else the machine does hits all."""
    best = dict.fromkeys(works, 0.0)
    for _ in range(rounds):
        for name, work in works.items():
            work()
            count, started = 0, time.process_time()
            while (took := time.process_time() - started) < 0.25:
                work()
                count += 1
            best[name] = max(best[name], count / took)
    return best


def growth(work: Callable[[], object]) -> int:
    """How much more memory the process has had at most, after many appraisals, in KiB."""
    work()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(MANY):
        work()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before


if __name__ == "__main__":
    sys.exit(main())
