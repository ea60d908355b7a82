"""Strict reading of JSON from outside: bounded, no duplicate keys, no unknown keys, no surprise types.

top = JsonObject.parse(text, what="manifest", limit=1 << 20)
name = top.text("name")
top.finish()          # unread keys are errors
"""

import base64
import binascii
import json
from collections.abc import Iterator
from typing import Any, Self

from warily.errors import FormatError


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        msg = "JSON: a key appears twice in one object"
        raise FormatError(msg)
    return found


def _refuse_constant(name: str) -> Any:  # noqa: ANN401  # the signature json.loads asks for
    msg = f"JSON: {name} is not a number"
    raise FormatError(msg)


def b64url(data: bytes) -> str:
    """Base64url without padding (RFC 4648 section 5, as JOSE and CMW use it)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def from_b64url(text: str, *, what: str) -> bytes:
    """The bytes of canonical unpadded base64url. Raises `FormatError` on anything else."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        data = b""
        text = text or "="
    if b64url(data) != text:
        msg = f"{what}: not canonical base64url"
        raise FormatError(msg)
    return data


class JsonObject:
    """One JSON object, read key by key; `finish` refuses what was not read."""

    def __init__(self, members: dict[str, Any], *, what: str) -> None:
        self._members = members
        self._read: set[str] = set()
        self.what = what

    @classmethod
    def parse(cls, text: bytes | str, *, what: str, limit: int) -> Self:
        """The object that `text` (at most `limit` bytes of UTF-8 JSON) encodes."""
        if len(text) > limit:
            msg = f"{what}: {len(text)} bytes are over the limit of {limit}"
            raise FormatError(msg)
        try:
            if isinstance(text, bytes):
                text = text.decode("utf-8")
            members = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            msg = f"{what}: not JSON: {error}"
            raise FormatError(msg) from None
        if not isinstance(members, dict):
            msg = f"{what}: not a JSON object"
            raise FormatError(msg)
        return cls(members, what=what)

    def __contains__(self, key: str) -> bool:
        return key in self._members

    def _take(self, key: str, kind: type | tuple[type, ...], name: str) -> Any:  # noqa: ANN401  # narrowed by callers
        value = self._members.get(key, self)  # not there: no value of JSON is this object
        if not isinstance(value, kind) or (kind is int and value.__class__ is bool):
            msg = f"{self.what}: {key} is {'missing' if value is self else f'not {name}'}"
            raise FormatError(msg)
        self._read.add(key)
        return value

    def text(self, key: str, *, limit: int = 4096) -> str:
        """A string of at most `limit` characters."""
        value = self._members.get(key)
        if value.__class__ is not str:
            value = self._take(key, str, "a string")
        self._read.add(key)
        if len(value) > limit:
            msg = f"{self.what}: {key} is over {limit} characters"
            raise FormatError(msg)
        return value

    def number(self, key: str, *, low: int = 0, high: int = (1 << 63) - 1) -> int:
        """An integer between `low` and `high`."""
        value = self._members.get(key)
        if value.__class__ is not int:
            value = self._take(key, int, "an integer")
        self._read.add(key)
        if not low <= value <= high:
            msg = f"{self.what}: {key} is {value}, not in {low}..{high}"
            raise FormatError(msg)
        return value

    def flag(self, key: str) -> bool:
        """True or false."""
        value: bool = self._take(key, bool, "true or false")
        return value

    def hexadecimal(self, key: str, *, width: int | None = None) -> bytes:
        """Lower-case hexadecimal, `width` bytes of it where given."""
        text = self.text(key, limit=1 << 16)
        try:
            data = bytes.fromhex(text)
        except ValueError:
            data = b""
        if data.hex() != text or (width is not None and len(data) != width):
            msg = f"{self.what}: {key} is not {'' if width is None else f'{width} bytes of '}lower-case hexadecimal"
            raise FormatError(msg)
        return data

    def octets(self, key: str, *, limit: int) -> bytes:
        """Bytes in unpadded base64url, at most `limit` of them."""
        return from_b64url(self.text(key, limit=limit * 4 // 3 + 4), what=f"{self.what}: {key}")

    def object(self, key: str) -> "JsonObject":
        """A nested object."""
        return JsonObject(self._take(key, dict, "an object"), what=f"{self.what}: {key}")

    def objects(self, key: str, *, limit: int = 65536) -> Iterator["JsonObject"]:
        """The objects of a list of at most `limit`."""
        for at, value in enumerate(self._list(key, limit)):
            if not isinstance(value, dict):
                msg = f"{self.what}: {key}[{at}] is not an object"
                raise FormatError(msg)
            yield JsonObject(value, what=f"{self.what}: {key}[{at}]")

    def texts(self, key: str, *, limit: int = 65536) -> tuple[str, ...]:
        """The strings of a list of at most `limit`."""
        values = self._list(key, limit)
        if not all(isinstance(value, str) for value in values):
            msg = f"{self.what}: {key} is not a list of strings"
            raise FormatError(msg)
        return tuple(values)

    def numbers(self, key: str, *, limit: int = 65536) -> tuple[int, ...]:
        """The non-negative integers of a list of at most `limit`."""
        values = self._list(key, limit)
        if not all(type(value) is int and value >= 0 for value in values):
            msg = f"{self.what}: {key} is not a list of non-negative integers"
            raise FormatError(msg)
        return tuple(values)

    def keys(self) -> tuple[str, ...]:
        """The names of the members, in the order of the text."""
        return tuple(self._members)

    def members(self) -> dict[str, Any]:
        """All members as they are, read whole; for showing, not for deciding."""
        self._read.update(self._members)
        return dict(self._members)

    def _list(self, key: str, limit: int) -> list[Any]:
        values: list[Any] = self._take(key, list, "a list")
        if len(values) > limit:
            msg = f"{self.what}: {key} has over {limit} entries"
            raise FormatError(msg)
        return values

    def array(self, key: str, *, limit: int = 64) -> list[Any]:
        """A list of mixed content, for formats that use JSON arrays as records."""
        return self._list(key, limit)

    def finish(self) -> None:
        """Every member was read. Unknown ones are errors."""
        unread = self._members.keys() - self._read
        if unread:
            msg = f"{self.what}: unknown key {min(unread)!r}"
            raise FormatError(msg)


def canonical(value: object) -> bytes:
    """Compact JSON with sorted keys and a final newline: the same value, the same bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
