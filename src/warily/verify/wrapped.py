"""What is inside files that only carry something: text, gzip, JSON of any shape, answers of web services.

Everybody's tools put the same quote, report or certificate into JSON of their own. Members are looked at by what they
hold and never by their names. That is safe because nothing found is trusted: evidence and collateral are signed. Where
a file holds two pieces of evidence, nobody guesses which one is meant.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from warily.errors import FormatError
from warily.formats import armour, http_response, json_text, pem, tcg_log
from warily.formats.http_response import HttpResponse
from warily.verify.kinds import BOM, LIMIT, Kind, kind_of

MAX_DEPTH: Final = 8
MAX_VALUES: Final = 1 << 14
_BYTES: Final = 256
_ENCODED_PEM: Final = pem.MARK.replace(b" ", b"%20")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Something of a known kind inside a file; `where` is its way there, empty for the whole. Logs have no kind."""

    where: str
    kind: Kind
    data: bytes = field(repr=False)

    @property
    def is_log(self) -> bool:
        """Whether it is an event log."""
        return self.kind is Kind.UNKNOWN


@dataclass(slots=True)
class _Budget:
    """How many values may still be looked at: a file of nothing but small values ends here."""

    left: int = MAX_VALUES


def pieces(data: bytes) -> tuple[Piece, ...]:
    """Every piece inside a file, each once, in the order of the file. A file of a known kind is one piece."""
    if len(data) > LIMIT:
        return ()
    found = {piece.data: piece for piece in reversed([*_look("", data, 0, _Budget())])}
    return tuple(reversed(found.values()))


def _look(where: str, data: bytes, depth: int, budget: _Budget) -> Iterator[Piece]:
    """What the bytes are, or hold."""
    budget.left -= 1
    if depth > MAX_DEPTH or budget.left < 0 or len(data) < armour.SHORTEST:
        return
    kind = kind_of(data)
    if kind is not Kind.UNKNOWN or tcg_log.is_log(data):
        yield Piece(where=where, kind=kind, data=data)
        return
    inside = armour.unzipped(data) or armour.unarmoured(data)
    if inside is not None:
        yield from _look(where, inside, depth + 1, budget)
    elif http_response.looks_like(data):
        yield from _answer(where, data, depth, budget)
    elif data.startswith(_ENCODED_PEM):
        yield from _look(where, http_response.decoded(data), depth + 1, budget)
    else:
        yield from _json(where, data, depth, budget)


def _answer(where: str, data: bytes, depth: int, budget: _Budget) -> Iterator[Piece]:
    try:
        answer = HttpResponse.decode(data)
    except FormatError:
        return
    for name, value in answer.fields:
        yield from _look(f"{where}{name}", value, depth + 1, budget)
    yield from _look(f"{where}content", answer.body, depth + 1, budget)


def _json(where: str, data: bytes, depth: int, budget: _Budget) -> Iterator[Piece]:
    """The values of an object or a list, and what they hold; nothing where it is neither."""
    try:
        text = data.removeprefix(BOM).decode("utf-8")
        match text.lstrip()[:1]:
            case "{":
                entries = [(f"{where}.{name}", raw) for name, raw in json_text.members(text, what="file").items()]
            case "[":
                listed = json_text.elements(text, what="file", limit=MAX_VALUES)
                entries = [(f"{where}[{at}]", raw) for at, raw in enumerate(listed)]
            case '"':
                entries = [(where, json_text.elements(f"[{text}]", what="file", limit=1)[0])]
            case _:
                return
    except (UnicodeDecodeError, FormatError):
        return
    for name, raw in entries:
        yield from _value(name, raw, depth + 1, budget)


def _value(where: str, raw: str, depth: int, budget: _Budget) -> Iterator[Piece]:
    match raw[:1]:
        case '"':
            yield from _look(where, json.loads(raw).encode("utf-8", "surrogatepass"), depth, budget)
        case "{":
            yield from _look(where, raw.encode(), depth, budget)
        case "[":
            octets = _octets(raw)
            yield from _look(where, raw.encode() if octets is None else octets, depth, budget)
        case _:
            pass  # a number, true, false or null holds nothing


def _octets(raw: str) -> bytes | None:
    """The bytes that a list of small numbers means, as Rust's tools write them; None for any other list."""
    if not raw[1:].lstrip()[:1].isdigit():
        return None
    values = json.loads(raw)
    return bytes(values) if all(type(value) is int and 0 <= value < _BYTES for value in values) else None
