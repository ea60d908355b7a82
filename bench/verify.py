"""Appraisals a second on one core: SNP beside bare P-384 verification, TDX beside dcap_qvl, and other verifiers of SNP.

usage: python bench/verify.py [SLOTS]    (needs the vectors, see tests/conftest.py)

Reused: the library has seen the platform's certificates and the collateral before, as in a service that judges many
quotes, and the quoting enclave's word for the attestation key too, which a platform gives once; "new key" forgets that
each time. Cold: it has seen nothing but what it ships, the roots and Intel's few published certificates below one of
them; every byte of collateral is parsed and checked again.

Two works that are compared take turns, a few milliseconds each, and the ratio is the median over all turns: whatever
else the machine does then hits both. Time is the processor's, of this process. dcap_qvl is called as its users call it;
per call it checks all nine signatures below, and remembers nothing.
"""

import resource
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import dcap_qvl  # type: ignore[import-untyped]  # it ships no types
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, SHA384

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import verify_others
from tests.conftest import vectors_folder
from warily.core.evidence import Evidence
from warily.core.expect import Expect
from warily.verify import appraise, recognise
from warily.verify.snp.presets import BASELINE as SNP
from warily.verify.tdx import p256 as tdx_keys
from warily.verify.tdx.presets import BASELINE as TDX

QUOTE, BUNDLE = "tdx/v4_dcap-qvl/tdx_quote", "tdx/v4_dcap-qvl/tdx_quote_collateral.json"
REPORT, VCEK = "snp/genoa_v3_aci_microsoft/report.bin", "snp/genoa_v3_aci_microsoft/vcek.pem"
SUMMER, SPRING = datetime(2025, 7, 1, tzinfo=UTC), datetime(2026, 3, 15, tzinfo=UTC)
TURN = 0.004  # seconds of one work before it is the other's turn
MANY = 100_000
# Quote, quoting enclave's report, PCK certificate, its authority, TCB signing certificate, TCB info, QE identity, two
# revocation lists. Of Intel's authority and TCB signing certificate a cold appraisal knows that the root signed them.
THEIRS, OURS = 9, 7

Work = Callable[[], object]


def main() -> int:
    slots = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    folder = vectors_folder() / "evidence"
    quote, bundle, report, vcek = ((folder / name).read_bytes() for name in (QUOTE, BUNDLE, REPORT, VCEK))
    parsed, now = dcap_qvl.QuoteCollateralV3.from_json(bundle.decode()), int(SUMMER.timestamp())
    p384 = bare(ec.SECP384R1(), ec.ECDSA(SHA384()))
    p256 = bare(ec.SECP256R1(), ec.ECDSA(SHA256()))
    snp, tdx = reused(report, vcek, SNP, SPRING), reused(quote, bundle, TDX, SUMMER)
    tdx_cold = cold(quote, bundle, TDX, SUMMER)

    def dcap_in_json() -> object:
        return dcap_qvl.verify(quote, dcap_qvl.QuoteCollateralV3.from_json(bundle.decode()), now)

    compared("SNP, reused", snp, "bare P-384 verification", p384, 0.85, slots)
    compared("SNP, cold", cold(report, vcek, SNP, SPRING), "bare P-384 verification", p384, None, slots)
    compared("TDX, reused", tdx, "dcap_qvl", lambda: dcap_qvl.verify(quote, parsed, now), 2.0, slots)
    compared("TDX, reused, new key", new_key(tdx), "dcap_qvl", lambda: dcap_qvl.verify(quote, parsed, now), None, slots)
    compared("TDX, cold", tdx_cold, "dcap_qvl, collateral in JSON", dcap_in_json, 1.0, slots)
    for count in (THEIRS, OURS):
        bare_ones = partial(repeated, p256, count)
        compared(f"{count} bare P-256", bare_ones, "dcap_qvl, collateral in JSON", dcap_in_json, None, slots)
    for name, said in verify_others.ratios(folder / REPORT, folder / VCEK, SPRING, lambda: 1 / taken(snp, 1000)):
        print(f"{'SNP, reused':<28}{name:<30}{said}", flush=True)
    for name, work in (("SNP", snp), ("TDX", tdx)):
        before, after = resident(work)
        print(f"memory: {before} KiB before {MANY} {name} appraisals, {after} KiB after")
    return 0


def bare(curve: ec.EllipticCurve, algorithm: ec.ECDSA) -> Work:
    """One verification by the library that everything rests on."""
    key, message = ec.generate_private_key(curve), bytes(672)
    signature, public = key.sign(message, algorithm), key.public_key()
    return lambda: public.verify(signature, message, algorithm)


def judged(evidence: Evidence, blob: bytes, expect: Expect, at: datetime) -> None:
    assert appraise(evidence, recognise.collateral_for(evidence, [blob]), expect, at=at).accepted


def reused(evidence: bytes, blob: bytes, expect: Expect, at: datetime) -> Work:
    """The collateral was taken apart once; certificates and statements were seen before."""
    given = recognise.evidence_from(evidence)
    offered = recognise.collateral_for(given, [blob])
    assert appraise(given, offered, expect, at=at).accepted
    return lambda: appraise(given, offered, expect, at=at)


def new_key(work: Work) -> Work:
    """The same for a platform whose quoting enclave has just made a new attestation key."""

    def run() -> None:
        tdx_keys.report_verified.cache_clear()
        tdx_keys.raw_key.cache_clear()
        work()

    return run


def repeated(work: Work, count: int) -> None:
    for _ in range(count):
        work()


def cold(evidence: bytes, blob: bytes, expect: Expect, at: datetime) -> Work:
    """Nothing was seen before."""
    memory = memories()

    def run() -> None:
        for remembered in memory:
            remembered.cache_clear()
        judged(recognise.evidence_from(evidence), blob, expect, at)

    return run


def memories() -> list[Any]:
    """Whatever remembers something of evidence and collateral. What has room for one entry holds the project's data."""
    modules = [module for name, module in sys.modules.items() if name.startswith(("warily.verify", "warily.formats"))]
    found = {id(value): value for module in modules for value in vars(module).values() if hasattr(value, "cache_clear")}
    return [
        value
        for value in found.values()
        if value.cache_parameters()["maxsize"] != 1 and value.__name__ != "_dotted"  # an OID as text is nobody's
    ]


def compared(name: str, ours: Work, other: str, theirs: Work, wanted: float | None, slots: int) -> None:
    """Print both rates and the ratio."""
    counts = [max(1, round(TURN / once(work))) for work in (ours, theirs)]
    turns = [[taken(work, count) for work, count in zip((ours, theirs), counts, strict=True)] for _ in range(slots)]
    mine, other_one = (statistics.median(turn[at] for turn in turns) for at in (0, 1))
    ratio = statistics.median(theirs_took / ours_took for ours_took, theirs_took in turns)
    said = "" if wanted is None else f"    wanted {wanted}"
    print(f"{name:<28}{other:<30}{1 / mine:7.0f}/s {1 / other_one:6.0f}/s {ratio:5.2f}{said}", flush=True)


def once(work: Work) -> float:
    """How long it takes about, in seconds."""
    taken(work, 3)
    return min(taken(work, 1) for _ in range(5))


def taken(work: Work, count: int) -> float:
    """Seconds for one."""
    started = time.process_time()
    for _ in range(count):
        work()
    return (time.process_time() - started) / count


def resident(work: Work) -> tuple[int, int]:
    """The largest memory of the process, in KiB, before and after many appraisals."""
    for _ in range(1000):
        work()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(MANY):
        work()
    return before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    sys.exit(main())
