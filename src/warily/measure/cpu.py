"""CPU models: by QEMU's name, by family/model/stepping, or by the signature CPUID gives."""

from typing import Final

from warily.data.cpu_signatures import SIGNATURES
from warily.errors import UsageError

MAX_FAMILY: Final = 0xF + 0xFF
MAX_MODEL: Final = 0xFF
MAX_STEPPING: Final = 0xF
DIGITS: Final = 8  # of a 32-bit signature
HEXADECIMAL: Final = frozenset("0123456789abcdefABCDEF")


def signature(cpu: str) -> int:
    """The CPUID Fn0000_0001_EAX value of `cpu`.

    `cpu` is a QEMU model name (`EPYC-v4`), decimal family/model/stepping (`25/17/1`), or the value
    itself in hexadecimal (`a10f11`). Raises `UsageError` with the nearest name for any other.
    """
    known = SIGNATURES.get(cpu)
    if known is not None:
        return known
    digits = cpu.removeprefix("0x")
    if 0 < len(digits) <= DIGITS and not set(digits) - HEXADECIMAL:
        return int(digits, 16)
    parts = cpu.split("/")
    if len(parts) == len(("family", "model", "stepping")) and all(
        part.isdecimal() and len(part) < DIGITS for part in parts
    ):
        return _signature_of(*map(int, parts))
    import difflib  # noqa: PLC0415  # only for a mistyped model

    near = difflib.get_close_matches(cpu, SIGNATURES, n=1, cutoff=0.0)[0]
    message = f"unknown CPU model {cpu!r}"
    raise UsageError(message, hint=f"did you mean {near}? CPUID 1 EAX in hexadecimal, or 25/17/1, work as well")


def _signature_of(family: int, model: int, stepping: int) -> int:
    """Source: AMD 24594 (Programmer's Manual, volume 3), appendix E.3.2, CPUID Fn0000_0001_EAX."""
    if family > MAX_FAMILY or model > MAX_MODEL or stepping > MAX_STEPPING:
        message = f"CPU {family}/{model}/{stepping}: at most {MAX_FAMILY}/{MAX_MODEL}/{MAX_STEPPING} can be"
        raise UsageError(message)
    base = min(family, 0xF)
    return (family - base) << 20 | (model >> 4) << 16 | base << 8 | (model & 0xF) << 4 | stepping
