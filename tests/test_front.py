"""The library's front: these names and no others, light to import, and `warily.verify` is a function for ever."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest

import warily
from tests.forge import NOW, REPORT, Forged, ark, ask, leaf, signed
from warily.verify import x509
from warily.verify.presets import NAMES, PRESETS

EXPORTS = [
    "Appraisal",
    "BitRule",
    "CollateralError",
    "Finding",
    "FormatError",
    "HostError",
    "Outcome",
    "Rejected",
    "SnpCollateral",
    "SnpEvidence",
    "SnpExpect",
    "TcbFloor",
    "UsageError",
    "Waived",
    "WarilyError",
    "__version__",
    "collateral_from",
    "evidence_from",
    "preset",
    "read_expectation",
    "verify",
]


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_exports_are_these() -> None:
    """A snapshot: a name that goes breaks somebody's program."""
    assert sorted(warily.__all__) == EXPORTS
    assert dir(warily) == EXPORTS
    assert all(getattr(warily, name) is not None for name in EXPORTS)


def test_the_types_are_told_for_the_same_names() -> None:
    stub = ast.parse(Path(warily.__file__).with_suffix(".pyi").read_text())
    told = {alias.asname for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert told | {"__version__"} == set(EXPORTS)
    homes = {
        alias.asname: (node.module or "").removeprefix("warily.")
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert homes == vars(warily)["_HOMES"]


def test_an_unknown_name_is_none() -> None:
    with pytest.raises(AttributeError, match="no attribute 'verifye'"):
        _ = warily.verifye  # type: ignore[attr-defined]  # that is the test


def test_importing_it_loads_nothing_else() -> None:
    loaded = run("import sys, warily; print(*[name for name in sys.modules if name.split('.')[0] != 'warily'])")
    assert not {"cryptography", "dataclasses", "tomllib", "json"} & set(loaded.split())
    assert run("import sys, warily; print(*[name for name in sys.modules if name.startswith('warily')])") == "warily\n"


@pytest.mark.parametrize(
    "before",
    [
        "import warily.verify.snp",
        "from warily.verify import x509",
        "import warily; warily.verify; import warily.verify.snp.presets",
        "import warily.cli.verify; from warily.verify.front import verify",
        "from warily import verify; import importlib; importlib.import_module('warily.verify')",
    ],
)
def test_verify_is_the_function_whatever_was_imported_before(before: str) -> None:
    check = "import warily, types; assert isinstance(warily.verify, types.FunctionType)"
    run(f"{before}\n{check}\nfrom warily.verify import appraise\n{check}")


def test_bytes_and_values_give_the_same_appraisal() -> None:
    case = Forged()
    files = [leaf(), ask(), ark()]
    by_bytes = warily.verify(signed(REPORT), collateral=files, expect="genuine", at=NOW)
    by_values = warily.verify(
        case.evidence, collateral=case.collateral, expect=warily.preset("genuine", case.evidence), at=NOW
    )
    assert by_bytes.first_failure == by_values.first_failure
    assert by_bytes.first_failure is not None
    assert by_bytes.first_failure.check == "snp.chain.root"
    assert warily.verify(case.evidence, collateral=files, expect=case.expectation, at=NOW).accepted
    assert x509.fingerprint(x509.decoded(ark())) in case.expectation.rehearsal_roots


def test_every_argument_is_needed() -> None:
    assert set(get_type_hints(warily.verify)) == {"evidence", "collateral", "expect", "at", "return"}
    for missing in ("collateral", "expect", "at"):
        given = {"collateral": (), "expect": "baseline", "at": NOW}
        del given[missing]
        with pytest.raises(TypeError, match=missing):
            warily.verify(signed(REPORT), **given)  # type: ignore[arg-type]  # one is missing on purpose


def test_what_is_not_evidence_or_no_preset_is_refused() -> None:
    with pytest.raises(warily.FormatError):
        warily.verify(b"hello", collateral=(), expect="genuine", at=NOW)
    with pytest.raises(warily.UsageError, match="strict"):
        warily.verify(signed(REPORT), collateral=(), expect="strict", at=NOW)


def test_every_platform_has_every_preset() -> None:
    assert all(tuple(known) == NAMES for known in PRESETS.values())
