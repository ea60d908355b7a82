"""Register values beside a TPM quote, as tpm2-tools write them, or as JSON by bank and number.

What `tpm2_quote --pcr` writes is one of two things: the selected values one after the other (`--pcrs_format=values`),
or the tool's own structures, little-endian (`serialized`): a selection of 16 entries of 8 bytes, a count, and so many
lists of 8 digests. Source: tpm2-tools 5, lib/pcr.c and lib/tpm2_eventlog.c; TPM 2.0 part 2 for the structures.
"""

from collections.abc import Sequence
from typing import Final

from warily.errors import FormatError
from warily.formats._cursor import Cursor
from warily.formats._json import JsonObject
from warily.formats.tpm import Selection

LIMIT: Final = 1 << 20
# In bytes, by TPM_ALG_ID: SHA-1, SHA-2, SM3, SHA-3. Values can be compared also where nothing here hashes so.
SIZES: Final = {0x0004: 20, 0x000B: 32, 0x000C: 48, 0x000D: 64, 0x0012: 32, 0x0027: 32, 0x0028: 48, 0x0029: 64}
NAMES: Final = {"sha1": 0x0004, "sha256": 0x000B, "sha384": 0x000C, "sha512": 0x000D}
MAX_REGISTER: Final = 31
_SELECTIONS: Final = 16
_DIGESTS: Final = 8
_BUFFER: Final = 64
_ENTRY: Final = 8

Registers = tuple[tuple[int, int, bytes], ...]


def decode_registers(data: bytes, selections: Sequence[Selection]) -> Registers | None:
    """(bank, register, value) for every value in `data`; None where it is in none of the forms.

    Raw values have no names of their own: they are those that the quote selects, so their length must be right.
    """
    if len(data) > LIMIT:
        return None
    wanted = [(entry.bank, pcr) for entry in selections for pcr in entry.pcrs]
    if wanted and all(bank in SIZES for bank, _ in wanted) and len(data) == sum(SIZES[bank] for bank, _ in wanted):
        cursor = Cursor(data, what="register values")
        return tuple((bank, pcr, cursor.take(SIZES[bank], "value")) for bank, pcr in wanted)
    for read in (_serialized, _from_json):
        try:
            return read(data)
        except FormatError:
            continue
    return None


def _serialized(data: bytes) -> Registers:
    """The structures of tpm2-tools. Raises `FormatError`."""
    cursor = Cursor(data, what="register values")
    count = cursor.number(4, "number of selections")
    if not 1 <= count <= _SELECTIONS:
        msg = f"register values: {count} selections"
        raise FormatError(msg)
    entries = [cursor.take(_ENTRY, "selection") for _ in range(_SELECTIONS)][:count]
    wanted: list[tuple[int, int]] = []
    for entry in entries:
        bank, width = int.from_bytes(entry[:2], "little"), entry[2]
        bits = int.from_bytes(entry[3 : 3 + min(width, 4)], "little")
        wanted += [(bank, pcr) for pcr in range(32) if bits >> pcr & 1]
    lists = cursor.number(4, "number of lists")
    if lists > len(wanted):
        msg = f"register values: {lists} lists for {len(wanted)} registers"
        raise FormatError(msg)
    values = [value for _ in range(lists) for value in _digests(cursor)]
    cursor.finish()
    if len(values) != len(wanted) or any(SIZES.get(b) != len(v) for (b, _), v in zip(wanted, values, strict=False)):
        msg = "register values: not those of the selection"
        raise FormatError(msg)
    return tuple((bank, pcr, value) for (bank, pcr), value in zip(wanted, values, strict=True))


def _digests(cursor: Cursor) -> list[bytes]:
    count = cursor.number(4, "number of digests")
    if count > _DIGESTS:
        msg = f"register values: {count} digests in a list"
        raise FormatError(msg)
    found = []
    for _ in range(_DIGESTS):
        size = cursor.number(2, "digest size")
        found.append(cursor.take(_BUFFER, "digest")[: min(size, _BUFFER)])
    return found[:count]


def _from_json(data: bytes) -> Registers:
    """`{"sha256": {"0": "<hex>", …}}`. Raises `FormatError`."""
    top = JsonObject.parse(data, what="register values", limit=LIMIT)
    found = []
    for name in top.keys():  # noqa: SIM118  # not a mapping
        if name not in NAMES:
            msg = f"register values: no bank {name!r:.40}"
            raise FormatError(msg)
        registers = top.object(name)
        for number in registers.keys():  # noqa: SIM118  # not a mapping
            value = registers.text(number, limit=2 * _BUFFER)
            found.append((NAMES[name], _register(number), _value(value, SIZES[NAMES[name]])))
    return tuple(found)


def _register(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 2 or int(text) > MAX_REGISTER:
        msg = f"register values: no register {text!r:.40}"
        raise FormatError(msg)
    return int(text)


def _value(text: str, size: int) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != size:
        msg = f"register values: not {size} bytes in hexadecimal"
        raise FormatError(msg)
    return value
