"""AML, the bytecode in a DSDT or SSDT, as typed terms with offsets, and the names it defines."""

from warily.formats.aml.decode import BYTECODE, Aml, AmlSet, decode
from warily.formats.aml.namespace import Definition, Namespace, Node
from warily.formats.aml.terms import ONES, AmlError, FieldUnit, NamePath, Operand, Register, Term

__all__ = [
    "BYTECODE",
    "ONES",
    "Aml",
    "AmlError",
    "AmlSet",
    "Definition",
    "FieldUnit",
    "NamePath",
    "Namespace",
    "Node",
    "Operand",
    "Register",
    "Term",
    "decode",
]
