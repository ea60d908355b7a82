"""What Intel's provisioning service (PCS, API version 4) hands out: signed statements, alone and in bundles.

Intel signs the exact bytes of a JSON value inside another, so the text of that value is kept as received. What stands
in it, `intel_tcb.py` reads.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Self

from warily.errors import FormatError
from warily.formats import json_text, pem
from warily.formats.intel_tcb import LIMIT, QeIdentity, TcbInfo, from_hex

__all__ = ["LIMIT", "QE_IDENTITY", "TCB_INFO", "Bundle", "QeIdentity", "Statement", "TcbInfo", "decode_response"]


TCB_INFO: Final = "tcbInfo"
QE_IDENTITY: Final = "enclaveIdentity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Something that Intel signed: the exact text, r‖s of ECDSA P-256, and the chain it came with, signer first."""

    text: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    chain: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A collateral bundle as quote verification libraries store it (`sgx_ql_qve_collateral_t` in JSON)."""

    tcb_info: Statement | None
    qe_identity: Statement | None
    root_crl: bytes | None
    pck_crl: bytes | None
    certificates: tuple[bytes, ...]

    @classmethod
    def decode(cls, text: bytes, read: Mapping[str, object] | None = None) -> Self:
        """The bundle: CRLs in hexadecimal DER or PEM, chains in PEM, signed JSON as text. Raises `FormatError`.

        `read` may be its members, where `text` was read as JSON already. They do if all are texts, as in most bundles;
        of a member that is an object the exact text counts.
        """
        within = _text(text, "bundle")
        members: dict[str, str] = {key: value for key, value in (read or {}).items() if isinstance(value, str)}
        if not members or len(members) != len(read or ()):
            members = _texts(json_text.members(within, what="bundle"))
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
            return key, Statement(
                text=members[key].encode(), signature=_signature(_string(_texts(members), "signature"))
            )
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


class _Raw(str):
    """A JSON value that is no text, as it was written."""

    __slots__ = ()


def _texts(members: dict[str, str]) -> dict[str, str]:
    """The members that are text, read; the others as they were written. What is null is not there."""
    return {
        key: json.loads(value) if value.startswith('"') else _Raw(value)
        for key, value in members.items()
        if value != "null"
    }


def _string(members: dict[str, str], key: str) -> str:
    """A text member; an absent one is empty."""
    value = members.get(key, "")
    if isinstance(value, _Raw):
        msg = f"{key} is not text"
        raise FormatError(msg)
    if not value.isascii():
        msg = f"{key} is not ASCII"
        raise FormatError(msg)
    return value


def _statement(members: dict[str, str], key: str, inner: str) -> Statement | None:
    """A signed value: as text or as an object; alone, or in the response that the service gave."""
    if key not in members:
        return None
    value = members[key]
    text = value if isinstance(value, _Raw) and value.startswith("{") else _string(members, key)
    signed, signature = text, _string(members, f"{key}_signature")
    within = json_text.members(text, what=key) if f'"{inner}"' in text else {}
    if inner in within:
        signed, signature = within[inner], _string(_texts(within), "signature") or signature
    return Statement(
        text=signed.encode(), signature=_signature(signature), chain=_chain(members, f"{key}_issuer_chain")
    )


def _signature(text: str) -> bytes:
    return from_hex(text, "signature", 64)


def _chain(members: dict[str, str], key: str) -> tuple[bytes, ...]:
    text = _string(members, key).rstrip("\x00")
    return _certificates(text) if text.strip() else ()


@lru_cache(maxsize=16)  # statements of one day have one chain
def _certificates(text: str) -> tuple[bytes, ...]:
    return tuple(block.der for block in pem.decode_blocks(text.encode()) if block.label == pem.CERTIFICATE)


def _crl(members: dict[str, str], key: str) -> bytes | None:
    """A list in hexadecimal DER or in PEM; None where there is no such member. An empty one is no list."""
    if key not in members:
        return None
    text = _string(members, key).strip().rstrip("\x00")
    if pem.MARK.decode() in text:
        lists = [block.der for block in pem.decode_blocks(text.encode()) if block.label == pem.CRL]
        if len(lists) == 1:
            return lists[0]
        text = ""
    if not text:
        msg = f"bundle: {key} holds no revocation list"
        raise FormatError(msg)
    return from_hex(text, key, None)
