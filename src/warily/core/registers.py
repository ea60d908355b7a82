"""Registers and traces: a predicted value together with the steps that led to it."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

from warily.formats._record import record


@record
class Step:
    """One step of a measurement: what happened, which input it took, the register after it (hex).

    `input_digest` is the hex digest of the input as the step uses it; `at` is a guest physical
    address where there is one; `register` names the register where the platform has several.
    """

    step: str
    input: str
    input_digest: str
    after: str
    at: int | None = None
    register: str | None = None

    def as_json(self) -> dict[str, object]:
        """The step as `--trace --json` prints it."""
        found: dict[str, object] = {
            "step": self.step,
            "input": self.input,
            "input_digest": self.input_digest,
            "after": self.after,
        }
        if self.at is not None:
            found["at"] = f"{self.at:#x}"
        if self.register is not None:
            found["register"] = self.register
        return found


@record
class Candidate:
    """One value that a register may have where the host decides, what it is called, and because of what."""

    name: str
    register: str
    value: bytes
    because: str

    def as_json(self) -> dict[str, str]:
        """The candidate as `warily measure --json` prints it."""
        return {"name": self.name, "register": self.register, "value": self.value.hex(), "because": self.because}


@record
class Prediction:
    """What a platform will report: register name → value, the trace that explains it, and other possible values.

    `candidates` is empty where nobody asked for them or nothing but the inputs decides. `absent` names registers that
    the inputs do not suffice for, each with the reason.
    """

    registers: dict[str, bytes]
    trace: tuple[Step, ...]
    candidates: tuple[Candidate, ...] = ()
    absent: tuple[tuple[str, str], ...] = ()

    def as_json(self) -> dict[str, object]:
        """The object that `warily measure --json` prints; `absent` only where something is."""
        found: dict[str, object] = {
            "registers": {name: value.hex() for name, value in self.registers.items()},
            "candidates": [candidate.as_json() for candidate in self.candidates],
            "trace": [step.as_json() for step in self.trace],
        }
        return found | {"absent": dict(self.absent)} if self.absent else found


# TPM_ALG_ID of the hashes that registers use, and what `hashlib` calls them.
HASHES: Final = {0x0004: "sha1", 0x000B: "sha256", 0x000C: "sha384", 0x000D: "sha512"}
BANKS: Final = {name: number for number, name in HASHES.items()}


@record
class RegisterBank:
    """Registers of one hash algorithm as signed evidence gives them: index in event logs → value.

    `prefix` and `first` name them: RTMR0 has index 1 in a log. A log must account for every register in `required`,
    and for all others that it extends. `separated` says that each register has at most one separator, as PCRs do.
    """

    algorithm: int
    values: Mapping[int, bytes]
    prefix: str
    first: int
    required: frozenset[int]
    separated: bool

    @property
    def bank(self) -> str:
        """The name of the hash algorithm."""
        return HASHES.get(self.algorithm, f"algorithm {self.algorithm:#06x}")

    def name(self, index: int) -> str:
        """What people call the register of that index."""
        return f"{self.prefix}{index - self.first}" if index >= self.first else f"register {index}"


def pcr_bank(algorithm: int, values: Mapping[int, bytes], *, required: frozenset[int]) -> RegisterBank:
    """PCRs of a TPM."""
    return RegisterBank(algorithm=algorithm, values=values, prefix="PCR", first=0, required=required, separated=True)


def rtmr_bank(values: Sequence[bytes], *, required: frozenset[int]) -> RegisterBank:
    """The RTMRs of a TDX quote, SHA-384; `required` are indexes in the log, where RTMR0 is 1."""
    indexed = dict(enumerate(values, start=1))
    return RegisterBank(
        algorithm=BANKS["sha384"], values=indexed, prefix="RTMR", first=1, required=required, separated=False
    )


def extend(algorithm: int, value: bytes, digest: bytes) -> bytes:
    """The register's value after it was extended by `digest`: the hash of both, one after the other."""
    return hashlib.new(HASHES[algorithm], value + digest).digest()
