"""A small, safe reader of XML, and its canonical form (Canonical XML 1.0 and 1.1, without comments).

No document type is accepted, so that there are no entities to expand and nothing outside to fetch; size, depth and
number of elements are bounded. Processing instructions, and attributes `xml:base` and `xml:id`, which the two
versions of canonical XML treat differently, are refused.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NoReturn
from xml.parsers import expat

from warily.errors import FormatError

LIMIT: Final = 1 << 20
MAX_DEPTH: Final = 32
MAX_ELEMENTS: Final = 16384
MAX_NAMESPACES: Final = 64
XML: Final = "http://www.w3.org/XML/1998/namespace"
_INHERITED: Final = ("lang", "space")


@dataclass(slots=True, kw_only=True)
class Element:
    """One element. `attributes` and `children` are as in the document; `scope` has every namespace in force."""

    name: str
    namespace: str
    local: str
    attributes: dict[str, str]
    scope: Mapping[str, str]
    parent: "Element | None" = field(default=None, repr=False)
    children: list["Element | str"] = field(default_factory=list, repr=False)

    def get(self, local: str, namespace: str = "") -> str | None:
        """The value of the attribute of that namespace; None where there is none."""
        return next(
            (value for uri, name, _, value in self.named_attributes() if (uri, name) == (namespace, local)), None
        )

    def named_attributes(self) -> Iterator[tuple[str, str, str, str]]:
        """Namespace, local name, name as written, and value of every attribute that is no namespace declaration."""
        for name, value in self.attributes.items():
            prefix, _, local = name.rpartition(":")
            yield (self.scope[prefix] if prefix else ""), local, name, value

    def elements(self, namespace: str, local: str) -> Iterator["Element"]:
        """The child elements of that name."""
        for child in self.children:
            if isinstance(child, Element) and (child.namespace, child.local) == (namespace, local):
                yield child

    def only(self, namespace: str, local: str) -> "Element":
        """The one child element of that name. Raises `FormatError` for none or several."""
        found = list(self.elements(namespace, local))
        if len(found) != 1:
            msg = f"XML: {self.local} has {len(found)} elements {local}, not one"
            raise FormatError(msg)
        return found[0]

    def text(self) -> str:
        """The text inside. Raises `FormatError` where there are elements."""
        if not all(isinstance(child, str) for child in self.children):
            msg = f"XML: {self.local} has elements where text is expected"
            raise FormatError(msg)
        return "".join(child for child in self.children if isinstance(child, str))


def parse(data: bytes, *, what: str) -> Element:
    """The root element of a document of at most 1 MiB. Raises `FormatError`."""
    if len(data) > LIMIT:
        msg = f"{what}: {len(data)} bytes are over the limit of {LIMIT}"
        raise FormatError(msg)
    builder = _Builder(what)
    try:
        builder.parser.Parse(data, True)  # noqa: FBT003  # expat takes no keyword
    except (expat.ExpatError, ValueError, LookupError) as error:
        msg = f"{what}: not well-formed XML: {error}"
        raise FormatError(msg) from None
    if builder.root is None:
        builder.refuse("no element")
    return builder.root


class _Builder:
    """Makes the tree from the events of the parser."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.root: Element | None = None
        self.open: list[Element] = []
        self.count = 0
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.ordered_attributes = True
        self.parser.StartDoctypeDeclHandler = lambda *_: self.refuse("a document type")
        self.parser.EntityDeclHandler = lambda *_: self.refuse("an entity")
        self.parser.ProcessingInstructionHandler = lambda *_: self.refuse("a processing instruction")
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = lambda _: self.open.pop()
        self.parser.CharacterDataHandler = self.characters

    def refuse(self, thing: str) -> NoReturn:
        msg = f"{self.what}: XML with {thing}"
        raise FormatError(msg)

    def start(self, name: str, flat: list[str]) -> None:
        self.count += 1
        if self.count > MAX_ELEMENTS or len(self.open) >= MAX_DEPTH:
            self.refuse(f"over {MAX_ELEMENTS} elements, or {MAX_DEPTH} levels")
        parent = self.open[-1] if self.open else None
        outer: Mapping[str, str] = parent.scope if parent else {"": "", "xml": XML}
        given = dict(zip(flat[::2], flat[1::2], strict=True))
        declared = {key[6:] if ":" in key else "": value for key, value in given.items() if _declares(key)}
        self._check(declared, outer)
        scope = {**outer, **declared} if declared else outer
        attributes = {key: value for key, value in given.items() if not _declares(key)}
        prefix, _, local = name.rpartition(":")
        if any(part not in scope for part in (prefix, *(key.rpartition(":")[0] for key in attributes))):
            self.refuse("an undeclared prefix")
        made = Element(
            name=name, namespace=scope[prefix], local=local, attributes=attributes, scope=scope, parent=parent
        )
        seen = [(uri, key) for uri, key, _, _ in made.named_attributes()]
        if len(set(seen)) != len(seen) or any(uri == XML and key not in _INHERITED for uri, key in seen):
            self.refuse("an attribute twice, or one of the namespace xml that is not supported")
        if parent is None:
            self.root = made
        else:
            parent.children.append(made)
        self.open.append(made)

    def _check(self, declared: dict[str, str], outer: Mapping[str, str]) -> None:
        if len(declared) + len(outer) > MAX_NAMESPACES:
            self.refuse(f"over {MAX_NAMESPACES} namespaces")
        for prefix, uri in declared.items():
            if prefix in ("xml", "xmlns") or uri == XML or (prefix and not uri) or ":" in prefix:
                self.refuse("a namespace declaration that is not allowed")

    def characters(self, text: str) -> None:
        if self.open:
            self.open[-1].children.append(text)


def _declares(key: str) -> bool:
    return key == "xmlns" or key.startswith("xmlns:")


def canonical(top: Element, *, without: Element | None = None) -> bytes:
    """The canonical form of `top` and all below it, as UTF-8, `without` left out.

    Where `top` is not the root, the namespaces in force around it and the inherited `xml:` attributes are its own
    (Canonical XML, section 2.4). Time and memory grow with the length of the result.
    """
    parts: list[str] = []
    inherited = _inherited(top)
    stack: list[tuple[Element | str, Mapping[str, str]]] = [(top, {"": "", "xml": XML})]
    while stack:
        node, rendered = stack.pop()
        if isinstance(node, str):
            parts.append(node)
            continue
        if node is without:
            continue
        parts.append(_start_tag(node, rendered, inherited if node is top else {}))
        stack.append((f"</{node.name}>", rendered))
        below = reversed(node.children)
        stack.extend((_text(child) if isinstance(child, str) else child, node.scope) for child in below)
    return "".join(parts).encode("utf-8")


def _inherited(top: Element) -> dict[str, str]:
    """The `xml:` attributes of the nearest ancestors."""
    found: dict[str, str] = {}
    above = top.parent
    while above is not None:
        for uri, _, name, value in above.named_attributes():
            if uri == XML:
                found.setdefault(name, value)
        above = above.parent
    return found


def _start_tag(node: Element, rendered: Mapping[str, str], inherited: Mapping[str, str]) -> str:
    if node.scope is rendered:
        fresh = []
    else:
        fresh = sorted((prefix, uri) for prefix, uri in node.scope.items() if rendered.get(prefix) != uri)
    spaces = [f' {f"xmlns:{prefix}" if prefix else "xmlns"}="{_value(uri)}"' for prefix, uri in fresh]
    own = {(uri, local): (name, value) for uri, local, name, value in node.named_attributes()}
    for name, value in inherited.items():
        own.setdefault((XML, name.rpartition(":")[2]), (name, value))
    said = [f' {name}="{_value(value)}"' for _, (name, value) in sorted(own.items())]
    return f"<{node.name}{''.join(spaces)}{''.join(said)}>"


def _text(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("\r", "&#xD;")


def _value(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return text.replace("\t", "&#x9;").replace("\n", "&#xA;").replace("\r", "&#xD;")
