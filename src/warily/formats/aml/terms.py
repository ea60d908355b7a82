"""What AML decodes to: frozen terms with the offset of their first byte in the table.

Source: ACPI 6.5, 20.2 AML Grammar Definition.
"""

from typing import Final, Literal, NamedTuple, TypeAlias

from warily.errors import FormatError
from warily.formats.aml.opcodes import Op

Fault: TypeAlias = Literal["TRUNCATED", "PKGLENGTH", "OPCODE", "NAME", "NESTING", "FIELD", "OPERAND", "ARITY"]


class AmlError(FormatError):
    """AML that is not AML; `fault` says in which way, `offset` where in the table."""

    def __init__(self, fault: Fault, offset: int, what: str) -> None:
        super().__init__(f"AML at offset {offset:#x}: {what}")
        self.fault: Final = fault
        self.offset: Final = offset


class NamePath(NamedTuple):
    """A NameString: segments of four characters after a root or parent prefixes; nothing at all is NullName."""

    parts: tuple[str, ...]
    ups: int = 0
    root: bool = False

    def __str__(self) -> str:
        prefix = "\\" if self.root else "^" * self.ups
        return prefix + ".".join(part.rstrip("_") or "_" for part in self.parts)


class Register(NamedTuple):
    """Local0 to Local7, or Arg0 to Arg6."""

    kind: Literal["Local", "Arg"]
    number: int

    def __str__(self) -> str:
        return f"{self.kind}{self.number}"


class FieldUnit(NamedTuple):
    """One named run of bits of a field; `access` is 0 any, 1 to 4 byte to qword, 5 buffer."""

    name: NamePath
    bit_offset: int
    bits: int
    access: int
    offset: int


class Term(NamedTuple):
    """One operation with its operands, and for those that hold a package of terms the terms."""

    op: Op
    offset: int
    args: "tuple[Operand, ...]"
    body: "tuple[Operand, ...]" = ()

    @property
    def name(self) -> NamePath:
        """The name that comes first: what is defined, opened or called. Raises `FormatError` where there is none."""
        first = self.args[0] if self.args else None
        if isinstance(first, NamePath):
            return first
        msg = f"{self.op.name} at offset {self.offset:#x} has no name"
        raise FormatError(msg)


Operand: TypeAlias = "Term | NamePath | Register | int | str | bytes | tuple[FieldUnit, ...] | None"
"""`int` is a constant, -1 being Ones; `None` a target that is not there; `bytes` what a Buffer holds."""

ONES: Final = -1
