"""To which series a piece of collateral belongs, and how far it is. Only what the named key signed has a mark."""

import hashlib
from collections.abc import Sequence

from warily.core.seen import Mark
from warily.formats.intel_collateral import Statement
from warily.formats.intel_tcb import QeIdentity, TcbInfo
from warily.formats.x509 import Certificate, RevocationList
from warily.verify import x509
from warily.verify.tdx import p256
from warily.verify.tdx.roots import intel_root

_SHOWN = 32


def mark_of_tcb_info(statement: Statement, certificates: Sequence[Certificate]) -> Mark | None:
    """The mark of TCB info; None where nobody among its own chain and `certificates` signed it.

    Raises `FormatError` where it is malformed.
    """
    info = TcbInfo.decode(statement.text)
    return _of_statement(f"{info.id} TCB info for {info.fmspc.hex()}", info, statement, certificates)


def mark_of_qe_identity(statement: Statement, certificates: Sequence[Certificate]) -> Mark | None:
    """The mark of QE identity, likewise."""
    identity = QeIdentity.decode(statement.text)
    return _of_statement(f"{identity.id} identity", identity, statement, certificates)


def mark_of_list(one: RevocationList, authorities: Sequence[Certificate]) -> Mark | None:
    """The mark of a revocation list; None where none of the authorities signed it."""
    for issuer in authorities:
        if x509.is_signed_by(one, issuer) or p256.is_signed_by(one, issuer):
            return Mark(series=series_of(issuer), number=one.number or 0, issued=one.this_update, by_date=True)
    return None


def series_of(issuer: Certificate) -> str:
    """The series of an authority's revocation lists."""
    return _series(f"CRL of {issuer.name}", issuer)


def _series(subject: str, key: Certificate) -> str:
    """The subject, and whose word it is: a certificate's key, which outlives the certificate."""
    return f"{subject}, key {hashlib.sha256(key.public_key).hexdigest()[:_SHOWN]}"


def _of_statement(
    subject: str, value: TcbInfo | QeIdentity, statement: Statement, certificates: Sequence[Certificate]
) -> Mark | None:
    """The root's key names the series: signing certificates come and go."""
    offered = (*map(x509.decoded, statement.chain), *certificates)
    for signer in offered:
        if not p256.statement_verified(signer.public_key, statement.signature, statement.text):
            continue
        for root in (*offered, intel_root()):
            if root.issuer == root.subject and p256.is_signed_by(signer, root):
                return Mark(series=_series(subject, root), number=value.evaluation, issued=value.issued, by_date=False)
    return None
