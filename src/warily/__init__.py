"""warily: virtual machines whose host is hostile.

The command line is `warily`. As a library: `import warily`, then `warily.verify(evidence, …)`; every name of `__all__`
is imported when it is first used, so that `import warily` alone costs nothing. Their types stand in `__init__.pyi`.

`warily.verify` is a function, though there is a package of that path; what the package holds is reached with
`from warily.verify import …` (docs/adr/0009). This file is also in every guest: it must stay as small as it is.
"""

import sys
from importlib import import_module
from types import ModuleType

__version__ = "0.1.0"

# Public name → the module that defines it.
_HOMES = {
    "Appraisal": "core.appraisal",
    "BitRule": "core.expect",
    "CollateralError": "errors",
    "Finding": "core.finding",
    "FormatError": "errors",
    "HostError": "errors",
    "Outcome": "core.finding",
    "Rejected": "core.appraisal",
    "SnpCollateral": "core.collateral",
    "SnpEvidence": "core.evidence",
    "SnpExpect": "core.expect",
    "TcbFloor": "core.expect",
    "UsageError": "errors",
    "Waived": "core.finding",
    "WarilyError": "errors",
    "collateral_from": "verify.recognise",
    "evidence_from": "verify.recognise",
    "preset": "verify.presets",
    "read_expectation": "verify.expectation",
    "verify": "verify.front",
}

__all__ = ["__version__", *_HOMES]  # noqa: PLE0604  # text, all of it


def __getattr__(name: str) -> object:
    """The public name, imported on first use."""
    if name not in _HOMES:
        message = f"module 'warily' has no attribute {name!r}"
        raise AttributeError(message)
    value = getattr(import_module(f"warily.{_HOMES[name]}"), name)
    setattr(sys.modules[__name__], name, value)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


class _Front(ModuleType):
    """This module. Importing the package `warily.verify` does not put it in the place of the function."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Front
