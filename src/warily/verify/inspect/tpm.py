"""Structures of a TPM as trees: TPMS_ATTEST, TPMT_SIGNATURE, TPMT_PUBLIC, and the report of Azure's paravisor."""

from collections.abc import Callable
from typing import Final

from warily.core.registers import HASHES
from warily.errors import FormatError
from warily.formats._cursor import Cursor
from warily.formats.hcl_report import HARDWARE_SIZE, LIMIT, MAGIC, TDREPORT_SIZE, Header, ReportType, RuntimeHeader
from warily.formats.tpm import CURVES, Algorithm, Attest, Attribute, Public, Signature
from warily.verify.comparing import bit_names
from warily.verify.inspect.node import Decoder, Node, layout_node, shown
from warily.verify.inspect.text import json_node

HARDWARE_AT: Final = Header.SIZE
_SIZED: Final = 2  # bytes of the size before a TPM2B
_CLOCK: Final = (("clock", 8), ("reset count", 4), ("restart count", 4), ("safe", 1))
_TYPES: Final[dict[str, Decoder]] = {
    "report_type": lambda value: {ReportType.SNP: "SEV-SNP", ReportType.TDX: "TDX"}.get(value, "unknown"),
    "hash_type": lambda value: {1: "SHA-256", 2: "SHA-384", 3: "SHA-512"}.get(value, "unknown"),
}


def is_attest(data: bytes) -> bool:
    """Whether the bytes are a quote, with or without the size before it."""
    return _fits(Attest.decode, _unsized(data))


def is_signature(data: bytes) -> bool:
    """Whether the bytes are a TPMT_SIGNATURE of a known scheme."""
    return _fits(Signature.decode, data)


def is_public(data: bytes) -> bool:
    """Whether the bytes are a TPMT_PUBLIC, with or without the size before it."""
    return _fits(Public.decode, data)


def is_hcl(data: bytes) -> bool:
    """Whether the bytes begin as the paravisor's report does."""
    return data.startswith(MAGIC)


def attest_node(data: bytes) -> Node:
    """A quote: what was signed, over which registers. Raises `FormatError`."""
    raw = _unsized(data)
    base = len(data) - len(raw)
    attest = Attest.decode(raw)
    reader = _Reader(raw, base, "TPMS_ATTEST")
    parts = [
        reader.fixed("magic", 4, "TPM_GENERATED_VALUE"),
        reader.fixed("type", 2, "TPM_ST_ATTEST_QUOTE"),
        reader.counted("qualified signer"),
        reader.counted("extra data", "the challenge"),
        *(reader.number(name, size) for name, size in _CLOCK),
        reader.number("firmware version", 8),
    ]
    start = reader.at
    size = 4 + sum(3 + entry.width for entry in attest.selections)
    banks = tuple(
        Node(name=_hash(entry.bank), value=", ".join(f"PCR{pcr}" for pcr in entry.pcrs) or "no register")
        for entry in attest.selections
    )
    reader.skip(size)
    parts += [Node(name="selection", offset=start, size=size, parts=banks), reader.counted("PCR digest")]
    return Node(name="TPMS_ATTEST", offset=base, size=len(raw), note="not signed by itself", parts=tuple(parts))


def signature_node(data: bytes) -> Node:
    """A signature: scheme, hash, numbers. Raises `FormatError`."""
    signature = Signature.decode(data)
    reader = _Reader(data, 0, "TPMT_SIGNATURE")
    names = ("signature",) if len(signature.numbers) == 1 else ("r", "s")
    parts = (
        reader.fixed("scheme", 2, _algorithm(signature.scheme)),
        reader.fixed("hash", 2, _hash(signature.hash)),
        *(reader.counted(name) for name in names),
    )
    return Node(name="TPMT_SIGNATURE", offset=0, size=len(data), parts=parts)


def public_node(data: bytes) -> Node:
    """A public key: what it is for and its numbers. Raises `FormatError`."""
    public = Public.decode(data)
    raw = public.encode()
    base = len(data) - len(raw)
    reader = _Reader(raw, base, "TPMT_PUBLIC")
    parts = [
        reader.fixed("type", 2, _algorithm(public.type)),
        reader.fixed("name hash", 2, _hash(public.name_hash)),
        reader.fixed("attributes", 4, " ".join(bit_names(public.attributes, Attribute))),
        reader.counted("policy"),
    ]
    said = f"exponent {public.exponent}" if public.exponent else CURVES.get(public.curve, f"curve {public.curve:#06x}")
    parts.append(reader.fixed("parameters", len(public.parameters), said))
    names = ("modulus",) if public.type == Algorithm.RSA else ("x", "y")
    parts += [reader.counted(name) for name in names]
    return Node(name="TPMT_PUBLIC", offset=base, size=len(raw), parts=tuple(parts))


def hcl_node(data: bytes, hardware: Callable[[bytes], Node]) -> Node:
    """The paravisor's report as far as it goes; `hardware` shows the SNP report inside."""
    reader = Cursor(data[:LIMIT], what="HCL report")
    parts: list[Node] = []
    note = ""
    try:
        parts.append(layout_node(Header, reader.take(Header.SIZE, "header"), at=0, name="header"))
        raw = reader.take(HARDWARE_SIZE, "hardware report")
        at = reader.offset
        head = reader.take(RuntimeHeader.SIZE, "runtime header")
        runtime = RuntimeHeader.unpack(head)
        parts.append(_hardware(raw, runtime.report_type, hardware))
        parts.append(layout_node(RuntimeHeader, head, at=at, name="runtime header", decoders=_TYPES))
        at = reader.offset
        text = reader.take(runtime.variable_size, "runtime data")
        inside = (json_node(text, {}),)
        parts.append(Node(name="runtime data", offset=at, size=len(text), note="its hash is REPORT_DATA", parts=inside))
    except FormatError as error:
        note = f"malformed: {error}"
    return Node(name="HCL report", offset=0, size=len(data), note=note, parts=tuple(parts))


def _hardware(raw: bytes, kind: int, show: Callable[[bytes], Node]) -> Node:
    if kind == ReportType.SNP:
        return Node(name="hardware report", offset=Header.SIZE, size=len(raw), parts=(show(raw),))
    report = raw[:TDREPORT_SIZE]
    note = "a TDREPORT: only its own machine can check it"
    return Node(name="hardware report", offset=Header.SIZE, size=len(report), value=shown(report), note=note)


class _Reader:
    """Pieces of a big-endian structure one after the other, each with its offset in the file."""

    def __init__(self, data: bytes, base: int, what: str) -> None:
        self._cursor, self._base = Cursor(data, what=what), base

    @property
    def at(self) -> int:
        """The offset in the file of what comes next."""
        return self._base + self._cursor.offset

    def skip(self, size: int) -> None:
        """Pass over bytes that are shown in another way."""
        self._cursor.take(size, "bytes")

    def fixed(self, name: str, size: int, note: str = "") -> Node:
        """Bytes of a known number."""
        at = self.at
        return Node(name=name, offset=at, size=size, value=shown(self._cursor.take(size, name)), note=note)

    def number(self, name: str, size: int) -> Node:
        """A number."""
        at = self.at
        return Node(name=name, offset=at, size=size, value=shown(self._cursor.number(size, name, big=True)))

    def counted(self, name: str, note: str = "") -> Node:
        """Bytes with their size before them."""
        at = self.at
        value = self._cursor.counted(_SIZED, name, limit=1 << 16, big=True)
        return Node(name=name, offset=at, size=_SIZED + len(value), value=shown(value), note=note)


def _fits(decode: Callable[[bytes], object], data: bytes) -> bool:
    try:
        decode(data)
    except FormatError:
        return False
    return True


def _unsized(data: bytes) -> bytes:
    """What a TPM2B holds, or the bytes themselves."""
    return data[_SIZED:] if len(data) > _SIZED and int.from_bytes(data[:_SIZED], "big") == len(data) - _SIZED else data


def _hash(number: int) -> str:
    return HASHES.get(number, f"hash {number:#06x}")


def _algorithm(number: int) -> str:
    try:
        return Algorithm(number).name
    except ValueError:
        return f"algorithm {number:#06x}"
