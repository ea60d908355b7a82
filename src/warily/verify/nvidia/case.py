"""One device's report, its certificates, and the manifests that may be about it. Nothing is trusted here."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from warily.core.collateral import NvidiaCollateral
from warily.core.evidence import NvidiaDevice, NvidiaEvidence
from warily.errors import FormatError
from warily.formats import dice
from warily.formats.dice import Firmware
from warily.formats.nvidia_report import NvidiaReport
from warily.formats.ocsp import OcspResponse
from warily.formats.swid_rim import SwidRim
from warily.formats.x509 import Certificate, RevocationList
from warily.verify import x509
from warily.verify.nvidia import chain
from warily.verify.nvidia.chain import Anchor
from warily.verify.revocation import Statements


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A reference manifest and the path from its signer upwards; the path is empty where it names no signer."""

    rim: SwidRim
    path: tuple[Certificate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One device and everything its checks look at. `path` begins with the leaf; it is empty where there is none.

    `alike` counts the devices of the evidence whose leaf has the same key, this one included, and `count` all.
    """

    device: NvidiaDevice = field(repr=False)
    report: NvidiaReport
    label: str
    offered: tuple[Certificate, ...]
    path: tuple[Certificate, ...]
    said: Statements
    manifests: tuple[Manifest, ...]
    rehearsal_roots: frozenset[bytes]
    certificate_hold: bool
    at: datetime
    alike: int = 1
    count: int = 1

    @property
    def leaf(self) -> Certificate:
        """The certificate of the device. Only for checks after the one that finds it."""
        return self.path[0]

    @property
    def anchor(self) -> Anchor | None:
        """The trust anchor at the top of the device's path."""
        return chain.anchor_of(self.path[-1], chain.DEVICE_ROOT, self.rehearsal_roots) if self.path else None

    @property
    def model(self) -> str:
        """The chip, by the leaf."""
        return chain.model_of(self.leaf)

    @property
    def firmware(self) -> Firmware | None:
        """What the leaf says of the firmware that its key belongs to."""
        return dice.firmware_of(self.leaf.extensions)

    @property
    def key_digest(self) -> bytes:
        """SHA-256 of the SubjectPublicKeyInfo of the leaf: which device, and which firmware, this is."""
        return hashlib.sha256(self.leaf.public_key).digest()


def pick(
    evidence: NvidiaEvidence,
    collateral: NvidiaCollateral,
    *,
    rehearsal_roots: frozenset[bytes],
    certificate_hold: bool,
    at: datetime,
) -> Iterator[Case]:
    """The case of every device, in order. Raises `FormatError` for anything malformed."""
    said = Statements(
        answers=tuple(OcspResponse.decode(der) for der in collateral.answers),
        lists=tuple(RevocationList.decode(der) for der in collateral.crls),
    )
    manifests = tuple(_manifest(data) for data in collateral.manifests)
    beside = tuple(x509.decoded(der) for der in collateral.certificates)
    reports = [NvidiaReport.decode(device.report) for device in evidence.devices]
    paths = []
    for device, report in zip(evidence.devices, reports, strict=True):
        own = tuple(x509.decoded(der) for der in device.certificates)
        paths.append(((*own, *beside), _path(report, (*own, *beside))))
    keys = [path[0].public_key if path else b"" for _, path in paths]
    labels = _labels(reports)
    for device, report, (offered, path), label in zip(evidence.devices, reports, paths, labels, strict=True):
        yield Case(
            device=device,
            report=report,
            label=label,
            offered=offered,
            path=path,
            said=said,
            manifests=manifests,
            rehearsal_roots=rehearsal_roots,
            certificate_hold=certificate_hold,
            at=at,
            alike=keys.count(path[0].public_key) if path else 1,
            count=len(reports),
        )


def _path(report: NvidiaReport, offered: Sequence[Certificate]) -> tuple[Certificate, ...]:
    leaf = chain.leaf_for(report.signed, report.response.signature, offered)
    return () if leaf is None else chain.climb(leaf, offered, chain.DEVICE_ROOT)


def _labels(reports: Sequence[NvidiaReport]) -> list[str]:
    """`GPU-0`, `GPU-1`, `SWITCH-0` and so on, each kind counted on its own."""
    counts = {"GPU": 0, "SWITCH": 0}
    labels = []
    for report in reports:
        kind = "SWITCH" if report.is_switch else "GPU"
        labels.append(f"{kind}-{counts[kind]}")
        counts[kind] += 1
    return labels


@lru_cache(maxsize=64)  # a fleet is judged by the same few manifests
def _manifest(data: bytes) -> Manifest:
    rim = SwidRim.decode(data)
    held = tuple(x509.decoded(der) for der in rim.certificates)
    signers = [entry for entry in held if not entry.is_authority]
    if len(signers) > 1:
        msg = "reference manifest: certificates of several signers"
        raise FormatError(msg)
    return Manifest(rim=rim, path=chain.climb(signers[0], held, chain.MANIFEST_ROOT) if signers else ())
