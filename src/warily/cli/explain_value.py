"""What `warily explain` does with a value that was typed or pasted."""

import argparse
from typing import Final

from warily.cli.explain_known import explainer_of
from warily.cli.explain_output import print_answer
from warily.cli.explain_sources import read_bytes
from warily.formats import tcg_log
from warily.formats.tcg_log import EventLog

SHA384: Final = 48
TDX: Final = frozenset({"tdx"})
TPM: Final = frozenset({"tpm"})


def explain_value(value: bytes, options: argparse.Namespace) -> int:
    """What it is; the exit status says whether it is known."""
    register = _register(options.register)
    tpm = register.startswith("pcr") or (not register and len(value) != SHA384)
    logs = [EventLog.decode(read_bytes(entry, tcg_log.LIMIT)) for entry in options.log]
    explainer = explainer_of(options, boots=TPM if tpm else TDX, logs=logs)
    answer = explainer.explain(value, register=register)
    return print_answer(answer, something=explainer.has_something, as_json=options.json)


def _register(name: str) -> str:
    """The register as it is looked up: `sha256:11`, as `warily measure pcr` names it, is `pcr11`."""
    word = name.lower().rpartition(":")[2]
    return f"pcr{word}" if word.isdecimal() else word
