"""Reports and conversations of devices, reference manifests, interface reports and OCSP answers as trees."""

from collections.abc import Iterator
from typing import Final

from warily.errors import FormatError
from warily.formats import nvidia_evidence, nvidia_report, ocsp, spdm, spdm_transcript, swid_rim, tdisp_report
from warily.formats._cursor import Cursor
from warily.formats.nvidia_report import Field, NvidiaReport
from warily.formats.ocsp import OcspResponse
from warily.formats.spdm import Code, MeasurementBlock, Measurements, ValueType
from warily.formats.spdm_transcript import Message
from warily.formats.swid_rim import SwidRim
from warily.formats.tdisp_report import InterfaceBit, InterfaceHead, InterfaceReport, MmioRange, RangeBit
from warily.verify.comparing import bit_names
from warily.verify.inspect.certificates import certificate_node
from warily.verify.inspect.node import Node, few, layout_node, shown

HEAD: Final = 4  # bytes of every message
_GPU_ONLY: Final = 32
_SWITCH_NAMES: Final = {22: "own PDI", 23: "disabled ports", 24: "position", 25: "lock", 26: "GPU PDIs", 27: "ports"}


def nvidia_node(data: bytes) -> Node:
    """A report as far as it goes."""
    try:
        report = NvidiaReport.decode(data)
    except FormatError as error:
        return Node(name="NVIDIA report", offset=0, size=len(data), note=f"malformed: {error}")
    size = nvidia_report.REQUEST_SIZE
    request = Node(
        name="request",
        offset=0,
        size=size,
        note="GET_MEASUREMENTS, SPDM 1.1",
        parts=(
            Node(name="nonce", offset=4, size=spdm.NONCE_SIZE, value=shown(report.request.nonce)),
            Node(name="slot", offset=size - 1, size=1, value=shown(report.request.slot)),
        ),
    )
    versions = _versions(report)
    return Node(
        name="NVIDIA report",
        offset=0,
        size=len(data),
        note=versions,
        parts=(request, _response(report.response, size, opaque=_opaque(report))),
    )


def _versions(report: NvidiaReport) -> str:
    try:
        driver, vbios = report.driver_version, report.vbios_version
    except FormatError as error:
        return f"malformed: {error}"
    return f"{'NVSwitch' if driver is None else f'GPU, driver {driver}'}, VBIOS {vbios}"


def _response(response: Measurements, base: int, *, opaque: tuple[Node, ...] = ()) -> Node:
    """The response, its record first; offsets follow from the lengths before."""
    at = base + 8
    blocks = []
    for block in response.blocks:
        size = 7 + len(block.value)
        blocks.append(_block(block, at, size))
        at += size
    parts = [
        Node(name="measurement record", offset=base + 8, size=at - base - 8, parts=few(blocks)),
        Node(name="responder nonce", offset=at, size=spdm.NONCE_SIZE, value=shown(response.nonce)),
        Node(name="opaque data", offset=at + spdm.NONCE_SIZE, size=2 + len(response.opaque), parts=opaque),
    ]
    at += spdm.NONCE_SIZE + 2 + len(response.opaque) + len(response.context)
    signature = Node(name="signature", offset=at, size=len(response.signature), value=shown(response.signature))
    return Node(
        name="response",
        offset=base,
        note=f"MEASUREMENTS, SPDM {response.version >> 4}.{response.version & 0xF}",
        parts=(*parts, signature),
    )


def _block(block: MeasurementBlock, at: int, size: int) -> Node:
    known = block.type in ValueType._value2member_map_
    kind = ValueType(block.type).name.lower().replace("_", " ") if known else f"type {block.type}"
    note = f"{kind}, {'as it is' if block.raw else 'a digest'}"
    return Node(name=f"measurement {block.index}", offset=at, size=size, value=shown(block.value), note=note)


def _opaque(report: NvidiaReport) -> tuple[Node, ...]:
    return few(
        Node(name=_field_name(kind, switch=report.is_switch), size=len(value), value=_field(value))
        for kind, value in report.fields.items()
    )


def _field_name(kind: int, *, switch: bool) -> str:
    if switch and kind in _SWITCH_NAMES:
        return _SWITCH_NAMES[kind]
    known = kind in Field._value2member_map_ and not (switch and kind >= _GPU_ONLY)
    return Field(kind).name.lower().replace("_", " ") if known else f"field {kind}"


def _field(value: bytes) -> str:
    text = value.rstrip(b"\x00")
    printable = len(text) > 2 and all(0x20 <= letter < 0x7F for letter in text)  # noqa: PLR2004  # a byte or two is a number
    return text.decode("ascii") if printable else shown(value)


def is_transcript(data: bytes) -> bool:
    """Whether it begins as a recorded conversation does."""
    return data[:5] == b"\x00\x04\x00\x00\x00" and data[6:7] == bytes([Code.GET_VERSION])


def transcript_node(data: bytes) -> Node:
    """A conversation, message by message, as far as it goes."""
    try:
        messages = spdm_transcript.decode_messages(data)
    except FormatError as error:
        return Node(name="SPDM conversation", offset=0, size=len(data), note=f"malformed: {error}")
    try:
        transcript = spdm_transcript.Transcript.decode(data)
        note, size = "", spdm.SIGNATURE_SIZES[transcript.algorithms.asym]
    except FormatError as error:
        note, size = f"incomplete: {error}", 0
    return Node(
        name="SPDM conversation", offset=0, size=len(data), note=note, parts=few(_messages(messages, signature=size))
    )


def _messages(messages: tuple[Message, ...], *, signature: int) -> Iterator[Node]:
    at = 0
    for message in messages:
        at += 5
        yield message_node(message.data, at=at, signature=signature)
        at += len(message.data)


def is_message(data: bytes) -> bool:
    """Whether it is one message of a known version and code, with nothing that tells another kind of file."""
    return HEAD <= len(data) <= spdm.MAX_MESSAGE and data[0] in spdm.VERSIONS and data[1] in Code._value2member_map_


def message_node(data: bytes, *, at: int = 0, signature: int = 0) -> Node:
    """One message; measurements are taken apart."""
    known = data[1] in Code._value2member_map_
    name = Code(data[1]).name if known else f"code {data[1]:#x}"
    note = f"SPDM {data[0] >> 4}.{data[0] & 0xF}"
    parts: tuple[Node, ...] = ()
    try:
        if data[1] == Code.MEASUREMENTS:
            parts = _response(Measurements.decode(data, signature_size=signature), at).parts
        elif data[1] == Code.CERTIFICATE:
            portion = spdm.CertificatePortion.decode(data)
            note += f", {len(portion.portion)} bytes of slot {portion.slot}, {portion.remainder} to come"
        elif data[1] == Code.ALGORITHMS:
            agreed = spdm.Algorithms.decode(data)
            names = [*bit_names(agreed.asym, spdm.BaseAsym), *bit_names(agreed.hash, spdm.BaseHash)]
            note += f", {' '.join(names)}"
    except FormatError as error:
        note += f"; malformed, or its parts cannot be told: {error}"
    return Node(name=name, offset=at, size=len(data), value="" if parts else shown(data), note=note, parts=parts)


def manifest_node(data: bytes) -> Node:
    """A reference manifest: whose, of what, by whom signed, and every measurement that it covers."""
    try:
        rim = SwidRim.decode(data)
    except FormatError as error:
        return Node(name="reference manifest", size=len(data), note=f"malformed: {error}")
    covered = [
        Node(name=f"measurement {entry.index}", value=" or ".join(value.hex() for value in entry.values)[:400])
        for entry in rim.active.values()
    ]
    signers = [certificate_node(der, at=None) for der in rim.certificates]
    return Node(
        name="reference manifest",
        size=len(data),
        note=f"{rim.product} {rim.version}, {rim.edition}",
        parts=(
            Node(name="product", value=rim.product),
            Node(name="version", value=rim.version),
            Node(name="tag", value=rim.tag_id),
            Node(name="covers", value=f"{len(covered)} of {len(rim.golden)} measurements", parts=few(covered)),
            Node(name="signed digest", value=rim.digest.hex()),
            Node(name="certificates", value=str(len(signers)), parts=tuple(signers)),
        ),
    )


def is_interface_report(data: bytes) -> bool:
    """Whether the fixed part of a TDISP report fits: small known bits, and ranges up to the end or beyond it."""
    if not InterfaceHead.SIZE + MmioRange.SIZE <= len(data) <= tdisp_report.LIMIT or data[2:4] != bytes(2):
        return False
    known = sum(int(bit) for bit in InterfaceBit)
    count = int.from_bytes(data[12:16], "little")
    flags = int.from_bytes(data[:2], "little")
    return 0 < flags <= known and count > 0 and (_whole(data) or count * MmioRange.SIZE > len(data))


def _whole(data: bytes) -> bool:
    try:
        InterfaceReport.decode(data)
    except FormatError:
        return False
    return True


def interface_node(data: bytes) -> Node:
    """A TDISP interface report, with what a guest should think about before it accepts the device."""
    reader = Cursor(data, what="TDISP report")
    head = reader.take(InterfaceHead.SIZE, "head")
    parts = [layout_node(InterfaceHead, head, at=0, name="head", decoders={"interface": _interface_words})]
    note = ""
    try:
        report = InterfaceReport.decode(data)
    except FormatError as error:
        return Node(name="TDISP report", offset=0, size=len(data), note=f"malformed: {error}", parts=tuple(parts))
    decoders = {"attributes": _range_words}
    for at, entry in enumerate(report.ranges[:64]):
        place = InterfaceHead.SIZE + at * MmioRange.SIZE
        parts.append(layout_node(MmioRange, entry.pack(), at=place, name=f"range {at}", decoders=decoders))
    parts.append(Node(name="device-specific", value=shown(report.device_specific)))
    said = concerns(report)
    note = "; ".join(said) if said else "nothing that a strict policy refuses"
    return Node(name="TDISP report", offset=0, size=len(data), note=note, parts=tuple(parts))


def concerns(report: InterfaceReport) -> list[str]:
    """What a strict guest refuses, or must do, in plain words."""
    bits = report.head.interface
    said = list(report.contradictions())
    if not bits & InterfaceBit.NO_UPDATE_AFTER_LOCK:
        said.append("refuse: the firmware may be changed after the device is locked")
    asking = [bit.name for bit in (InterfaceBit.ATS, InterfaceBit.PRS) if bits & bit]
    said += [f"refuse unless asked for: {name} lets the device ask for address translations" for name in asking]
    if any(entry.attributes & RangeBit.NOT_TEE for entry in report.ranges):
        said.append("map shared: a range is not private to the guest")
    if any(entry.attributes & RangeBit.UPDATABLE for entry in report.ranges):
        said.append("a range may change its kind while the device runs")
    return said


def _interface_words(value: object) -> str:
    return " ".join(bit_names(int(str(value)), InterfaceBit))


def _range_words(value: object) -> str:
    return " ".join(bit_names(int(str(value)), RangeBit))


def ocsp_node(data: bytes) -> Node:
    """An OCSP answer: what it says of each certificate, and until when."""
    try:
        answer = OcspResponse.decode(data)
    except FormatError as error:
        return Node(name="OCSP response", size=len(data), note=f"malformed: {error}")
    statuses = [
        Node(
            name=f"serial {status.serial:#x}",
            value=status.status.value + (f", {status.reason_name}" if status.reason is not None else ""),
            note=f"from {status.this_update:%Y-%m-%d %H:%M} until {status.next_update or 'not said'}",
        )
        for status in answer.statuses
    ]
    signers = [certificate_node(der, at=None) for der in answer.certificates]
    return Node(
        name="OCSP response",
        size=len(data),
        note=f"made at {answer.produced_at:%Y-%m-%d %H:%M:%S} UTC",
        parts=(*few(statuses), *signers),
    )


def evidence_node(data: bytes) -> Node:
    """The devices of a file of NVIDIA's tools, each with its report and its certificates."""
    try:
        entries = nvidia_evidence.decode(data)
    except FormatError as error:
        return Node(name="NVIDIA evidence", size=len(data), note=f"malformed: {error}")
    devices = [
        Node(
            name=f"device {at}",
            value=shown(entry.arch or ""),
            note="offsets are those of the report",
            parts=(nvidia_node(entry.report), *(certificate_node(der, at=None) for der in entry.certificates)),
        )
        for at, entry in enumerate(entries)
    ]
    return Node(name="NVIDIA evidence", size=len(data), value=f"{len(devices)} devices", parts=tuple(devices))


def is_evidence(data: bytes) -> bool:
    """Whether it is JSON of NVIDIA's tools: a list of devices, or one."""
    keys = (b'"evidence"', b'"certificate"', b'"arch"')
    return nvidia_evidence.is_list(data) or (data.lstrip()[:1] == b"{" and all(key in data for key in keys))


def certificates_node(data: bytes) -> Node:
    """Certificates in DER that stand one after the other, as SPDM devices keep them."""
    parts, at = [], 0
    for der in spdm.split_certificates(data):
        parts.append(certificate_node(der, at=at))
        at += len(der)
    return Node(name="certificates", offset=0, size=len(data), value=str(len(parts)), parts=tuple(parts))


def is_certificates(data: bytes) -> bool:
    """Whether it is several certificates in DER."""
    try:
        return data[:1] == b"\x30" and len(spdm.split_certificates(data)) > 1
    except FormatError:
        return False


IS_NVIDIA: Final = nvidia_report.looks_like
IS_MANIFEST: Final = swid_rim.looks_like
IS_OCSP: Final = ocsp.looks_like
