"""What a piece of evidence needs from vendors' services. Pure: the same evidence gives the same plan."""

from collections.abc import Iterable, Sequence
from typing import Final

from warily.core.evidence import (
    Evidence,
    NitroEvidence,
    NvidiaEvidence,
    SnpEvidence,
    SpdmEvidence,
    TdxEvidence,
    TpmEvidence,
)
from warily.fetch.amd import plan_snp
from warily.fetch.intel import plan_quote
from warily.fetch.nvidia import plan_devices
from warily.fetch.request import Plan
from warily.verify.below import evidence_below

_NITRO: Final = "an AWS Nitro document brings its whole chain: nothing is fetched for it"
_SPDM: Final = "nothing is fetched for an SPDM conversation: who made the device is not known to have a service"
_TPM: Final = "nothing is fetched for a TPM quote that brings no report or quote of a processor below it"


def plan(evidence: Evidence, at_hand: Sequence[bytes] = ()) -> Plan:
    """Every request that the evidence needs, given the certificates at hand (DER), and remarks on what needs none.

    Some requests follow only from what others brought: plan again with those certificates at hand, until no request
    is new. Raises `FormatError` for malformed evidence.
    """
    match evidence:
        case SnpEvidence():
            return plan_snp(evidence, at_hand)
        case TdxEvidence():
            return plan_quote(evidence, at_hand)
        case TpmEvidence():
            below = evidence_below(evidence)
            return Plan(remarks=(_TPM,)) if below is None else plan(below, at_hand)
        case NitroEvidence():
            return Plan(remarks=(_NITRO,))
        case NvidiaEvidence():
            return plan_devices(evidence, at_hand)
        case SpdmEvidence():
            return Plan(remarks=(_SPDM,))


def plan_all(evidence: Iterable[Evidence], at_hand: Sequence[bytes] = ()) -> Plan:
    """The plans of several pieces together; what two of them need is asked for once."""
    plans = [plan(one, at_hand) for one in evidence]
    requests = {request.name: request for one in plans for request in one.requests}
    unavailable = dict.fromkeys(what for one in plans for what in one.unavailable)
    remarks = dict.fromkeys(remark for one in plans for remark in one.remarks)
    return Plan(requests=tuple(requests.values()), unavailable=tuple(unavailable), remarks=tuple(remarks))
