"""Expectation files: an `SnpExpect` as TOML, in a table `[snp]`. Every key is there; nothing has a default.

    [snp]
    rehearsal_roots = []
    measurements = ["<96 hex digits>"]
    report_data = { waived = "this is an audit, not a key release" }
    policy = { required = [], forbidden = ["DEBUG", "MIGRATE_MA"] }
    …

A missing, unknown or mistyped key is a `UsageError` that names it.
"""

import tomllib
from collections.abc import Callable
from dataclasses import fields
from enum import IntFlag
from typing import Any, Final, NoReturn, TypeVar

from warily.core.expect import BitRule, SnpExpect, TcbFloor
from warily.core.finding import Waived
from warily.errors import UsageError
from warily.formats.snp_report import PlatformBit, PolicyBit

LIMIT: Final = 1 << 20
TABLE: Final = "snp"
_U32: Final = (1 << 32) - 1

_T = TypeVar("_T")
_Reader = Callable[[object, str], Any]


def read_expectation(text: bytes) -> SnpExpect:
    """The expectation that a TOML file of at most 1 MiB holds. Raises `UsageError`, naming the key."""
    if len(text) > LIMIT:
        _refuse(f"{len(text)} bytes are over the limit of {LIMIT}")
    try:
        top = tomllib.loads(text.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        _refuse(f"not TOML: {error}")
    table = _table(top, (TABLE,), "the file")[TABLE]
    values = _table(table, tuple(_READERS), TABLE)
    return SnpExpect(**{key: read(values[key], f"{TABLE}.{key}") for key, read in _READERS.items()})


def _refuse(what: str) -> NoReturn:
    hint = 'every key of [snp] is needed; switch a check off with KEY = { waived = "the reason" }'
    message = f"expectation: {what}"
    raise UsageError(message, hint=hint)


def _table(value: object, keys: tuple[str, ...], what: str) -> dict[str, Any]:
    """A table with exactly these keys."""
    if not isinstance(value, dict):
        _refuse(f"{what} is not a table")
    unknown = sorted(set(value) - set(keys))
    if unknown:
        import difflib  # noqa: PLC0415  # only for a mistyped key

        near = difflib.get_close_matches(unknown[0], keys, n=1)
        _refuse(f"unknown key {what}.{unknown[0]}" + (f"; did you mean {near[0]}?" if near else ""))
    for key in keys:
        if key not in value:
            _refuse(f"{what}.{key} is missing")
    return value


def _waivable(read: Callable[[object, str], _T]) -> Callable[[object, str], _T | Waived]:
    """Also accept `{ waived = "reason" }`."""

    def either(value: object, what: str) -> _T | Waived:
        if isinstance(value, dict) and set(value) == {"waived"}:
            reason = value["waived"]
            if not isinstance(reason, str) or not reason.strip() or len(reason) > 200 or not reason.isprintable():  # noqa: PLR2004  # one line
                _refuse(f"{what}: a waiver needs a reason of one line")
            return Waived(reason)
        return read(value, what)

    return either


def _hexadecimal(width: int) -> Callable[[object, str], bytes]:
    def read(value: object, what: str) -> bytes:
        try:
            data = bytes.fromhex(value) if isinstance(value, str) else b""
        except ValueError:
            data = b""
        if len(data) != width:
            _refuse(f"{what} is not {width} bytes in hexadecimal")
        return data

    return read


def _set_of(read: Callable[[object, str], _T]) -> Callable[[object, str], frozenset[_T]]:
    def read_all(value: object, what: str) -> frozenset[_T]:
        if not isinstance(value, list):
            _refuse(f"{what} is not a list")
        return frozenset(read(entry, f"{what}[{at}]") for at, entry in enumerate(value))

    return read_all


def _number(high: int) -> Callable[[object, str], int]:
    def read(value: object, what: str) -> int:
        if type(value) is not int or not 0 <= value <= high:
            _refuse(f"{what} is not an integer from 0 to {high}")
        return value

    return read


def _flag(value: object, what: str) -> bool:
    if not isinstance(value, bool):
        _refuse(f"{what} is not true or false")
    return value


def _bit_rule(kind: type[IntFlag]) -> Callable[[object, str], BitRule]:
    names = {member.name or "": int(member) for member in kind}

    def bits(value: object, what: str) -> int:
        found = 0
        for entry in value if isinstance(value, list) else [None]:
            if isinstance(entry, str) and entry in names:
                found |= names[entry]
            elif type(entry) is int and 0 <= entry < 64:  # noqa: PLR2004  # both fields have 64 bits
                found |= 1 << entry
            else:
                _refuse(f"{what}: not a list of bit numbers and of {', '.join(names)}")
        return found

    def read(value: object, what: str) -> BitRule:
        table = _table(value, ("required", "forbidden"), what)
        return BitRule(
            required=bits(table["required"], f"{what}.required"),
            forbidden=bits(table["forbidden"], f"{what}.forbidden"),
        )

    return read


def _tcb_floor(value: object, what: str) -> TcbFloor:
    parts = tuple(entry.name for entry in fields(TcbFloor))
    table = _table(value, parts, what)
    return TcbFloor(**{part: _number(255)(table[part], f"{what}.{part}") for part in parts})


_READERS: Final[dict[str, _Reader]] = {
    "rehearsal_roots": _set_of(_hexadecimal(32)),
    "measurements": _waivable(_set_of(_hexadecimal(48))),
    "report_data": _waivable(_hexadecimal(64)),
    "host_data": _waivable(_set_of(_hexadecimal(32))),
    "vmpls": _waivable(_set_of(_number(3))),
    "policy": _waivable(_bit_rule(PolicyBit)),
    "platform": _waivable(_bit_rule(PlatformBit)),
    "unknown_bits": _waivable(_flag),
    "tcb_floor": _waivable(_tcb_floor),
    "guest_svn": _waivable(_number(_U32)),
    "chip_ids": _waivable(_set_of(_hexadecimal(64))),
    "id_key_digests": _waivable(_set_of(_hexadecimal(48))),
    "author_key_digests": _waivable(_set_of(_hexadecimal(48))),
    "family_id": _waivable(_hexadecimal(16)),
    "image_id": _waivable(_hexadecimal(16)),
    "migration_agent": _waivable(_flag),
    "provisional_firmware": _waivable(_flag),
}
