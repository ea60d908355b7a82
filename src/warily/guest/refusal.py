"""A guest that must not go on: what it refuses, and under which stable name.

The line appears on the console as `warily: refused: <check>: <why>`; then the machine ends.
"""

from typing import ClassVar

from warily.errors import WarilyError


class Refused(WarilyError):  # noqa: N818  # a decision, named as one
    """The guest stops here. `check` is dotted and stable; `why` never holds a key."""

    exit_status: ClassVar[int] = 10
    code: ClassVar[str] = "refused"

    def __init__(self, check: str, why: str) -> None:
        super().__init__(why)
        self.check = check


def line(error: BaseException) -> str:
    """What the console says of the error that stopped the guest: one line, without control characters."""
    match error:
        case Refused():
            check = error.check
        case WarilyError():
            check = error.code
        case _:
            check = f"internal.{type(error).__name__}"
    text = "".join(mark if mark.isprintable() else " " for mark in str(error))[:500]
    return f"warily: refused: {check}: {text}"
