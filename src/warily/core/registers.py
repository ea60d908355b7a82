"""Registers and traces: a predicted value together with the steps that led to it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a measurement: what happened, which input it took, the register after it (hex).

    `input_digest` is the hex digest of the input as the step uses it; `at` is a guest physical
    address where there is one.
    """

    step: str
    input: str
    input_digest: str
    after: str
    at: int | None = None

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
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a platform will report: register name → value, and the trace that explains it."""

    registers: dict[str, bytes]
    trace: tuple[Step, ...]

    def as_json(self) -> dict[str, object]:
        """The object that `warily measure --json` prints."""
        return {
            "registers": {name: value.hex() for name, value in self.registers.items()},
            "trace": [step.as_json() for step in self.trace],
        }
