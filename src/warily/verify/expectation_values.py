"""How the values of expectation files are read: each reader takes a TOML value and the key that it stands at.

A mistyped value is a `UsageError` that names the key.
"""

import hashlib
from collections.abc import Callable
from dataclasses import fields
from datetime import date, datetime
from enum import IntFlag
from typing import Any, Final, NoReturn, TypeVar

from warily.core.expect import BitRule, StatusRule, TcbFloor
from warily.core.finding import Waived
from warily.core.registers import BANKS
from warily.errors import UsageError
from warily.verify.advisories import known_ids
from warily.verify.tdx.tcb import TcbStatus

U32: Final = (1 << 32) - 1
STATUSES: Final = tuple(one.value for one in TcbStatus if one is not TcbStatus.REVOKED)
MAX_EXPRESSION: Final = 4096

_T = TypeVar("_T")


def refuse(what: str) -> NoReturn:
    """Raises `UsageError`: what is wrong with the file, and how a check is switched off."""
    hint = 'every key of the table is needed; switch a check off with KEY = { waived = "the reason" }'
    message = f"expectation: {what}"
    raise UsageError(message, hint=hint)


def table(value: object, keys: tuple[str, ...], what: str) -> dict[str, Any]:
    """A table with exactly these keys."""
    if not isinstance(value, dict):
        refuse(f"{what} is not a table")
    unknown = sorted(set(value) - set(keys))
    if unknown:
        import difflib  # noqa: PLC0415  # only for a mistyped key

        near = difflib.get_close_matches(unknown[0], keys, n=1)
        refuse(f"unknown key {what}.{unknown[0]}" + (f"; did you mean {near[0]}?" if near else ""))
    for key in keys:
        if key not in value:
            refuse(f"{what}.{key} is missing")
    return value


def waivable(read: Callable[[object, str], _T]) -> Callable[[object, str], _T | Waived]:
    """Also accept `{ waived = "reason" }`."""

    def either(value: object, what: str) -> _T | Waived:
        if isinstance(value, dict) and set(value) == {"waived"}:
            reason = value["waived"]
            if not isinstance(reason, str) or not reason.strip() or len(reason) > 200 or not reason.isprintable():  # noqa: PLR2004  # one line
                refuse(f"{what}: a waiver needs a reason of one line")
            return Waived(reason)
        return read(value, what)

    return either


def hexadecimal(width: int) -> Callable[[object, str], bytes]:
    """So many bytes in hexadecimal."""

    def read(value: object, what: str) -> bytes:
        try:
            data = bytes.fromhex(value) if isinstance(value, str) else b""
        except ValueError:
            data = b""
        if len(data) != width:
            refuse(f"{what} is not {width} bytes in hexadecimal")
        return data

    return read


def set_of(read: Callable[[object, str], _T]) -> Callable[[object, str], frozenset[_T]]:
    """A list, each entry as `read` takes it."""

    def read_all(value: object, what: str) -> frozenset[_T]:
        if not isinstance(value, list):
            refuse(f"{what} is not a list")
        return frozenset(read(entry, f"{what}[{at}]") for at, entry in enumerate(value))

    return read_all


def number(high: int) -> Callable[[object, str], int]:
    """An integer from 0 to `high`."""

    def read(value: object, what: str) -> int:
        if type(value) is not int or not 0 <= value <= high:
            refuse(f"{what} is not an integer from 0 to {high}")
        return value

    return read


def flag(value: object, what: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        refuse(f"{what} is not true or false")
    return value


def bit_rule(kind: type[IntFlag]) -> Callable[[object, str], BitRule]:
    """Bits that are required and forbidden, by name or number, or a value and a mask."""
    names = {member.name or "": int(member) for member in kind}

    def bits(value: object, what: str) -> int:
        found = 0
        for entry in value if isinstance(value, list) else [None]:
            if isinstance(entry, str) and entry in names:
                found |= names[entry]
            elif type(entry) is int and 0 <= entry < 64:  # noqa: PLR2004  # no such field has over 64 bits
                found |= 1 << entry
            else:
                refuse(f"{what}: not a list of bit numbers and of {', '.join(names)}")
        return found

    def read(value: object, what: str) -> BitRule:
        if isinstance(value, dict) and {"value", "mask"} & set(value):
            masked = table(value, ("value", "mask"), what)
            wanted, mask = (prefixed(masked[key], f"{what}.{key}") for key in ("value", "mask"))
            return BitRule(required=wanted & mask, forbidden=mask & ~wanted)
        lists = table(value, ("required", "forbidden"), what)
        return BitRule(
            required=bits(lists["required"], f"{what}.required"),
            forbidden=bits(lists["forbidden"], f"{what}.forbidden"),
        )

    return read


def tcb_floor(value: object, what: str) -> TcbFloor:
    """A table of patch levels, all of them."""
    parts = tuple(entry.name for entry in fields(TcbFloor))
    levels = table(value, parts, what)
    return TcbFloor(**{part: number(255)(levels[part], f"{what}.{part}") for part in parts})


def prefixed(value: object, what: str) -> int:
    """A number of at most 64 bits in hexadecimal, `0x` before it."""
    digits = value[2:] if isinstance(value, str) and value.startswith("0x") else ""
    if not 1 <= len(digits) <= 16 or not set(digits) <= set("0123456789abcdefABCDEF"):  # noqa: PLR2004  # 64 bits
        refuse(f"{what} is not a number like 0x10000000")
    return int(digits, 16)


def status(value: object, what: str) -> StatusRule:
    """`{ status = "OutOfDate", since = 2024-03-13 }`, or the name alone."""
    if isinstance(value, str):
        value = {"status": value}
    if not isinstance(value, dict) or not {"status"} <= set(value) <= {"status", "since"}:
        refuse(f"{what} is neither a status nor a table of status and since")
    status, since = value["status"], value.get("since")
    if status not in STATUSES:
        refuse(f"{what}: {status!r} is none of {', '.join(STATUSES)}")
    if since is not None and (not isinstance(since, date) or isinstance(since, datetime)):
        refuse(f"{what}.since is not a date")
    return StatusRule(status=status, since=since)


def advisory(value: object, what: str) -> str:
    """The name of an advisory."""
    if not isinstance(value, str) or not value.isascii() or not 1 <= len(value) <= 32 or not value.isprintable():  # noqa: PLR2004  # a short name
        refuse(f"{what} is not the name of an advisory")
    return value


def advisories_of(platform: str) -> Callable[[object, str], frozenset[str] | date]:
    """A list of advisories that this version knows, or `{ published_until = 2026-01-31 }`."""

    def read(value: object, what: str) -> frozenset[str] | date:
        if isinstance(value, dict):
            day = table(value, ("published_until",), what)["published_until"]
            if not isinstance(day, date) or isinstance(day, datetime):
                refuse(f"{what}.published_until is not a date")
            return day
        names = set_of(advisory)(value, what)
        unknown = sorted(names - known_ids(platform))
        if unknown:
            refuse(f"{what}: this version knows no advisory {unknown[0]} about {platform}")
        return names

    return read


def unsaid_or(read: Callable[[object, str], bytes]) -> Callable[[object, str], bytes]:
    """Also accept the empty text: evidence that does not say."""
    return lambda value, what: b"" if value == "" else read(value, what)


def one_of(*names: str) -> Callable[[object, str], str]:
    """One of these words."""

    def read(value: object, what: str) -> str:
        if not isinstance(value, str) or value not in names:
            refuse(f"{what} is none of {', '.join(names)}")
        return value

    return read


def expression(value: object, what: str) -> str:
    """A text of a few lines, at most 4096 characters."""
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_EXPRESSION:
        refuse(f"{what} is not a text of 1 to {MAX_EXPRESSION} characters")
    return value


def octets(limit: int) -> Callable[[object, str], bytes]:
    """Hexadecimal of any length up to `limit` bytes."""

    def read(value: object, what: str) -> bytes:
        size = len(value) // 2 if isinstance(value, str) else 0
        if not 1 <= size <= limit:
            refuse(f"{what} is not 1 to {limit} bytes in hexadecimal")
        return hexadecimal(size)(value, what)

    return read


def line(value: object, what: str) -> str:
    """A text of one line."""
    if not isinstance(value, str) or not 1 <= len(value) <= 256 or not value.isprintable():  # noqa: PLR2004  # one line
        refuse(f"{what} is not a text of one line")
    return value


def pcr_values(value: object, what: str) -> dict[str, dict[int, frozenset[bytes]]]:
    """`{ sha256 = { "4" = ["<64 hex digits>", …] } }`: acceptable values by bank and register."""
    if not isinstance(value, dict) or not value or not set(value) <= set(BANKS):
        refuse(f"{what} is not a table by bank: {', '.join(BANKS)}")
    return {bank: registers(bank, entries, f"{what}.{bank}") for bank, entries in value.items()}


def measured(value: object, what: str) -> dict[int, frozenset[bytes]]:
    """`{ "1" = ["<hex digits>", …] }`: acceptable values by the index of an SPDM measurement, 1 to 254."""
    if not isinstance(value, dict) or not value or not set(value) <= {str(index) for index in range(1, 255)}:
        refuse(f"{what} is not a table by index, 1 to 254")
    read = set_of(octets(4096))
    return {int(index): read(values, f"{what}.{index}") for index, values in value.items()}


def registers(bank: str, entries: object, what: str) -> dict[int, frozenset[bytes]]:
    """A table of acceptable values by register."""
    if not isinstance(entries, dict) or not entries or not set(entries) <= {str(pcr) for pcr in range(24)}:
        refuse(f"{what} is not a table by register, 0 to 23")
    read = set_of(hexadecimal(hashlib.new(bank).digest_size))
    return {int(pcr): read(values, f"{what}.{pcr}") for pcr, values in entries.items()}
