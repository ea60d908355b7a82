"""Is the document what the relying party wants: a table of rules, each over one field of the expectation."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from warily.core.expect import NitroExpect
from warily.core.finding import Finding, Waived, failed, passed, waived
from warily.verify.nitro.chain import Case

Rule = Callable[[Case, NitroExpect], Finding]

IMAGE_REGISTERS: Final = (0, 1, 2)  # the image, its kernel and boot, its application
_ABSENT: Final = "none"


def enclave_is_closed(case: Case, want: NitroExpect) -> Finding:
    """The enclave does not run in debug mode, in which its console is open and PCR0, PCR1 and PCR2 are zero."""
    check = "nitro.debug"
    if isinstance(want.debug, Waived):
        return waived(check, want.debug)
    in_debug = not case.document.tpm and not any(any(case.document.pcrs.get(pcr, b"")) for pcr in IMAGE_REGISTERS)
    if in_debug and not want.debug:
        hint = "whoever runs the enclave reads its console; start it without --debug-mode"
        return failed(check, expected="an enclave that is not in debug mode", found="PCR0 to PCR2 are zero", hint=hint)
    return passed(check, found="in debug mode" if in_debug else "not in debug mode")


def kind_is_wanted(case: Case, want: NitroExpect) -> Finding:
    """The document is of an enclave, unless one of a NitroTPM is wanted: their registers mean different things."""
    check = "nitro.kind"
    if isinstance(want.tpm, Waived):
        return waived(check, want.tpm)
    names = {True: "a NitroTPM", False: "an enclave"}
    if case.document.tpm is not want.tpm:
        return failed(check, expected=names[want.tpm], found=names[case.document.tpm])
    return passed(check, found=names[case.document.tpm])


def registers_are_known(case: Case, want: NitroExpect) -> Finding:
    """Every register that the expectation names is there and has one of the values it gives."""
    check = "nitro.pcrs"
    if isinstance(want.pcrs, Waived):
        return waived(check, want.pcrs)
    wrong = []
    for index, values in sorted(want.pcrs.items()):
        value = case.document.pcrs.get(index)
        if value is None or value not in values:
            wrong.append((index, _ABSENT if value is None else f"{value.hex()[:16]}…"))
    if wrong:
        index = wrong[0][0]
        known = ", ".join(sorted(f"{value.hex()[:16]}…" for value in want.pcrs[index])[:4]) or "nothing"
        found = ", ".join(f"PCR{number} {text}" for number, text in wrong)
        return failed(check, expected=f"PCR{index} one of {len(want.pcrs[index])}: {known}", found=found[:300])
    return passed(check, found=", ".join(f"PCR{index}" for index in sorted(want.pcrs)))


def nonce_is_ours(case: Case, want: NitroExpect) -> Finding:
    """The nonce is what the relying party made for this one request."""
    return _equal("nitro.nonce", case.document.nonce, want.nonce, hint="the document answers another request")


def user_data_is_wanted(case: Case, want: NitroExpect) -> Finding:
    """The user data, which the software inside chose, are those expected."""
    return _equal("nitro.user-data", case.document.user_data, want.user_data)


def public_key_is_wanted(case: Case, want: NitroExpect) -> Finding:
    """The public key, which the software inside chose, is the one expected."""
    return _equal("nitro.public-key", case.document.public_key, want.public_key)


def module_is_listed(case: Case, want: NitroExpect) -> Finding:
    """The module id (instance, and enclave or TPM) is one of those expected."""
    check = "nitro.module"
    if isinstance(want.modules, Waived):
        return waived(check, want.modules)
    if case.document.module_id not in want.modules:
        expected = f"one of {len(want.modules)}: {', '.join(sorted(want.modules)[:4])}"
        return failed(check, expected=expected[:200], found=case.document.module_id)
    return passed(check, found=case.document.module_id)


def document_is_fresh(case: Case, want: NitroExpect) -> Finding:
    """The document is no older than the expectation allows, in seconds."""
    check = "nitro.age"
    if isinstance(want.max_age, Waived):
        return waived(check, want.max_age)
    age = max(case.at - case.made_at, timedelta(0))
    found = f"{age.total_seconds():.0f} seconds"
    if age > timedelta(seconds=want.max_age):
        return failed(check, expected=f"at most {want.max_age} seconds", found=found)
    return passed(check, found=found)


# The definition of "acceptable". The reference page is generated from the table.
RULES: Final[dict[str, Rule]] = {
    "nitro.debug": enclave_is_closed,
    "nitro.kind": kind_is_wanted,
    "nitro.pcrs": registers_are_known,
    "nitro.nonce": nonce_is_ours,
    "nitro.user-data": user_data_is_wanted,
    "nitro.public-key": public_key_is_wanted,
    "nitro.module": module_is_listed,
    "nitro.age": document_is_fresh,
}


def acceptable(case: Case, want: NitroExpect) -> tuple[Finding, ...]:
    """One finding for every rule, over an authentic document."""
    return tuple(rule(case, want) for rule in RULES.values())


def _equal(check: str, value: bytes | None, wanted: bytes | Waived, *, hint: str = "") -> Finding:
    if isinstance(wanted, Waived):
        return waived(check, wanted)
    if value != wanted:
        return failed(check, expected=_short(wanted), found=_ABSENT if value is None else _short(value), hint=hint)
    return passed(check, found=_short(value))


def _short(value: bytes) -> str:
    """The first eight bytes in hex: enough to tell values apart by eye."""
    return f"{value.hex()[:16]}…" if value else "empty"
