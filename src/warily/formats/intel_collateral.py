"""What Intel's provisioning service (PCS, API version 4) says about platforms: TCB info, QE identity, and a bundle.

Intel signs the exact bytes of a JSON value inside another, so the text of that value is kept as received.
Members that these structures do not name are passed over: Intel adds some without a new version.
"""

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Self

from warily.errors import FormatError
from warily.formats import json_text, pem
from warily.formats._json import JsonObject

LIMIT: Final = 1 << 20
COMPONENTS: Final = 16
_SVN: Final = (1 << 16) - 1
_MAX_LEVELS: Final = 1024
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")

TCB_INFO: Final = "tcbInfo"
QE_IDENTITY: Final = "enclaveIdentity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Something that Intel signed: the exact text, r‖s of ECDSA P-256, and the chain it came with, signer first."""

    text: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    chain: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleLevel:
    """A level of the TDX module, or of the quoting enclave, by its ISV SVN."""

    isvsvn: int
    date: datetime
    status: str
    advisories: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleIdentity:
    """A major version of the TDX module, `TDX_03` for instance, as TCB info describes it."""

    id: str
    mrsigner: bytes
    attributes: int
    levels: tuple[ModuleLevel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TcbLevel:
    """A level of the platform: what every SVN must at least be, and what Intel says of such platforms."""

    sgx: tuple[int, ...]
    tdx: tuple[int, ...]
    pcesvn: int
    date: datetime
    status: str
    advisories: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TcbInfo:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class QeIdentity:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A collateral bundle as quote verification libraries store it (`sgx_ql_qve_collateral_t` in JSON)."""

    tcb_info: Statement | None
    qe_identity: Statement | None
    root_crl: bytes | None
    pck_crl: bytes | None
    certificates: tuple[bytes, ...]

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """The bundle: CRLs in hexadecimal DER or PEM, chains in PEM, signed JSON as text. Raises `FormatError`."""
        members = json_text.members(_text(text, "bundle"), what="bundle")
        chains = [_chain(members, key) for key in ("pck_crl_issuer_chain", "pck_certificate_chain")]
        return cls(
            tcb_info=_statement(members, "tcb_info", TCB_INFO),
            qe_identity=_statement(members, "qe_identity", QE_IDENTITY),
            root_crl=_crl(members, "root_ca_crl"),
            pck_crl=_crl(members, "pck_crl"),
            certificates=tuple(der for chain in chains for der in chain),
        )


def looks_like_bundle(keys: tuple[str, ...]) -> bool:
    """Whether JSON with these members is a bundle. Others call something else `tcb_info`: dstack, for instance."""
    known = set(keys)
    return bool({"qe_identity", "root_ca_crl", "pck_crl"} & known) or {"tcb_info", "tcb_info_signature"} <= known


def decode_response(text: bytes) -> tuple[str, Statement]:
    """What a PCS response holds: `tcbInfo` or `enclaveIdentity`, and the statement. Raises `FormatError`."""
    members = json_text.members(_text(text, "response"), what="response")
    for key in (TCB_INFO, QE_IDENTITY):
        if key in members:
            return key, Statement(text=members[key].encode(), signature=_signature(_string(members, "signature")))
    msg = f"response: neither {TCB_INFO} nor {QE_IDENTITY}"
    raise FormatError(msg)


def _text(data: bytes, what: str) -> str:
    if len(data) > 4 * LIMIT:
        msg = f"{what}: {len(data)} bytes are over the limit of {4 * LIMIT}"
        raise FormatError(msg)
    try:
        return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError:
        msg = f"{what}: not UTF-8"
        raise FormatError(msg) from None


def _string(members: dict[str, str], key: str) -> str:
    """A text member; absent and null are empty."""
    value = json.loads(members.get(key, "null"))
    if value is not None and not isinstance(value, str):
        msg = f"{key} is not text"
        raise FormatError(msg)
    if value and not value.isascii():
        msg = f"{key} is not ASCII"
        raise FormatError(msg)
    return value or ""


def _statement(members: dict[str, str], key: str, inner: str) -> Statement | None:
    """A signed value: as text or as an object; alone, or in the response that the service gave."""
    if members.get(key, "null") == "null":
        return None
    raw = members[key]
    text = raw if raw.startswith("{") else _string(members, key)
    signed, signature = text, _string(members, f"{key}_signature")
    within = json_text.members(text, what=key) if f'"{inner}"' in text else {}
    if inner in within:
        signed, signature = within[inner], _string(within, "signature") or signature
    return Statement(
        text=signed.encode(), signature=_signature(signature), chain=_chain(members, f"{key}_issuer_chain")
    )


def _signature(text: str) -> bytes:
    return _from_hex(text, "signature", 64)


def _chain(members: dict[str, str], key: str) -> tuple[bytes, ...]:
    text = _string(members, key).rstrip("\x00")
    return _certificates(text) if text.strip() else ()


@lru_cache(maxsize=16)  # statements of one day have one chain
def _certificates(text: str) -> tuple[bytes, ...]:
    return tuple(block.der for block in pem.decode_blocks(text.encode()) if block.label == pem.CERTIFICATE)


def _crl(members: dict[str, str], key: str) -> bytes | None:
    """A list in hexadecimal DER or in PEM; None where there is no such member. An empty one is no list."""
    if members.get(key, "null") == "null":
        return None
    text = _string(members, key).strip().rstrip("\x00")
    if pem.MARK in text.encode():
        lists = [block.der for block in pem.decode_blocks(text.encode()) if block.label == pem.CRL]
        if len(lists) == 1:
            return lists[0]
        text = ""
    if not text:
        msg = f"bundle: {key} holds no revocation list"
        raise FormatError(msg)
    return _from_hex(text, key, None)


def _from_hex(text: str, what: str, width: int | None) -> bytes:
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
    return _from_hex(source.text(key, limit=2 * width), f"{source.what}: {key}", width)


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
    if not all(re.fullmatch(r"[A-Za-z0-9-]{1,32}", one) for one in found):
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
    found: tuple[Any, ...] = tuple(one.get("svn") if isinstance(one, dict) else None for one in listed)
    if len(found) != COMPONENTS or not all(type(svn) is int and 0 <= svn <= _SVN for svn in found):
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
