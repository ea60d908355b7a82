"""Every parser is a target of fuzzing, and the short run of it: the same mutants each time, without coverage.

The long run is `python -m fuzz.run`; docs/fuzzing.md has its result.
"""

import ast
import re
import time
from pathlib import Path

import pytest

from fuzz.mutate import mutants
from fuzz.readers import every_layout
from fuzz.targets import TARGETS
from tests.conftest import REPOSITORY, vectors_folder

FORMATS = REPOSITORY / "src/warily/formats"
PARSERS = re.compile(r"decode|parse|read|split|decompress|stanzas|entries|tables|members|commands|linkage|module_info")
# Reached from a target that is named otherwise.
WITHIN = {
    "_layout.Layout.unpack": "layouts",
    "_xml.parse": "_xml.parse",
    "kernel_config.version": "sniffers",
    "firmware_volume.file_sections": "firmware_volume.parse_volumes",
    "nvidia_report.decode_fields": "nvidia_report.decode_fields",
    "http_response.decoded": "http_response.HttpResponse.decode",
    "json_text.members": "intel_collateral.Bundle.decode",
    "erofs_clusters.clusters": "erofs.Erofs.open",
}
MUTANTS = 100
SLOWEST = 2.0  # seconds of processor time for one mutant of at most 64 KiB; far over any measured


def test_every_parser_is_a_target() -> None:
    missing = [name for path in sorted(FORMATS.rglob("*.py")) for name in _parsers(path) if name not in TARGETS]
    assert [name for name in missing if name not in WITHIN] == []


def _parsers(path: Path) -> list[str]:
    """Public functions and class methods of a module that take bytes or text, and are named like a parser."""
    module = ".".join(path.relative_to(FORMATS).with_suffix("").parts)
    found = []
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef) and _reads(node, 0):
            found.append(f"{module}.{node.name}")
        elif isinstance(node, ast.ClassDef):
            methods = [item for item in node.body if isinstance(item, ast.FunctionDef) and _is_class_method(item)]
            found += [f"{module}.{node.name}.{method.name}" for method in methods if _reads(method, 1)]
    return found


def _is_class_method(node: ast.FunctionDef) -> bool:
    return any(isinstance(mark, ast.Name) and mark.id == "classmethod" for mark in node.decorator_list)


def _reads(node: ast.FunctionDef, first: int) -> bool:
    arguments = node.args.args[first:]
    kind = ast.unparse(arguments[0].annotation) if arguments and arguments[0].annotation else ""
    return PARSERS.match(node.name) is not None and re.match(r"bytes|str\b|Sequence\[AcpiTable\]", kind) is not None


def test_every_declared_structure_is_read() -> None:
    declared = sum(
        len(re.findall(r"^@layout\(", path.read_text(), re.MULTILINE)) for path in sorted(FORMATS.rglob("[!_]*.py"))
    )
    assert len(every_layout()) >= declared > 100


@pytest.mark.parametrize("name", TARGETS)
def test_mutants_are_read_or_refused(name: str) -> None:
    target = TARGETS[name]
    for data in mutants(target.start(vectors_folder()), MUTANTS, name=name):
        started = time.process_time()
        try:
            target.check(data)
        except Exception as error:
            error.add_note(f"input: {data.hex() if len(data) < 2000 else f'{len(data)} bytes'}")
            raise
        assert time.process_time() - started < SLOWEST, f"{len(data)} bytes took too long"


def test_a_target_refuses_quietly_and_nothing_else() -> None:
    """The check itself: `FormatError` is swallowed, any other exception is a finding."""
    from fuzz.targets import Target

    assert TARGETS["snp_certs.decode_table"].check(b"\xff" * 24) is None
    with pytest.raises(ZeroDivisionError):
        Target(lambda data: 1 / len(data)).check(b"")
