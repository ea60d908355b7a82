"""systemd's `.pcrlock` files: what one boot component measures, in order (systemd.pcrlock(5), CEL-JSON)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from warily.errors import FormatError
from warily.formats._json import JsonObject

LIMIT: Final = 16 << 20
MAX_PCR: Final = 23
MAX_RECORDS: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class PcrlockRecord:
    """One extension of `pcr`: digests by algorithm, as hashlib names them."""

    pcr: int
    digests: Mapping[str, bytes]


def decode(text: bytes) -> tuple[PcrlockRecord, ...]:
    """The records of a `.pcrlock` file, in order. Raises `FormatError`."""
    top = JsonObject.parse(text, what="pcrlock file", limit=LIMIT)
    return tuple(_record(entry) for entry in top.objects("records", limit=MAX_RECORDS))


def _record(entry: JsonObject) -> PcrlockRecord:
    digests: dict[str, bytes] = {}
    pcr = entry.number("pcr", high=MAX_PCR)
    for each in entry.objects("digests", limit=16):
        algorithm = each.text("hashAlg", limit=32)
        if algorithm in digests:
            msg = f"{entry.what}: {algorithm} appears twice"
            raise FormatError(msg)
        digests[algorithm] = each.hexadecimal("digest")
    return PcrlockRecord(pcr=pcr, digests=digests)
