"""Intel quotes as trees: header, body, and the signature data behind them."""

from typing import Final

from warily.errors import FormatError
from warily.formats import pem, tdx_quote
from warily.formats._cursor import Cursor
from warily.formats.sgx_report import SgxReport
from warily.formats.tdx_quote import BODIES, LIMIT, QE_REPORT_DATA, QuoteHeader, TdAttribute, Xfam
from warily.verify.comparing import bit_names
from warily.verify.inspect.certificates import pem_node
from warily.verify.inspect.node import Decoder, Node, layout_node, shown

_TECHNOLOGIES: Final = {tdx_quote.SGX: "SGX", tdx_quote.TDX: "TDX"}
DECODERS: Final[dict[str, Decoder]] = {
    "tee_type": lambda value: _TECHNOLOGIES.get(value, "unknown"),
    "attestation_key_type": lambda value: {2: "ECDSA P-256", 3: "ECDSA P-384"}.get(value, "unknown"),
    "qe_vendor_id": lambda value: "Intel" if value == tdx_quote.INTEL else "another vendor",
    "td_attributes": lambda value: " ".join(bit_names(value, TdAttribute)),
    "xfam": lambda value: " ".join(bit_names(value, Xfam)),
}


def is_quote(data: bytes) -> bool:
    """Whether it begins as a quote of a known version does."""
    known = int.from_bytes(data[:2], "little") in tdx_quote.VERSIONS
    return len(data) > QuoteHeader.SIZE and known and data[12:28] == tdx_quote.INTEL


def quote_node(data: bytes) -> Node:
    """A quote as far as it goes; what does not fit is noted."""
    reader = Cursor(data, what="quote")
    head = reader.take(QuoteHeader.SIZE, "header")
    parts = [layout_node(QuoteHeader, head, at=0, name="header", decoders=DECODERS)]
    note = ""
    try:
        parts += _rest(reader, version=int.from_bytes(head[:2], "little"), tee=int.from_bytes(head[4:8], "little"))
    except FormatError as error:
        note = f"malformed: {error}"
    return Node(name="Intel quote", offset=0, size=len(data), note=note, parts=tuple(parts))


def _rest(reader: Cursor, *, version: int, tee: int) -> list[Node]:
    """The body, the signature data, and what comes after."""
    parts = []
    kind = BODIES.get(tdx_quote.BodyKind.SGX if tee == tdx_quote.SGX else tdx_quote.BodyKind.TD10)
    if version not in (3, 4):
        number, size = reader.number(2, "body type"), reader.number(4, "body size")
        parts += [
            Node(name="body type", offset=reader.offset - 6, size=2, value=shown(number)),
            Node(name="body size", offset=reader.offset - 4, size=4, value=shown(size)),
        ]
        kind = BODIES.get(number)
    if kind is None:
        parts.append(Node(name="body", offset=reader.offset, note="of no known type"))
        return parts
    at = reader.offset
    parts.append(layout_node(kind, reader.take(kind.SIZE, "body"), at=at, name="body", decoders=DECODERS))
    length = reader.number(4, "signature data length")
    at = reader.offset
    data = reader.take(length, "signature data")
    parts.append(Node(name="signature data", offset=at, size=length, parts=_signature(data, at, version=version)))
    if reader.remaining:
        rest, at = reader.remaining, reader.offset
        parts.append(Node(name="rest", offset=at, size=rest, value=shown(reader.take(rest, "rest")), note="not signed"))
    return parts


def _signature(data: bytes, base: int, *, version: int) -> tuple[Node, ...]:
    reader = Cursor(data, what="signature data")
    parts = [_octets(reader, base, 64, "signature"), _octets(reader, base, 64, "attestation key")]
    if version != 3:  # noqa: PLR2004  # SGX quotes have no outer wrapping
        kind, size = reader.number(2, "type"), reader.number(4, "size")
        note = "" if kind == QE_REPORT_DATA else "6 is specified"
        value = f"type {kind}, {size} bytes"
        parts.append(Node(name="certification data", offset=base + reader.offset - 6, size=6, value=value, note=note))
    at = base + reader.offset
    parts.append(layout_node(SgxReport, reader.take(SgxReport.SIZE, "QE report"), at=at, name="QE report"))
    parts.append(_octets(reader, base, 64, "QE report signature"))
    parts.append(_octets(reader, base, reader.number(2, "QE authentication length"), "QE authentication data"))
    kind, size = reader.number(2, "type"), reader.number(4, "size")
    at = base + reader.offset
    inner = reader.take(min(size, LIMIT), "certification data")
    parts.append(_certification(kind, inner, at))
    return tuple(parts)


def _certification(kind: int, data: bytes, at: int) -> Node:
    name = f"certification data of type {kind}"
    text = data.rstrip(b"\x00")
    if pem.MARK not in text:
        return Node(name=name, offset=at, size=len(data), value=shown(data))
    try:
        return Node(name=name, offset=at, size=len(data), parts=(pem_node(text),))
    except FormatError as error:
        return Node(name=name, offset=at, size=len(data), note=f"malformed: {error}")


def _octets(reader: Cursor, base: int, count: int, name: str) -> Node:
    at = base + reader.offset
    return Node(name=name, offset=at, size=count, value=shown(reader.take(count, name)))
