"""Every error warily raises on purpose, and what the person who meets it can do.

WarilyError
├── UsageError        2  the command or the declaration is wrong    -> change it
├── FormatError       3  bytes are not what they claim to be        -> wrong file, or hostile
├── CollateralError   4  could not decide: proof is missing or old  -> fetch it, try again
├── HostError         5  this machine lacks a device or a tool      -> install it, enable it
└── Rejected         10  decided: the evidence does not pass        -> read the findings

`Rejected` lives beside `Appraisal` in `core/appraisal.py`, because it carries one.
Anything else that reaches the terminal is a bug in warily.
"""

from typing import ClassVar


class WarilyError(Exception):
    """An error with something to say: what happened, and what to do next."""

    exit_status: ClassVar[int] = 1
    code: ClassVar[str] = "error"

    def __init__(self, what: str, *, hint: str | None = None) -> None:
        super().__init__(what)
        self.hint = hint


class UsageError(WarilyError):
    """The command line or the declaration asks for something that cannot be."""

    exit_status = 2
    code = "usage"


class FormatError(WarilyError):
    """Bytes from outside are not what they claim to be."""

    exit_status = 3
    code = "format"


class CollateralError(WarilyError):
    """No decision was possible: something that proves or refutes is missing or stale."""

    exit_status = 4
    code = "undecided"


class HostError(WarilyError):
    """This machine lacks a device, a tool, a permission or a network that the step needs."""

    exit_status = 5
    code = "host"
