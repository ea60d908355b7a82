"""The expectation that quotes of a TPM suggest, what its keys mean, and what is dangerous in one."""

from collections.abc import Iterator, Mapping
from typing import Final

from warily.core.expect import SnpExpect, TdxExpect, TpmExpect
from warily.core.finding import Waived
from warily.core.registers import HASHES
from warily.verify import eventlog, x509
from warily.verify.eventlog import BOOT_PCRS
from warily.verify.policy_note import Note, danger, remark
from warily.verify.vtpm.acceptable import Genuine, instance
from warily.verify.vtpm.case import Binding, Case, fingerprint
from warily.verify.vtpm.chain import is_pinned_anchor

# Best hash first: the file asks for the best one that the evidence has.
STRENGTH: Final = ("sha512", "sha384", "sha256", "sha1")
STATIC: Final = frozenset(range(16))  # registers that only a reset clears (PC Client profile, section 3.3.1)

# What stands above each key of the file.
COMMENTS: Final[dict[str, str]] = {
    "authorities": "SHA-256 of certificates that may vouch for attestation keys besides the built-in ones of clouds.",
    "attestation_keys": "SHA-256 of the SubjectPublicKeyInfo of attestation keys that need no voucher: yours, by name.",
    "bindings": "What may vouch for the attestation key: the processor below through Azure's paravisor (snp, tdx), a "
    "certificate, an endorsement key whose TPM opened a credential, or this file, which names it.",
    "hardware": "The processor below a virtual TPM; what is wanted of it stands in the table of that name.",
    "nonce": "The extra data of the quote: the challenge. It is new in each request, so a file cannot hold it; "
    "`warily verify --nonce` gives it.",
    "banks": "Hashes whose registers are acceptable. SHA-1 protects nothing.",
    "selection": "Registers that the quotes must cover, all of them in one bank.",
    "pcrs": "The values that registers must have, by bank and number. Here: those of the evidence that only a reset "
    "clears and that anything was measured into. Firmware, kernel and command line change them; PCR10 grows with every "
    "file that IMA measures.",
    "log_registers": "Registers that an event log must explain, with every entry's data checked where it is hashed.",
    "secure_boot": "Whether the firmware must have measured Secure Boot as on, by an event log.",
    "instances": "The cloud's names for the machines that may run the guest.",
    "user_data": "What the guest handed to Azure's paravisor, in hexadecimal: a challenge, or a key.",
}


def choose(it: Genuine, *, hardware: SnpExpect | TdxExpect | Waived) -> TpmExpect:
    """The expectation that accepts such quotes and nothing weaker. `hardware` is what is wanted of the processor."""
    case = it.case
    bank = _best_bank(it.values)
    pinned = {pcr: value for pcr, value in _static(it.values, bank).items() if _is_measured(value)}
    named = instance(case)
    return TpmExpect(
        authorities=_authorities(case),
        attestation_keys=frozenset({fingerprint(case.key)}) if _is_named(case) and case.key else frozenset(),
        bindings=frozenset({case.binding.value}),
        credential=case.want.credential,
        hardware=hardware,
        nonce=Waived("it is made for each request, and compared where the request is made"),
        banks=frozenset({bank}),
        selection=frozenset(_static(it.values, bank)),
        pcrs={bank: {pcr: frozenset({value}) for pcr, value in sorted(pinned.items())}}
        if pinned
        else Waived("nothing was measured into any register that the quotes cover"),
        log_registers=_explained(it, bank),
        secure_boot=_secure_boot(it),
        instances=frozenset({named}) if named else Waived("nobody named the machine"),
        user_data=_user_data(case),
    )


def notes(want: TpmExpect) -> Iterator[Note]:
    """What is dangerous or remarkable in an expectation, key by key."""
    if want.authorities:
        yield remark("authorities", "whoever has the key of such an authority makes any evidence")
    if isinstance(want.bindings, Waived):
        yield danger("bindings", "any kind of voucher passes")
    elif not want.bindings:
        yield danger("bindings", "the list is empty: nothing can pass")
    elif "named" in want.bindings and not want.attestation_keys:
        yield danger("attestation_keys", "the list is empty, though `bindings` allows named keys: none can pass so")
    if isinstance(want.hardware, Waived) and _through_a_processor(want):
        yield danger("hardware", "a debugging guest, or one whose memory the host reads, passes below its TPM")
    yield from _about_registers(want)
    if isinstance(want.nonce, Waived):
        yield remark("nonce", "freshness is not judged: old quotes pass, unless the caller compares it")
    if isinstance(want.instances, Waived):
        yield remark("instances", "quotes of any machine that the authority vouches for pass")
    if isinstance(want.secure_boot, Waived) or not want.secure_boot:
        yield remark("secure_boot", "firmware that starts anything passes, unless registers are pinned")


def _about_registers(want: TpmExpect) -> Iterator[Note]:
    if isinstance(want.banks, Waived) or "sha1" in want.banks:
        yield danger("banks", "registers that only SHA-1 protects pass")
    elif not want.banks:
        yield danger("banks", "the list is empty: nothing can pass")
    if isinstance(want.pcrs, Waived) and isinstance(want.log_registers, Waived):
        yield danger("pcrs", "any software passes: no register has a wanted value, and no log must explain one")
    elif isinstance(want.pcrs, Waived):
        yield remark("pcrs", "any software passes whose event log is honest; nobody says which is wanted")
    else:
        yield from _about_values(want.pcrs)
    if isinstance(want.selection, Waived) or not want.selection:
        yield remark("selection", "quotes over any registers pass")
    if isinstance(want.log_registers, Waived):
        yield remark("log_registers", "no event log is needed; one that is given is judged all the same")


def _about_values(pcrs: Mapping[str, Mapping[int, frozenset[bytes]]]) -> Iterator[Note]:
    for bank, registers in pcrs.items():
        if bank == "sha1":
            yield danger("pcrs", "values of the SHA-1 bank can be made to order")
        for pcr, values in registers.items():
            if not values:
                yield danger("pcrs", f"the list of PCR{pcr} is empty: nothing can pass")
            elif not any(map(_is_measured, values)):
                yield remark("pcrs", f"PCR{pcr} is wanted as it is after a reset: nothing was measured into it")


def _through_a_processor(want: TpmExpect) -> bool:
    return isinstance(want.bindings, Waived) or bool(want.bindings & {Binding.SNP.value, Binding.TDX.value})


def _is_named(case: Case) -> bool:
    return case.binding is Binding.NAMED


def _authorities(case: Case) -> frozenset[bytes]:
    """The fingerprint of the authority that the chain ends at, where it is not built in."""
    if not case.chain or is_pinned_anchor(case.chain[-1]):
        return frozenset()
    return frozenset({x509.fingerprint(case.chain[-1])})


def _best_bank(values: Mapping[int, Mapping[int, bytes]]) -> str:
    names = [HASHES[bank] for bank in values if bank in HASHES]
    return min(names, key=STRENGTH.index, default="sha256")


def _static(values: Mapping[int, Mapping[int, bytes]], name: str) -> dict[int, bytes]:
    """The registers of a bank, those that software cannot reset."""
    found = next((registers for bank, registers in values.items() if HASHES.get(bank) == name), {})
    return {pcr: value for pcr, value in found.items() if pcr in STATIC}


def _is_measured(value: bytes) -> bool:
    """Whether anything was extended: a register is all zeros, or all ones, after a reset."""
    return any(value) and any(byte != 0xFF for byte in value)  # noqa: PLR2004  # a byte of ones


def _explained(it: Genuine, bank: str) -> frozenset[int] | Waived:
    """The boot registers that the logs lead to."""
    led = {
        index
        for entry in it.logs
        for replay in entry.replays
        if replay.registers.bank == bank
        for index in replay.compared()
        if index in BOOT_PCRS and replay.leads_to(index)
    }
    return frozenset(led) if led else Waived("no event log was given: pass one to `policy init` with --log")


def _secure_boot(it: Genuine) -> bool | Waived:
    states = {eventlog.secure_boot(replay) for entry in it.logs for replay in entry.replays} - {None}
    if len(states) != 1:
        return Waived("no event log says how Secure Boot was set")
    return states == {True}


def _user_data(case: Case) -> bytes | Waived:
    found = case.runtime.user_data if case.runtime else b""
    return found if any(found) else Waived("the guest handed nothing to the paravisor")
