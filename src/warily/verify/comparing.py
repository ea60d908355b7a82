"""How rules compare: one value with what an expectation says of it, and the finding that follows."""

from collections.abc import Iterable
from enum import IntFlag
from functools import lru_cache

from warily.core.expect import BitRule
from warily.core.finding import Finding, Waived, failed, passed, waived


def bit_numbers(value: int) -> list[int]:
    """The numbers of the bits that are set, least first."""
    return [bit for bit in range(value.bit_length()) if value >> bit & 1]


def bit_names(value: int, kind: type[IntFlag]) -> list[str]:
    """The bits that are set, by name, or by number where they have none."""
    names = _names(kind)
    return [names.get(1 << bit) or f"bit {bit}" for bit in bit_numbers(value)]


@lru_cache(maxsize=64)
def _names(kind: type[IntFlag]) -> dict[int, str]:
    return {int(member): member.name or "" for member in kind}


def bits_fit(check: str, value: int, rule: BitRule | Waived, kind: type[IntFlag]) -> Finding:
    """Every required bit is set, and no forbidden one."""
    if isinstance(rule, Waived):
        return waived(check, rule)
    lacking, excess = rule.required & ~value, rule.forbidden & value
    if lacking or excess:
        missing, present = bit_names(lacking, kind), bit_names(excess, kind)
        found = [f"{name} is clear" for name in missing] + [f"{name} is set" for name in present]
        expected = [f"{name} set" for name in missing] + [f"{name} clear" for name in present]
        return failed(check, expected=", ".join(expected)[:400], found=", ".join(found)[:400])
    return passed(check, f"{value:#x}")


def is_one_of(check: str, value: bytes, allowed: Iterable[bytes] | Waived, *, hint: str = "") -> Finding:
    """The value is on the list."""
    if isinstance(allowed, Waived):
        return waived(check, allowed)
    known = sorted(allowed)
    if value in known:
        return passed(check, short(value))
    listed = ", ".join(short(entry) for entry in known[:4])
    expected = f"one of {len(known)}: {listed}" if known else "nothing is on the list"
    return failed(check, expected=expected, found=short(value), hint=hint)


def is_equal(check: str, value: bytes, wanted: bytes | Waived, *, hint: str = "") -> Finding:
    """The value is the one wanted."""
    if isinstance(wanted, Waived):
        return waived(check, wanted)
    if value != wanted:
        return failed(check, expected=short(wanted), found=short(value), hint=hint)
    return passed(check, short(value))


def is_at_least(check: str, value: int, least: int | Waived) -> Finding:
    """The number reaches the least one wanted."""
    if isinstance(least, Waived):
        return waived(check, least)
    if value < least:
        return failed(check, expected=f"at least {least}", found=str(value))
    return passed(check, str(value))


def short(value: bytes) -> str:
    """The first eight bytes in hex: enough to tell values apart by eye."""
    return f"{value.hex()[:16]}…"
