"""What AML can reach: an abstract interpretation of all methods of a set of tables."""

from warily.acpi.bytecode.inspection import inspect_bytecode

__all__ = ["inspect_bytecode"]
