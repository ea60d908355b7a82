"""JSON taken apart into the texts of its values, each exactly as received: what is signed is such a text.

One level at a time; a value's own members are a matter of asking again.
"""

import json
import re
from functools import lru_cache
from typing import Any, Final

from warily.errors import FormatError

MAX_MEMBERS: Final = 1 << 12
_SPACE: Final = re.compile(r"[ \t\r\n]*")


@lru_cache(maxsize=1)
def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(strict=True)


def members(text: str, *, what: str, limit: int = MAX_MEMBERS) -> dict[str, str]:
    """The members of a JSON object, each value as the text that it is.

    A name that appears twice is an error, and so are over `limit` members.
    """
    found: dict[str, str] = {}
    at = _opened(text, "{", what)
    while text[at : at + 1] != "}" or found:
        name, at = _value(text, at, what)
        at = _skip(text, at)
        if not isinstance(name, str) or text[at : at + 1] != ":" or name in found:
            msg = f"{what}: a member without name or value, or twice the same"
            raise FormatError(msg)
        start = _skip(text, at + 1)
        _, at = _value(text, start, what)
        found[name] = text[start:at]
        if len(found) > limit:
            msg = f"{what}: over {limit} members"
            raise FormatError(msg)
        at = _skip(text, at)
        if text[at : at + 1] != ",":
            break
        at = _skip(text, at + 1)
    _closed(text, at, "}", what)
    return found


def elements(text: str, *, what: str, limit: int) -> list[str]:
    """The entries of a JSON list, each as the text that it is. Over `limit` of them are an error."""
    found: list[str] = []
    at = _opened(text, "[", what)
    while text[at : at + 1] != "]" or found:
        start = at
        _, at = _value(text, start, what)
        found.append(text[start:at])
        if len(found) > limit:
            msg = f"{what}: over {limit} entries"
            raise FormatError(msg)
        at = _skip(text, at)
        if text[at : at + 1] != ",":
            break
        at = _skip(text, at + 1)
    _closed(text, at, "]", what)
    return found


def _opened(text: str, bracket: str, what: str) -> int:
    at = _skip(text, 0)
    if text[at : at + 1] != bracket:
        msg = f"{what}: not a JSON {'object' if bracket == '{' else 'list'}"
        raise FormatError(msg)
    return _skip(text, at + 1)


def _closed(text: str, at: int, bracket: str, what: str) -> None:
    if text[at : at + 1] != bracket or text[at + 1 :].strip(" \t\r\n\x00"):
        msg = f"{what}: not one JSON {'object' if bracket == '}' else 'list'}"
        raise FormatError(msg)


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _value(text: str, at: int, what: str) -> tuple[Any, int]:
    try:
        return _decoder().raw_decode(text, at)
    except (ValueError, RecursionError) as error:
        msg = f"{what}: not JSON: {error}"
        raise FormatError(msg) from None
