"""Is what came signed by whom it names? So that no forgery is kept, or counts as seen; evidence is not judged here."""

from collections.abc import Sequence
from datetime import datetime

from warily.core.seen import Mark
from warily.errors import FormatError
from warily.formats import intel_collateral, swid_rim
from warily.formats.intel_tcb import QeIdentity, TcbInfo
from warily.formats.swid_rim import SwidRim
from warily.formats.x509 import Certificate, RevocationList
from warily.verify import recognise, x509
from warily.verify.kinds import Kind
from warily.verify.seen.marks import mark_of_list, mark_of_qe_identity, mark_of_tcb_info
from warily.verify.snp.products import pinned
from warily.verify.tdx.roots import intel_root


def marks_in(blobs: Sequence[bytes], certificates: Sequence[bytes]) -> tuple[Mark, ...]:
    """The marks of every statement and revocation list in one answer; certificates have none.

    Who signed may stand in the answer, among `certificates` (DER), or is built in. Raises `FormatError` where nobody
    of these did.
    """
    kinds = [recognise.recognise(blob) for blob in blobs]
    ders = dict.fromkeys((*certificates_in(blobs), *certificates))
    authorities = (*map(x509.decoded, ders), *pinned(), intel_root())
    marks: list[Mark] = []
    for blob, kind in zip(blobs, kinds, strict=True):
        if kind is Kind.INTEL_STATEMENT:
            marks.append(_of_statement(blob, authorities))
        elif kind is Kind.CRL:
            marks.append(_of_list(blob, authorities))
    return tuple(marks)


def expired_in(blobs: Sequence[bytes], at: datetime) -> tuple[str, ...]:
    """What of one answer was already to be replaced at the given time, and since when. Raises `FormatError`."""
    dates: list[tuple[str, datetime | None]] = []
    for blob in blobs:
        kind = recognise.recognise(blob)
        if kind is Kind.INTEL_STATEMENT:
            what, statement = intel_collateral.decode_response(blob)
            read = TcbInfo if what == intel_collateral.TCB_INFO else QeIdentity
            dates.append((what, read.decode(statement.text).next_update))
        elif kind is Kind.CRL:
            listed = RevocationList.decode(blob)
            dates.append((f"the list of {listed.name}", listed.next_update))
    return tuple(f"{what} was to be replaced by {end:%Y-%m-%d %H:%M} UTC" for what, end in dates if end and end < at)


def certificates_in(blobs: Sequence[bytes]) -> tuple[bytes, ...]:
    """The certificates (DER) that pieces of collateral are, or hold. Raises `FormatError`."""
    kinds = (Kind.PEM, Kind.CERTIFICATE)
    found = [blob for blob in blobs if recognise.recognise(blob) in kinds]
    manifests = (SwidRim.decode(blob) for blob in blobs if swid_rim.looks_like(blob))
    held = (der for manifest in manifests for der in manifest.certificates)
    return (*recognise.collateral_from(found).certificates, *held)


def _of_statement(blob: bytes, authorities: Sequence[Certificate]) -> Mark:
    kind, statement = intel_collateral.decode_response(blob)
    read = mark_of_tcb_info if kind == intel_collateral.TCB_INFO else mark_of_qe_identity
    mark = read(statement, authorities)
    if mark is None:
        msg = f"{kind}: no certificate that came with it signed it"
        raise FormatError(msg)
    return mark


def _of_list(blob: bytes, authorities: Sequence[Certificate]) -> Mark:
    decoded = RevocationList.decode(blob)
    mark = mark_of_list(decoded, authorities)
    if mark is None:
        msg = f"a revocation list of {decoded.name}: nobody of that name signed it"
        raise FormatError(msg)
    return mark
