"""What NVIDIA's services have for reports of GPUs and switches: reference manifests, and words on revocation.

Names of manifests: RIM Service API, "RIM ID Naming Convention". From Blackwell on, the manifest of a driver has `CC` in
its name and the chip that the report itself names; the older name finds one that is signed and of another chip, so that
what comes is compared with the report.
"""

import string
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final
from urllib.parse import quote

from cryptography import x509 as pyca
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as pyca_ocsp

from warily.core.evidence import NvidiaEvidence
from warily.core.finding import Outcome
from warily.errors import FormatError
from warily.fetch.request import A_DAY, A_MONTH, Address, Answer, Piece, Plan, Request
from warily.formats import ocsp, swid_rim
from warily.formats._json import JsonObject
from warily.formats.nvidia_report import Field, NvidiaReport
from warily.formats.ocsp import OcspResponse
from warily.formats.swid_rim import SwidRim
from warily.formats.x509 import Certificate
from warily.verify import certificate_path, x509
from warily.verify.nvidia import chain
from warily.verify.revocation import Statements, not_revoked

SERVICE: Final = "rim"
RESPONDER: Final = "ocsp"
LIMIT: Final = 4 << 20
MAX_CERTIFICATES: Final = 64
_HOPPER: Final = "GH1"
_NO_CHAIN: Final = "the certificate chain of an NVIDIA device comes from the device itself, and not from a service"
_NAMELESS: Final = "the report of an NVIDIA device lacks the fields that name its manifests"


def plan_devices(evidence: NvidiaEvidence, at_hand: Sequence[bytes]) -> Plan:
    """Manifests of every device, and a word on each authority above the devices and the signers of manifests.

    `at_hand` are certificates (DER), those inside manifests included. Raises `FormatError` for a malformed report.
    """
    requests: list[Request] = []
    unavailable: list[str] = []
    beside = [x509.decoded(der) for der in at_hand[:MAX_CERTIFICATES]]
    for device in evidence.devices:
        report = NvidiaReport.decode(device.report)
        offered = [*map(x509.decoded, device.certificates[:MAX_CERTIFICATES]), *beside]
        leaf = chain.leaf_for(report.signed, report.response.signature, offered)
        names = list(_manifests(report, leaf))
        requests += [_manifest(name, version, chain.model_of(leaf) if leaf else "") for name, version in names]
        requests += _revocation([one for one in offered if one is not leaf])
        unavailable += [] if leaf else [_NO_CHAIN]
        unavailable += [] if names else [_NAMELESS]
    came = tuple(der for device in evidence.devices for der in device.certificates)
    return Plan(requests=tuple(requests), unavailable=tuple(dict.fromkeys(unavailable)), came=came)


def _manifests(report: NvidiaReport, leaf: Certificate | None) -> Iterator[tuple[str, str]]:
    """The name and the version of each manifest that is about the device."""
    model = chain.model_of(leaf) if leaf else ""
    chip = report.fields.get(Field.CHIP_INFO, b"").rstrip(b"\x00").decode("ascii", "replace") or model
    driver = report.driver_version
    if driver and chip:
        kind = "NV_GPU_DRIVER" if chain.family_of(model or chip) == _HOPPER else "NV_GPU_CC_DRIVER"
        yield f"{kind}_{chip}_{driver}", driver
    if report.vbios_manifest:
        yield report.vbios_manifest.upper(), report.vbios_version or ""


def _manifest(name: str, version: str, model: str) -> Request:
    return Request(
        name=_file(name),
        what=f"the reference manifest {name}",
        addresses=(Address(service=SERVICE, path=f"/v1/rim/{quote(name, safe='')}"),),
        limit=LIMIT,
        keeps=A_MONTH,
        accept=partial(_accept_manifest, _file(name), version, model),
    )


def _file(name: str) -> str:
    """A plain file name of a manifest's name, which the report chose."""
    plain = string.ascii_lowercase + string.digits + "."
    kept = "".join(letter if letter in plain else "-" for letter in name.lower())
    return f"nvidia-{kept[:96]}.xml"


def _accept_manifest(name: str, version: str, model: str, answer: Answer) -> tuple[Piece, ...]:
    text = answer.body
    if not swid_rim.looks_like(text):
        text = swid_rim.from_service(JsonObject.parse(text, what="answer", limit=LIMIT))
    rim = SwidRim.decode(text)
    wanted, found = (model, version.upper()), (rim.product, rim.version.upper())
    if found[1] != wanted[1] or (model and chain.family_of(rim.product) != chain.family_of(model)):
        msg = f"a manifest for {' '.join(wanted)} was asked for; what came is for {' '.join(found)}"
        raise FormatError(msg)
    return (Piece(name=name, data=text),)


def _revocation(offered: Sequence[Certificate]) -> list[Request]:
    """A request for each certificate whose issuer is at hand, but for roots and for leaves of devices.

    A leaf is made by the device itself: the responder does not know it.
    """
    authorities = [*offered, chain.pinned(chain.DEVICE_ROOT), chain.pinned(chain.MANIFEST_ROOT)]
    found: dict[str, Request] = {}
    for child in offered:
        issuer = next((one for one in authorities if certificate_path.signs(one, child)), None)
        body = _ocsp_request(child, issuer) if issuer and not certificate_path.is_self_issued(child) else None
        if issuer is not None and body is not None:
            one = _status(child, issuer, body)
            found[one.name] = one
    return list(found.values())


def _status(child: Certificate, issuer: Certificate, body: bytes) -> Request:
    name = f"nvidia-ocsp-{x509.fingerprint(child).hex()[:32]}.der"
    return Request(
        name=name,
        what=f"whether {child.name} is revoked",
        addresses=(Address(service=RESPONDER, path="/", body=body, media_type="application/ocsp-request"),),
        limit=ocsp.LIMIT,
        keeps=A_DAY,
        accept=partial(_accept_status, name, child, issuer),
    )


def _ocsp_request(child: Certificate, issuer: Certificate) -> bytes | None:
    """A request without nonce (RFC 6960, section 4.1): the answer is kept, and its own dates say how long it holds.

    None for a certificate that no responder could be asked about.
    """
    try:
        asked, above = (pyca.load_der_x509_certificate(one.raw) for one in (child, issuer))
        made = pyca_ocsp.OCSPRequestBuilder().add_certificate(asked, above, SHA384()).build()
    except ValueError:
        return None
    return made.public_bytes(Encoding.DER)


def _accept_status(name: str, child: Certificate, issuer: Certificate, answer: Answer) -> tuple[Piece, ...]:
    response = OcspResponse.decode(answer.body)
    if child.serial not in {status.serial for status in response.statuses}:
        msg = f"the status of serial {child.serial:#x} was asked for, and another came"
        raise FormatError(msg)
    said = Statements(answers=(response,), lists=())
    judged = not_revoked("nvidia.revoked", (child, issuer), said, allow_hold=True, at=answer.fetched)
    if judged.outcome is Outcome.FAIL and judged.found == "another signature":
        msg = f"the status of {child.name} is signed by nobody whom {issuer.name} names"
        raise FormatError(msg)
    return (Piece(name=name, data=answer.body),)
