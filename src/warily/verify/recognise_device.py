"""Evidence of devices (NVIDIA GPUs and switches, SPDM conversations) and what belongs to it, out of known files."""

from collections.abc import Iterable
from typing import Final

from warily.core.collateral import NvidiaCollateral, SpdmCollateral
from warily.core.evidence import NvidiaDevice, NvidiaEvidence, SpdmEvidence
from warily.errors import FormatError, UsageError
from warily.formats import nvidia_evidence, nvidia_report, ocsp, spdm, swid_rim, tdisp_report
from warily.formats._json import JsonObject
from warily.formats.spdm_transcript import Transcript

_TRANSCRIPT: Final = b"\x00\x04\x00\x00\x00\x10\x84"  # a request of four bytes, GET_VERSION 1.0


def is_report(data: bytes) -> bool:
    """Whether the bytes begin as the report of an NVIDIA device does."""
    return nvidia_report.looks_like(data)


def is_transcript(data: bytes) -> bool:
    """Whether the bytes begin as a recorded SPDM conversation does."""
    return data.startswith(_TRANSCRIPT)


def is_certificates(data: bytes) -> bool:
    """Whether the bytes are several certificates in DER, one after the other."""
    if not data.startswith(b"\x30") or len(data) > spdm.MAX_CHAIN:
        return False
    try:
        return len(spdm.split_certificates(data)) > 1
    except FormatError:
        return False


def from_report(data: bytes) -> NvidiaEvidence:
    """The evidence that a bare report is; its certificates come beside it."""
    return NvidiaEvidence(devices=(NvidiaDevice(report=data),))


def from_json(data: bytes) -> NvidiaEvidence:
    """The devices of a file of NVIDIA's tools. Raises `FormatError`."""
    return NvidiaEvidence(
        devices=tuple(
            NvidiaDevice(
                report=entry.report,
                certificates=entry.certificates,
                nonce=entry.nonce,
                arch=entry.arch,
                driver_version=entry.driver_version,
                vbios_version=entry.vbios_version,
            )
            for entry in nvidia_evidence.decode(data)
        )
    )


def from_transcript(data: bytes) -> SpdmEvidence:
    """The conversation, which must be whole. Raises `FormatError`."""
    Transcript.decode(data)
    return SpdmEvidence(transcript=data)


def manifests_in(blobs: Iterable[bytes]) -> tuple[bytes, ...]:
    """The reference manifests among files: XML as it is, or inside an answer of NVIDIA's service (JSON)."""
    found = []
    for blob in blobs:
        if swid_rim.looks_like(blob):
            found.append(blob)
        elif is_manifest_answer(blob):
            top = JsonObject.parse(blob, what="reference manifest", limit=1 << 22)
            found.append(swid_rim.from_service(top))
    return tuple(found)


def is_manifest_answer(data: bytes) -> bool:
    """Whether it is JSON of NVIDIA's service of manifests, by its beginning and its keys."""
    return data.lstrip()[:1] == b"{" and b'"rim"' in data and b'"id"' in data and len(data) <= 1 << 22


def nvidia_collateral(pieces: Iterable[tuple[bytes, bool]], blobs: Iterable[bytes]) -> NvidiaCollateral:
    """Certificates and lists already taken out of files, given with whether each is a list, and all other files."""
    files, found = tuple(blobs), tuple(pieces)
    return NvidiaCollateral(
        certificates=tuple(der for der, is_list in found if not is_list),
        crls=tuple(der for der, is_list in found if is_list),
        manifests=manifests_in(files),
        answers=tuple(blob for blob in files if ocsp.looks_like(blob)),
    )


def spdm_collateral(pieces: Iterable[tuple[bytes, bool]], blobs: Iterable[bytes]) -> SpdmCollateral:
    """The same for an SPDM conversation, which has no manifests."""
    found = nvidia_collateral(pieces, blobs)
    return SpdmCollateral(certificates=found.certificates, crls=found.crls, answers=found.answers)


def refuse_alone(data: bytes) -> None:
    """Raises `UsageError` for what belongs to evidence and is none."""
    if is_interface_report(data):
        msg = "a TDISP interface report alone proves nothing: the SPDM session that brought it is missing"
        raise UsageError(msg, hint="`warily inspect` shows what it says")
    if data[:1] in (b"\x12", b"\x13", b"\x14") and data[1:2] in (b"\xe0", b"\x60"):
        msg = "SPDM measurements of version 1.2 or later alone prove nothing: the messages before them are signed too"
        raise UsageError(msg, hint="record the conversation from GET_VERSION on")


def is_interface_report(data: bytes) -> bool:
    """Whether the bytes are exactly one TDISP interface report with at least one range."""
    if len(data) < tdisp_report.InterfaceHead.SIZE + tdisp_report.MmioRange.SIZE:
        return False
    try:
        return bool(tdisp_report.InterfaceReport.decode(data).ranges)
    except FormatError:
        return False
