"""What Intel says about platforms and quoting enclaves, in what it signs: TCB info and QE identity (PCS, version 4).

Members that these structures do not name are passed over: Intel adds some without a new version. The values are named
tuples and not dataclasses: there are many, and one is made in a third of the time.
"""

import re
from datetime import datetime
from operator import itemgetter
from typing import Any, Final, NamedTuple, Self

from warily.errors import FormatError
from warily.formats._json import JsonObject

LIMIT: Final = 1 << 20
COMPONENTS: Final = 16
_SVN: Final = (1 << 16) - 1
_MAX_LEVELS: Final = 1024
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
_ADVISORY: Final = re.compile(r"[A-Za-z0-9-]{1,32}")


class ModuleLevel(NamedTuple):
    """A level of the TDX module, or of the quoting enclave, by its ISV SVN."""

    isvsvn: int
    date: datetime
    status: str
    advisories: tuple[str, ...]


class ModuleIdentity(NamedTuple):
    """A major version of the TDX module, `TDX_03` for instance, as TCB info describes it."""

    id: str
    mrsigner: bytes
    attributes: int
    levels: tuple[ModuleLevel, ...]


class TcbLevel(NamedTuple):
    """A level of the platform: what every SVN must at least be, and what Intel says of such platforms."""

    sgx: tuple[int, ...]
    tdx: tuple[int, ...]
    pcesvn: int
    date: datetime
    status: str
    advisories: tuple[str, ...]


class TcbInfo(NamedTuple):
    """TCB info version 3 for one FMSPC. Levels in the order of the text; `module` is None for SGX."""

    id: str
    issued: datetime
    next_update: datetime
    fmspc: bytes
    pceid: bytes
    evaluation: int
    module: ModuleIdentity | None
    modules: tuple[ModuleIdentity, ...]
    levels: tuple[TcbLevel, ...]

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """The TCB info that `text` (JSON, at most 1 MiB) is. Raises `FormatError`."""
        top = JsonObject.parse(text, what="TCB info", limit=LIMIT)
        if top.number("version") != 3:
            msg = "TCB info: its version is not 3"
            raise FormatError(msg)
        tdx = top.text("id") == "TDX"
        return cls(
            id=top.text("id", limit=16),
            issued=_date(top, "issueDate"),
            next_update=_date(top, "nextUpdate"),
            fmspc=_hex(top, "fmspc", 6),
            pceid=_hex(top, "pceId", 2),
            evaluation=top.number("tcbEvaluationDataNumber", high=(1 << 32) - 1),
            module=_module(top.object("tdxModule"), id_="") if tdx else None,
            modules=_modules(top),
            levels=_filled(tuple(_level(one, tdx=tdx) for one in top.objects("tcbLevels", limit=_MAX_LEVELS)), top),
        )


class QeIdentity(NamedTuple):
    """Which quoting enclaves Intel vouches for, version 2. Masks are applied before comparing."""

    id: str
    issued: datetime
    next_update: datetime
    evaluation: int
    miscselect: int
    miscselect_mask: int
    attributes: bytes
    attributes_mask: bytes
    mrsigner: bytes
    isvprodid: int
    levels: tuple[ModuleLevel, ...]

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """The QE identity that `text` (JSON, at most 1 MiB) is. Raises `FormatError`."""
        top = JsonObject.parse(text, what="QE identity", limit=LIMIT)
        if top.number("version") != 2:
            msg = "QE identity: its version is not 2"
            raise FormatError(msg)
        return cls(
            id=top.text("id", limit=16),
            issued=_date(top, "issueDate"),
            next_update=_date(top, "nextUpdate"),
            evaluation=top.number("tcbEvaluationDataNumber", high=(1 << 32) - 1),
            miscselect=int.from_bytes(_hex(top, "miscselect", 4), "little"),
            miscselect_mask=int.from_bytes(_hex(top, "miscselectMask", 4), "little"),
            attributes=_hex(top, "attributes", 16),
            attributes_mask=_hex(top, "attributesMask", 16),
            mrsigner=_hex(top, "mrsigner", 32),
            isvprodid=top.number("isvprodid", high=_SVN),
            levels=_filled(_module_levels(top), top),
        )


def from_hex(text: str, what: str, width: int | None) -> bytes:
    """The bytes that hexadecimal in either case means, `width` of them where given. Raises `FormatError`."""
    try:
        data = bytes.fromhex(text)
    except ValueError:
        data = b""
    if len(text) != 2 * len(data) or not data or (width is not None and len(data) != width):
        msg = f"{what} is not {'' if width is None else f'{width} bytes of '}hexadecimal"
        raise FormatError(msg)
    return data


def _hex(source: JsonObject, key: str, width: int) -> bytes:
    """Hexadecimal in either case, as Intel writes it."""
    return from_hex(source.text(key, limit=2 * width), f"{source.what}: {key}", width)


def _date(source: JsonObject, key: str) -> datetime:
    text = source.text(key, limit=32)
    try:
        if _DATE.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    msg = f"{source.what}: {key} is not a time in UTC"
    raise FormatError(msg)


def _advisories(source: JsonObject) -> tuple[str, ...]:
    if "advisoryIDs" not in source:
        return ()
    found = source.texts("advisoryIDs", limit=256)
    if not all(map(_ADVISORY.fullmatch, found)):
        msg = f"{source.what}: an advisory ID is not a short name"
        raise FormatError(msg)
    return found


def _level(source: JsonObject, *, tdx: bool) -> TcbLevel:
    tcb = source.object("tcb")
    return TcbLevel(
        sgx=_components(tcb, "sgxtcbcomponents"),
        tdx=_components(tcb, "tdxtcbcomponents") if tdx else (),
        pcesvn=tcb.number("pcesvn", high=_SVN),
        date=_date(source, "tcbDate"),
        status=source.text("tcbStatus", limit=64),
        advisories=_advisories(source),
    )


def _components(tcb: JsonObject, key: str) -> tuple[int, ...]:
    listed = tcb.array(key, limit=COMPONENTS)
    try:
        found: tuple[Any, ...] = tuple(map(itemgetter("svn"), listed))
    except (KeyError, TypeError):  # no such member, or no object
        found = ()
    if len(found) != COMPONENTS or set(map(type, found)) != {int} or min(found) < 0 or max(found) > _SVN:
        msg = f"{tcb.what}: {key} is not {COMPONENTS} objects with an SVN up to {_SVN}"
        raise FormatError(msg)
    return found


def _module(source: JsonObject, *, id_: str) -> ModuleIdentity:
    levels = _filled(_module_levels(source), source) if id_ else ()
    attributes = int.from_bytes(_hex(source, "attributes", 8), "little")
    return ModuleIdentity(id=id_, mrsigner=_hex(source, "mrsigner", 48), attributes=attributes, levels=levels)


def _modules(top: JsonObject) -> tuple[ModuleIdentity, ...]:
    if "tdxModuleIdentities" not in top:
        return ()
    listed = top.objects("tdxModuleIdentities", limit=256)
    return tuple(_module(one, id_=one.text("id", limit=16).upper() or "?") for one in listed)


def _module_levels(source: JsonObject) -> tuple[ModuleLevel, ...]:
    return tuple(
        ModuleLevel(
            isvsvn=one.object("tcb").number("isvsvn", high=_SVN),
            date=_date(one, "tcbDate"),
            status=one.text("tcbStatus", limit=64),
            advisories=_advisories(one),
        )
        for one in source.objects("tcbLevels", limit=_MAX_LEVELS)
    )


def _filled(levels: tuple[Any, ...], source: JsonObject) -> tuple[Any, ...]:
    if not levels:
        msg = f"{source.what}: no levels"
        raise FormatError(msg)
    return levels
