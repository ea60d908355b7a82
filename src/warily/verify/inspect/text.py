"""JSON, JWT and CBOR as trees: bounded, with what is inside base64 opened where its kind is known."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from warily.errors import FormatError
from warily.formats import armour, cbor
from warily.formats._json import JsonObject, from_b64url
from warily.formats.cbor import Tag
from warily.formats.cose_sign1 import CoseSign1
from warily.formats.dsse import Envelope
from warily.verify.inspect.node import MAX_NODES, Node, few, shown

LIMIT: Final = 24 << 20
DEPTH: Final = 12
_COSE_HEADERS: Final = {1: "alg", 2: "crit", 3: "content type", 4: "kid", 16: "typ", 33: "x5chain"}
_COSE_ALGORITHMS: Final = {-7: "ES256", -8: "EdDSA", -35: "ES384", -36: "ES512", -37: "PS256"}

Tree = Callable[[bytes], Node]


Guess = Callable[[bytes], Node | None]


class _Opening:
    """What one tree may still show: which members hold bytes to open, and how many more pieces may be made.

    `guess` is the tree of text that turns out to hold something known, whatever its member is called.
    """

    def __init__(self, trees: Mapping[str, Tree], guess: Guess = lambda _: None) -> None:
        self.trees = trees
        self.guess = guess
        self.left = MAX_NODES // 2


def is_json(data: bytes) -> bool:
    """Whether it begins as a JSON object does."""
    return data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{"


def json_node(data: bytes, opened: Mapping[str, Tree], guess: Guess = lambda _: None) -> Node:
    """A JSON object. Members that `opened` names hold bytes in base64url, and are shown as what they hold.

    `guess` says of any other text whether it holds something that can be shown.
    """
    text = data.removeprefix(b"\xef\xbb\xbf")
    top = JsonObject.parse(text, what="file", limit=LIMIT)
    if "payloadType" in top and "signatures" in top:
        return _envelope(text, opened)
    return Node(name="JSON", size=len(data), parts=few(_members(top.members(), _Opening(opened, guess), 0)))


def _envelope(text: bytes, opened: Mapping[str, Tree]) -> Node:
    """A DSSE envelope, and the statement inside."""
    envelope = Envelope.decode(text)
    signatures = few(
        Node(name="signature", value=shown(entry.sig), note=f"said to be by {shown(entry.keyid)}")
        for entry in envelope.signatures
    )
    inside = json_node(envelope.payload, opened) if is_json(envelope.payload) else Node(name="payload")
    parts = (Node(name="payload type", value=shown(envelope.payload_type)), *signatures, inside)
    return Node(name="DSSE envelope", size=len(text), note="signatures were not looked at", parts=parts)


def _members(value: Mapping[Any, Any], opened: _Opening, depth: int) -> Iterator[Node]:
    for key, entry in value.items():
        yield _value(str(key) if isinstance(key, int) else shown(key), entry, opened, depth + 1)


def _value(name: str, value: Any, opened: _Opening, depth: int) -> Node:  # noqa: ANN401  # JSON or CBOR
    opened.left -= 1
    if isinstance(value, list):
        value = _octets(value) or value
    if isinstance(value, Mapping | list) and (depth > DEPTH or opened.left < 0):
        return Node(name=name, value="…", note="not shown: too deep, or too much")
    match value:
        case Mapping():
            return Node(name=name, parts=few(_members(value, opened, depth)))
        case list():
            tree = opened.trees.get(name)
            parts = few(_element(f"[{at}]", entry, tree, opened, depth) for at, entry in enumerate(value))
            return Node(name=name, value=f"{len(value)} entries", parts=parts)
        case Tag():
            return Node(
                name=name, value=f"tag {value.number}", parts=(_value("value", value.value, opened, depth + 1),)
            )
        case str() if name in opened.trees:
            return _opened(name, value, opened.trees[name])
        case bytes() if name in opened.trees:
            return Node(name=name, size=len(value), parts=(_tried(opened.trees[name], value),))
        case _:
            inside = opened.guess(_plain(value))
            return Node(
                name=name, value=shown(value) if inside is None else "", parts=() if inside is None else (inside,)
            )


def _plain(value: object) -> bytes:
    """The bytes in which something may be hidden: of text or of bytes, none of anything else."""
    return (
        value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value if isinstance(value, bytes) else b""
    )


def _octets(values: list[Any]) -> bytes | None:
    """The bytes that a list of many small numbers means, as Rust's tools write them; None for any other list."""
    if len(values) < armour.SHORTEST or not all(type(value) is int and 0 <= value <= 255 for value in values):  # noqa: PLR2004  # a byte
        return None
    return bytes(values)


def _element(name: str, value: Any, tree: Tree | None, opened: _Opening, depth: int) -> Node:  # noqa: ANN401  # likewise
    """An entry of a list; bytes in a list that is to be opened are opened."""
    if tree is not None and isinstance(value, bytes):
        return Node(name=name, size=len(value), parts=(_tried(tree, value),))
    return _value(name, value, opened, depth + 1)


def _opened(name: str, value: str, tree: Tree) -> Node:
    try:
        data = from_b64url(value, what=name)
    except FormatError:
        return Node(name=name, value=shown(value))
    return Node(name=name, size=len(data), parts=(_tried(tree, data),) if data else ())


def _tried(tree: Tree, data: bytes) -> Node:
    try:
        return tree(data)
    except FormatError as error:
        return Node(name="bytes", size=len(data), value=shown(data), note=str(error))


def is_jwt(data: bytes) -> bool:
    """Whether it is three parts in base64url, of which the first is a JSON object."""
    return data.startswith(b"eyJ") and data.strip().count(b".") == 2  # noqa: PLR2004  # header, claims, signature


def jwt_node(data: bytes) -> Node:
    """A JWT: header, claims, signature. Raises `FormatError`."""
    head, claims, signature = data.strip().decode("ascii", "replace").split(".")
    parts = []
    for name, part in (("header", head), ("claims", claims)):
        top = JsonObject.parse(from_b64url(part, what=name), what=name, limit=LIMIT)
        parts.append(Node(name=name, parts=few(_members(top.members(), _Opening({}), 0))))
    parts.append(Node(name="signature", value=shown(from_b64url(signature, what="signature"))))
    return Node(name="JWT", size=len(data), note="the signature was not looked at", parts=tuple(parts))


def is_cose(data: bytes) -> bool:
    """Whether it is a COSE_Sign1 message."""
    if data[:1] not in (b"\x84", b"\xd2"):
        return False
    try:
        CoseSign1.decode(data, what="file")
    except FormatError:
        return False
    return True


def cose_node(data: bytes, opened: Mapping[str, Tree]) -> Node:
    """A COSE_Sign1 message; a payload in CBOR is opened. Raises `FormatError`."""
    message = CoseSign1.decode(data, what="COSE_Sign1")
    header = cbor.decode(message.protected, what="header", limit=LIMIT) if message.protected else {}
    try:
        payload = _value("payload", cbor.decode(message.payload, what="payload", limit=LIMIT), _Opening(opened), 0)
    except FormatError:
        payload = Node(name="payload", value=shown(message.payload))
    parts = (
        Node(name="protected header", parts=few(_header(header))),
        Node(name="unprotected header", parts=few(_header(message.unprotected))),
        payload,
        Node(name="signature", size=len(message.signature), value=shown(message.signature)),
    )
    return Node(name="COSE_Sign1", offset=0, size=len(data), note="the signature was not looked at", parts=parts)


def _header(header: Mapping[Any, Any]) -> Iterator[Node]:
    for label, value in header.items():
        name = _COSE_HEADERS.get(label, str(label))
        note = _COSE_ALGORITHMS.get(value, "") if name == "alg" and isinstance(value, int) else ""
        yield Node(name=shown(name), value=shown(value) if not isinstance(value, list) else f"{len(value)}", note=note)
