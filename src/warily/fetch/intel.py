"""What Intel's Provisioning Certification Service has for a quote: TCB info, QE identity, revocation lists, chains.

Source: Intel SGX and TDX Provisioning Certification Service, API version 4. A PCCS answers the same paths, and has the
root's revocation list below its own address.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final
from urllib.parse import unquote

from warily.core.collateral import TdxCollateral
from warily.core.evidence import TdxEvidence
from warily.errors import FormatError
from warily.fetch.request import A_DAY, FOR_EVER, Address, Answer, Piece, Plan, Request
from warily.formats import intel_collateral, pem
from warily.formats.intel_tcb import QeIdentity, TcbInfo
from warily.formats.tdx_quote import Quote
from warily.formats.x509 import CERTIFICATE_LIMIT, CRL_LIMIT, RevocationList, common_name
from warily.verify import recognise, x509
from warily.verify.tdx.case import PCK_NAME, pick
from warily.verify.tdx.roots import NAME as ROOT_NAME

SERVICE: Final = "pcs"
ROOT_SERVICE: Final = "intel-root"
_BASE: Final = "/certification/v4"
AUTHORITIES: Final = {"Intel SGX PCK Platform CA": "platform", "Intel SGX PCK Processor CA": "processor"}
_ENCRYPTED_PPID: Final = 3  # certification data: PPID encrypted with RSA-3072, CPUSVN, PCESVN, PCEID
_PPID_SIZE, _CPUSVN_SIZE, _SVN_SIZE = 384, 16, 2
_BEFORE: Final = datetime(1970, 1, 1, tzinfo=UTC)  # a plan asks no time

# Headers that carry chains, percent-encoded PEM. The second name is that of older services.
_TCB_CHAIN: Final = ("tcb-info-issuer-chain", "sgx-tcb-info-issuer-chain")
_QE_CHAIN: Final = ("sgx-enclave-identity-issuer-chain",)
_CRL_CHAIN: Final = ("sgx-pck-crl-issuer-chain",)
_PCK_CHAIN: Final = ("sgx-pck-certificate-issuer-chain",)


def plan_quote(evidence: TdxEvidence, at_hand: Sequence[bytes]) -> Plan:
    """What the quote needs; `at_hand` are certificates (DER), for quotes that only name their platform.

    Raises `FormatError` for a malformed quote or certificate.
    """
    case = pick(evidence, TdxCollateral(certificates=tuple(at_hand)), rehearsal_roots=frozenset(), at=_BEFORE)
    tee = "tdx" if case.is_td else "sgx"
    general = (_qe_identity(tee), _root_list())
    if not case.chain or case.pck is None:
        return _unnamed(case.quote, general)
    authority = AUTHORITIES.get(common_name(case.chain[0].issuer))
    lists = (_pck_list(authority),) if authority else ()
    came = tuple(one.raw for one in case.chain)
    issuer = common_name(case.chain[0].issuer)
    unavailable = () if authority else (f"{issuer} is no authority for PCK certificates: no service has its list",)
    return Plan(requests=(_tcb_info(tee, case.pck.fmspc.hex()), *general, *lists), unavailable=unavailable, came=came)


def _unnamed(quote: Quote, general: tuple[Request, ...]) -> Plan:
    """A quote without its PCK certificate: with an encrypted PPID the service can find it, else nobody can."""
    data = quote.certification
    if quote.certification_type != _ENCRYPTED_PPID or len(data) != _PPID_SIZE + _CPUSVN_SIZE + 2 * _SVN_SIZE:
        what = f"the quote (certification data of type {quote.certification_type}) brings no PCK certificate that names"
        return Plan(requests=general, unavailable=(f"{what} its platform, and none can be asked for",))
    return Plan(requests=(_pck(data), *general))


def _pck(data: bytes) -> Request:
    places = (("encrypted_ppid", _PPID_SIZE), ("cpusvn", _CPUSVN_SIZE), ("pcesvn", _SVN_SIZE), ("pceid", _SVN_SIZE))
    values, at = [], 0
    for name, width in places:
        values.append(f"{name}={data[at : at + width].hex()}")
        at += width
    name = f"intel-pck-{data[_PPID_SIZE:].hex()[:40]}.pem"
    return Request(
        name=name,
        what=f"the {PCK_NAME} of the platform that the quote names",
        addresses=(Address(service=SERVICE, path=f"/sgx{_BASE}/pckcert?{'&'.join(values)}"),),
        limit=CERTIFICATE_LIMIT,
        keeps=FOR_EVER,
        accept=partial(_accept_pck, name),
        headers=_PCK_CHAIN,
    )


def _tcb_info(tee: str, fmspc: str) -> Request:
    name = f"intel-{tee}-tcb-info-{fmspc}"
    return Request(
        name=f"{name}.json",
        what=f"TCB info of {tee.upper()} for FMSPC {fmspc}",
        addresses=(Address(service=SERVICE, path=f"/{tee}{_BASE}/tcb?fmspc={fmspc}"),),
        limit=intel_collateral.LIMIT,
        keeps=A_DAY,
        accept=partial(_accept_tcb_info, name, tee.upper(), fmspc),
        headers=_TCB_CHAIN,
    )


def _qe_identity(tee: str) -> Request:
    name = f"intel-{tee}-qe-identity"
    return Request(
        name=f"{name}.json",
        what=f"the identity of {tee.upper()} quoting enclaves",
        addresses=(Address(service=SERVICE, path=f"/{tee}{_BASE}/qe/identity"),),
        limit=intel_collateral.LIMIT,
        keeps=A_DAY,
        accept=partial(_accept_qe_identity, name, "TD_QE" if tee == "tdx" else "QE"),
        headers=_QE_CHAIN,
    )


def _pck_list(authority: str) -> Request:
    name = f"intel-pck-crl-{authority}"
    return Request(
        name=f"{name}.der",
        what=f"the revocation list of Intel's PCK {authority} CA",
        addresses=(Address(service=SERVICE, path=f"/sgx{_BASE}/pckcrl?ca={authority}&encoding=der"),),
        limit=CRL_LIMIT,
        keeps=A_DAY,
        accept=partial(_accept_list, name, next(who for who, short in AUTHORITIES.items() if short == authority)),
        headers=_CRL_CHAIN,
    )


def _root_list() -> Request:
    return Request(
        name="intel-root-crl.der",
        what=f"the revocation list of {ROOT_NAME}",
        addresses=(
            Address(service=ROOT_SERVICE, path="/IntelSGXRootCA.der"),
            Address(service=SERVICE, path=f"/sgx{_BASE}/rootcacrl"),
        ),
        limit=2 * CRL_LIMIT,
        keeps=A_DAY,
        accept=partial(_accept_list, "intel-root-crl", ROOT_NAME),
    )


def _accept_pck(name: str, answer: Answer) -> tuple[Piece, ...]:
    ders = recognise.collateral_from((answer.body,)).certificates
    leaf = x509.decoded(ders[0]) if len(ders) == 1 else None
    if leaf is None or leaf.name != PCK_NAME:
        msg = f"one {PCK_NAME} was asked for, and something else came"
        raise FormatError(msg)
    return (Piece(name=name, data=_pem((leaf.raw,))), _chain(answer, _PCK_CHAIN, name.removesuffix(".pem")))


def _accept_tcb_info(name: str, tee: str, fmspc: str, answer: Answer) -> tuple[Piece, ...]:
    kind, statement = intel_collateral.decode_response(answer.body)
    if kind != intel_collateral.TCB_INFO:
        msg = f"TCB info was asked for, and {kind} came"
        raise FormatError(msg)
    info = TcbInfo.decode(statement.text)
    if (info.id, info.fmspc.hex()) != (tee, fmspc):
        msg = f"TCB info of {tee} for {fmspc} was asked for; what came is of {info.id} for {info.fmspc.hex()}"
        raise FormatError(msg)
    return Piece(name=f"{name}.json", data=answer.body), _chain(answer, _TCB_CHAIN, name)


def _accept_qe_identity(name: str, wanted: str, answer: Answer) -> tuple[Piece, ...]:
    kind, statement = intel_collateral.decode_response(answer.body)
    if kind != intel_collateral.QE_IDENTITY or QeIdentity.decode(statement.text).id != wanted:
        msg = f"the identity {wanted} was asked for, and something else came"
        raise FormatError(msg)
    return Piece(name=f"{name}.json", data=answer.body), _chain(answer, _QE_CHAIN, name)


def _accept_list(name: str, issuer: str, answer: Answer) -> tuple[Piece, ...]:
    lists = recognise.collateral_from((answer.body,)).crls
    if len(lists) != 1 or RevocationList.decode(lists[0]).name != issuer:
        msg = f"the revocation list of {issuer} was asked for, and something else came"
        raise FormatError(msg)
    found = Piece(name=f"{name}.der", data=lists[0])
    return (found,) if issuer == ROOT_NAME else (found, _chain(answer, _CRL_CHAIN, name))


def _chain(answer: Answer, headers: Sequence[str], name: str) -> Piece:
    """The issuer's chain out of a header."""
    text = next((answer.headers[header] for header in headers if header in answer.headers), "")
    blocks = pem.decode_blocks(unquote(text).encode("utf-8", "replace")) if text else []
    ders = tuple(block.der for block in blocks if block.label == pem.CERTIFICATE)
    for der in ders:
        x509.decoded(der)
    if len(ders) < 2:  # noqa: PLR2004  # the issuer and the root
        msg = f"the answer came without its issuer's chain (header {headers[0]})"
        raise FormatError(msg)
    return Piece(name=f"{name}-chain.pem", data=_pem(ders))


def _pem(ders: Sequence[bytes]) -> bytes:
    return "".join(pem.encode_block(pem.Block(label=pem.CERTIFICATE, der=der)) for der in ders).encode()
