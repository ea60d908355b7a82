"""A bundle of collateral in one file: what vendors answered, each with where and when it came from.

    {"collateral_bundle": 1, "items": [{"fetched", "name", "sha256", "source", "text" or "octets"}, …]}

Canonical JSON (`formats/_json.py`), items in the order of their names: the same answers give the same bytes. PEM and
JSON stand there as text, to be read by people; everything else as base64url. The digest guards against accidents only:
what an item is worth, its signature says. Whoever takes an item out compares the digest (`verify/bundled.py`).
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Self

from warily.errors import FormatError
from warily.formats._json import JsonObject, b64url, canonical

LIMIT: Final = 16 << 20
MAX_ITEMS: Final = 256
MARK: Final = "collateral_bundle"
VERSION: Final = 1
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleItem:
    """One answer. `name` is a plain file name, `sha256` as the bundle says it; `fetched` has whole seconds, in UTC."""

    name: str
    source: str
    fetched: datetime
    sha256: bytes
    data: bytes = field(repr=False)

    def as_json(self) -> dict[str, str]:
        """The item as a JSON value."""
        found = {
            "name": self.name,
            "source": self.source,
            "fetched": self.fetched.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat() + "Z",
            "sha256": self.sha256.hex(),
        }
        text = _as_text(self.data)
        return found | ({"octets": b64url(self.data)} if text is None else {"text": text})


@dataclass(frozen=True, slots=True, kw_only=True)
class CollateralBundle:
    """All items, in the order of their names; no name appears twice."""

    items: tuple[BundleItem, ...]

    def encode(self) -> bytes:
        """The bundle as canonical JSON. Raises `FormatError` for what `decode` would not take."""
        text = canonical({MARK: VERSION, "items": [item.as_json() for item in self.items]})
        type(self).decode(text)
        return text

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """The bundle that `text` (at most 16 MiB) is. Raises `FormatError`."""
        top = JsonObject.parse(text, what="collateral bundle", limit=LIMIT)
        if top.number(MARK) != VERSION:
            msg = f"collateral bundle: its version is not {VERSION}"
            raise FormatError(msg)
        items = tuple(_item(entry) for entry in top.objects("items", limit=MAX_ITEMS))
        top.finish()
        names = [item.name for item in items]
        if names != sorted(set(names)):
            msg = "collateral bundle: items are not in the order of their names, or a name appears twice"
            raise FormatError(msg)
        return cls(items=items)


def looks_like(keys: tuple[str, ...]) -> bool:
    """Whether JSON with these members is a bundle."""
    return MARK in keys


def _as_text(data: bytes) -> str | None:
    """Printable text with line ends, None for anything else."""
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        return None
    return text if text and all(letter.isprintable() or letter in "\r\n\t" for letter in text) else None


def _item(entry: JsonObject) -> BundleItem:
    name, source = entry.text("name", limit=128), entry.text("source", limit=2048)
    if not _NAME.fullmatch(name) or not source.isprintable() or not source.isascii():
        msg = f"{entry.what}: its name is no plain file name, or its source no address"
        raise FormatError(msg)
    made = BundleItem(
        name=name,
        source=source,
        fetched=_time(entry),
        sha256=entry.hexadecimal("sha256", width=32),
        data=_data(entry),
    )
    entry.finish()
    return made


def _data(entry: JsonObject) -> bytes:
    if "octets" not in entry:
        text = entry.text("text", limit=LIMIT)
        data = text.encode("utf-8", "surrogatepass")
    else:
        text, data = None, entry.octets("octets", limit=LIMIT)
    if _as_text(data) != text:
        msg = f"{entry.what}: printable text stands as text, everything else as octets"
        raise FormatError(msg)
    return data


def _time(entry: JsonObject) -> datetime:
    text = entry.text("fetched", limit=32)
    try:
        if _DATE.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    msg = f"{entry.what}: fetched is not a time like 2026-03-15T00:00:00Z"
    raise FormatError(msg)
