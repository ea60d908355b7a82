"""Expectation files: what is wanted as TOML, in one table named after the platform. Nothing has a default.

    [snp]
    rehearsal_roots = []
    measurements = ["<96 hex digits>"]
    report_data = { waived = "this is an audit, not a key release" }
    policy = { required = [], forbidden = ["DEBUG", "MIGRATE_MA"] }
    …

Bits may also be given as `{ value = "0x10000000", mask = "0x300000ff" }`.
A missing, unknown or mistyped key is a `UsageError` that names it.
"""

import hashlib
import tomllib
from collections.abc import Callable
from dataclasses import fields
from datetime import date, datetime
from enum import IntFlag
from typing import Any, Final, NoReturn, TypeVar

from warily.core.expect import BitRule, Expect, NitroExpect, SnpExpect, StatusRule, TcbFloor, TdxExpect, TpmExpect
from warily.core.finding import Waived
from warily.core.registers import BANKS
from warily.errors import UsageError
from warily.formats.pck import PlatformFlag
from warily.formats.snp_report import PlatformBit, PolicyBit
from warily.formats.tdx_quote import TdAttribute, Xfam
from warily.verify.tdx.tcb import TcbStatus

LIMIT: Final = 1 << 20
_U32: Final = (1 << 32) - 1

_T = TypeVar("_T")
_Reader = Callable[[object, str], Any]


def read_expectation(text: bytes) -> Expect:
    """The expectation that a TOML file of at most 1 MiB holds. Raises `UsageError`, naming the key."""
    if len(text) > LIMIT:
        _refuse(f"{len(text)} bytes are over the limit of {LIMIT}")
    try:
        top = tomllib.loads(text.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        _refuse(f"not TOML: {error}")
    if "tpm" in top:
        return _tpm(top)
    for name in top:
        if name not in _PLATFORMS:
            _refuse(f"unknown key the file.{name}")
    if len(top) != 1:
        _refuse(f"the file has {len(top)} tables, not one of {', '.join(f'[{name}]' for name in _PLATFORMS)}")
    return _read(next(iter(top)), top)


def _read(name: str, top: dict[str, Any]) -> Expect:
    """The expectation in the table of that name."""
    kind, readers = _PLATFORMS[name]
    values = _table(top[name], tuple(readers), name)
    made: Expect = kind(**{key: read(values[key], f"{name}.{key}") for key, read in readers.items()})
    return made


def _tpm(top: dict[str, Any]) -> TpmExpect:
    """The table [tpm], and beside it the one of the processor below a virtual TPM, where [tpm] names one."""
    values = _table(top["tpm"], tuple(_TPM), "tpm")
    found = {key: read(values[key], f"tpm.{key}") for key, read in _TPM.items()}
    below = found["hardware"]
    _table(top, ("tpm",) if isinstance(below, Waived) else ("tpm", below), "the file")
    return TpmExpect(**found | {"hardware": below if isinstance(below, Waived) else _read(below, top)})


def _refuse(what: str) -> NoReturn:
    hint = 'every key of the table is needed; switch a check off with KEY = { waived = "the reason" }'
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
            elif type(entry) is int and 0 <= entry < 64:  # noqa: PLR2004  # no such field has over 64 bits
                found |= 1 << entry
            else:
                _refuse(f"{what}: not a list of bit numbers and of {', '.join(names)}")
        return found

    def read(value: object, what: str) -> BitRule:
        if isinstance(value, dict) and {"value", "mask"} & set(value):
            masked = _table(value, ("value", "mask"), what)
            wanted, mask = (_prefixed(masked[key], f"{what}.{key}") for key in ("value", "mask"))
            return BitRule(required=wanted & mask, forbidden=mask & ~wanted)
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


def _prefixed(value: object, what: str) -> int:
    """A number of at most 64 bits in hexadecimal, `0x` before it."""
    digits = value[2:] if isinstance(value, str) and value.startswith("0x") else ""
    if not 1 <= len(digits) <= 16 or not set(digits) <= set("0123456789abcdefABCDEF"):  # noqa: PLR2004  # 64 bits
        _refuse(f"{what} is not a number like 0x10000000")
    return int(digits, 16)


def _status(value: object, what: str) -> StatusRule:
    """`{ status = "OutOfDate", since = 2024-03-13 }`, or the name alone."""
    if isinstance(value, str):
        value = {"status": value}
    if not isinstance(value, dict) or not {"status"} <= set(value) <= {"status", "since"}:
        _refuse(f"{what} is neither a status nor a table of status and since")
    status, since = value["status"], value.get("since")
    if status not in _STATUSES:
        _refuse(f"{what}: {status!r} is none of {', '.join(_STATUSES)}")
    if since is not None and (not isinstance(since, date) or isinstance(since, datetime)):
        _refuse(f"{what}.since is not a date")
    return StatusRule(status=status, since=since)


def _advisory(value: object, what: str) -> str:
    if not isinstance(value, str) or not value.isascii() or not 1 <= len(value) <= 32 or not value.isprintable():  # noqa: PLR2004  # a short name
        _refuse(f"{what} is not the name of an advisory")
    return value


def _unsaid_or(read: Callable[[object, str], bytes]) -> Callable[[object, str], bytes]:
    """Also accept the empty text: evidence that does not say."""
    return lambda value, what: b"" if value == "" else read(value, what)


def _one_of(*names: str) -> Callable[[object, str], str]:
    def read(value: object, what: str) -> str:
        if not isinstance(value, str) or value not in names:
            _refuse(f"{what} is none of {', '.join(names)}")
        return value

    return read


def _octets(limit: int) -> Callable[[object, str], bytes]:
    """Hexadecimal of any length up to `limit` bytes."""

    def read(value: object, what: str) -> bytes:
        size = len(value) // 2 if isinstance(value, str) else 0
        if not 1 <= size <= limit:
            _refuse(f"{what} is not 1 to {limit} bytes in hexadecimal")
        return _hexadecimal(size)(value, what)

    return read


def _line(value: object, what: str) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= 256 or not value.isprintable():  # noqa: PLR2004  # one line
        _refuse(f"{what} is not a text of one line")
    return value


def _pcr_values(value: object, what: str) -> dict[str, dict[int, frozenset[bytes]]]:
    """`{ sha256 = { "4" = ["<64 hex digits>", …] } }`: acceptable values by bank and register."""
    if not isinstance(value, dict) or not value or not set(value) <= set(BANKS):
        _refuse(f"{what} is not a table by bank: {', '.join(BANKS)}")
    return {bank: _registers(bank, entries, f"{what}.{bank}") for bank, entries in value.items()}


def _registers(bank: str, entries: object, what: str) -> dict[int, frozenset[bytes]]:
    if not isinstance(entries, dict) or not entries or not set(entries) <= {str(pcr) for pcr in range(24)}:
        _refuse(f"{what} is not a table by register, 0 to 23")
    read = _set_of(_hexadecimal(hashlib.new(bank).digest_size))
    return {int(pcr): read(values, f"{what}.{pcr}") for pcr, values in entries.items()}


_STATUSES: Final = tuple(one.value for one in TcbStatus if one is not TcbStatus.REVOKED)
_SNP: Final[dict[str, _Reader]] = {
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
_REGISTER: Final = _waivable(_set_of(_hexadecimal(48)))
_TDX: Final[dict[str, _Reader]] = {
    "rehearsal_roots": _set_of(_hexadecimal(32)),
    "enclaves": _waivable(_set_of(_hexadecimal(32))),
    "debug": _waivable(_flag),
    "statuses": _waivable(_set_of(_status)),
    "advisories": _waivable(_set_of(_advisory)),
    "evaluation": _waivable(_number(_U32)),
    "attributes": _waivable(_bit_rule(TdAttribute)),
    "xfam": _waivable(_bit_rule(Xfam)),
    "unknown_bits": _waivable(_flag),
    "platform": _waivable(_bit_rule(PlatformFlag)),
    "platform_ids": _waivable(_set_of(_hexadecimal(16))),
    "tee_tcb_svn": _waivable(_hexadecimal(16)),
    "qe_svn": _waivable(_number(_U32)),
    "pce_svn": _waivable(_number(_U32)),
    "mrseams": _REGISTER,
    "mrtds": _REGISTER,
    "mrconfigids": _REGISTER,
    "mrowners": _REGISTER,
    "mrownerconfigs": _REGISTER,
    "mrservicetds": _waivable(_set_of(_unsaid_or(_hexadecimal(48)))),
    "rtmr0": _REGISTER,
    "rtmr1": _REGISTER,
    "rtmr2": _REGISTER,
    "rtmr3": _REGISTER,
    "report_data": _waivable(_hexadecimal(64)),
}
_TPM: Final[dict[str, _Reader]] = {
    "authorities": _set_of(_hexadecimal(32)),
    "attestation_keys": _set_of(_hexadecimal(32)),
    "bindings": _waivable(_set_of(_one_of("snp", "tdx", "certificate", "named"))),
    "hardware": _waivable(_one_of("snp", "tdx")),
    "nonce": _waivable(_octets(64)),
    "banks": _waivable(_set_of(_one_of(*BANKS))),
    "selection": _waivable(_set_of(_number(23))),
    "pcrs": _waivable(_pcr_values),
    "log_registers": _waivable(_set_of(_number(23))),
    "secure_boot": _waivable(_flag),
    "instances": _waivable(_set_of(_line)),
    "user_data": _waivable(_octets(64)),
}
# The tables there may be: the type that each makes, and how its keys are read.
_NITRO: Final[dict[str, _Reader]] = {
    "rehearsal_roots": _set_of(_hexadecimal(32)),
    "debug": _waivable(_flag),
    "tpm": _waivable(_flag),
    "pcrs": _waivable(lambda value, what: _registers("sha384", value, what)),
    "nonce": _waivable(_octets(4096)),
    "user_data": _waivable(_octets(4096)),
    "public_key": _waivable(_octets(4096)),
    "modules": _waivable(_set_of(_line)),
    "max_age": _waivable(_number(_U32)),
}
_PLATFORMS: Final[dict[str, tuple[type[Any], dict[str, _Reader]]]] = {
    "snp": (SnpExpect, _SNP),
    "tdx": (TdxExpect, _TDX),
    "nitro": (NitroExpect, _NITRO),
}
