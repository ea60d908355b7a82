"""The reference values in a manifest of Contrast (its `manifest.json`, documented with the project)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from warily.errors import FormatError
from warily.formats._json import JsonObject

LIMIT: Final = 16 << 20
REGISTER: Final = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastValue:
    """One register's value: of which platform and product, and under which name."""

    platform: str
    product: str
    name: str
    value: bytes


def decode(text: bytes) -> tuple[ContrastValue, ...]:
    """Every trusted register of the manifest. Raises `FormatError`; empty strings are registers left open."""
    values = JsonObject.parse(text, what="Contrast manifest", limit=LIMIT).object("ReferenceValues")
    found = [*_snp(values), *_tdx(values)]
    if not found:
        raise FormatError("Contrast manifest: no reference values of a known platform")
    return tuple(found)


def _snp(values: JsonObject) -> Iterator[ContrastValue]:
    for entry in values.objects("snp", limit=4096) if "snp" in values else ():
        product = entry.text("ProductName", limit=64) if "ProductName" in entry else ""
        yield from _value(entry.text("TrustedMeasurement"), "snp", product, "launch_digest")


def _tdx(values: JsonObject) -> Iterator[ContrastValue]:
    for entry in values.objects("tdx", limit=4096) if "tdx" in values else ():
        for key, name in (("MrTd", "mrtd"), ("MrSeam", "mrseam")):
            if key in entry:
                yield from _value(entry.text(key), "tdx", "", name)
        for at, text in enumerate(entry.texts("Rtmrs", limit=4) if "Rtmrs" in entry else ()):
            yield from _value(text, "tdx", "", f"rtmr{at}")


def _value(text: str, platform: str, product: str, name: str) -> Iterator[ContrastValue]:
    if not text:
        return
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != REGISTER:
        msg = f"Contrast manifest: {name} is not {REGISTER} bytes in hexadecimal"
        raise FormatError(msg)
    yield ContrastValue(platform=platform, product=product, name=name, value=value)
