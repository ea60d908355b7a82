"""Two expectations that need no file: genuine and baseline, over a preset of the processor below a virtual TPM.

BASELINE refuses registers that only SHA-1 protects. It takes any voucher that is built in: a named key or another
authority needs an expectation file. Which registers must have which values, no preset can know.
"""

from typing import Final

from warily.core.expect import NO_CREDENTIAL, SnpExpect, TdxExpect, TpmExpect
from warily.core.finding import Waived

_AUTHENTICITY: Final = Waived("genuine: authenticity alone was asked for")


def genuine(hardware: SnpExpect | TdxExpect | None) -> TpmExpect:
    """Authenticity alone."""
    return TpmExpect(
        authorities=frozenset(),
        attestation_keys=frozenset(),
        bindings=_AUTHENTICITY,
        credential=NO_CREDENTIAL,
        hardware=hardware or _AUTHENTICITY,
        nonce=_AUTHENTICITY,
        banks=_AUTHENTICITY,
        selection=_AUTHENTICITY,
        pcrs=_AUTHENTICITY,
        log_registers=_AUTHENTICITY,
        secure_boot=_AUTHENTICITY,
        instances=_AUTHENTICITY,
        user_data=_AUTHENTICITY,
    )


def baseline(hardware: SnpExpect | TdxExpect | None) -> TpmExpect:
    """Authenticity, and none of what nobody wants."""
    return TpmExpect(
        authorities=frozenset(),
        attestation_keys=frozenset(),
        bindings=frozenset({"snp", "tdx", "certificate", "endorsement"}),
        credential=NO_CREDENTIAL,
        hardware=hardware or _not_named("processor"),
        nonce=_not_named("nonce"),
        banks=frozenset({"sha256", "sha384", "sha512"}),
        selection=_not_named("register"),
        pcrs=_not_named("register value"),
        log_registers=_not_named("register for a log to explain"),
        secure_boot=_not_named("state of Secure Boot"),
        instances=_not_named("machine"),
        user_data=_not_named("user data"),
    )


def _not_named(what: str) -> Waived:
    return Waived(f"baseline: no {what} was named")
