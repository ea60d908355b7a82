"""What quotes of a TPM and event logs say, for people."""

from collections.abc import Iterator, Mapping
from typing import Final

_VOUCHERS: Final = {
    "snp": "the processor (AMD SEV-SNP), through Azure's paravisor",
    "tdx": "the processor (Intel TDX), through Azure's paravisor",
    "certificate": "a certificate of its attestation key",
    "endorsement": "its endorsement key, whose TPM opened a credential",
    "named": "the expectation, which names its attestation key",
}
_SECURE_BOOT: Final = {True: "Secure Boot on", False: "Secure Boot off", None: "Secure Boot unknown"}
_WHOLE: Final = 400


def tpm_rows(claims: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Label and text of every line about a TPM's quotes."""
    yield "TPM's voucher", _VOUCHERS.get(str(claims.get("binding")), "?")
    if claims.get("instance"):
        yield "machine", str(claims["instance"])
    registers = claims.get("registers")
    if isinstance(registers, Mapping):
        yield "registers", ", ".join(f"{len(values)} PCRs {bank}" for bank, values in registers.items())
    yield "nonce", str(claims.get("nonce") or "none")
    yield from boot_rows(claims)


def boot_rows(claims: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Label and text of every line about event logs; nothing where none came."""
    boots = claims.get("boot")
    for boot in boots if isinstance(boots, list) else []:
        led = [name for name, leads in boot["registers"].items() if leads]
        yield "event log", f"{boot['entries']} entries lead to {', '.join(led) or 'no register'} ({boot['bank']})"
        yield "boot", _SECURE_BOOT[boot["secure_boot"]]
        for line in boot["kernel_command_lines"]:
            yield "kernel started", line[:_WHOLE] + ("…" if len(line) > _WHOLE else "")
