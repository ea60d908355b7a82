"""What the image takes of this package is exactly what the guest's programs import."""

import ast
from pathlib import Path

import warily
from warily.image.contents import BOOT_SOURCES, GUEST_SOURCES, STANDARD_MODULES

PACKAGE = Path(warily.__file__).parent


def closure(*starts: str) -> set[str]:
    """The files of this package that `starts` need, packages included."""
    found: set[str] = set()
    todo = list(starts)
    while todo:
        name = todo.pop()
        file = PACKAGE / f"{name}.py" if (PACKAGE / f"{name}.py").is_file() else PACKAGE / name / "__init__.py"
        if str(file.relative_to(PACKAGE)) in found:
            continue
        found.add(str(file.relative_to(PACKAGE)))
        todo += [str(parent) for parent in Path(name).parents if str(parent) != "."] + ["."]
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "warily":
                base = "/".join((node.module or "").split(".")[1:])
                for alias in node.names:
                    child = f"{base}/{alias.name}".lstrip("/")
                    is_module = (PACKAGE / f"{child}.py").is_file() or (PACKAGE / child).is_dir()
                    todo.append(child if is_module else base or ".")
    return found


def test_the_root_holds_what_the_agent_imports_and_the_first_program() -> None:
    assert sorted(GUEST_SOURCES) == sorted(closure("guest/agent", "guest/init"))


def test_the_initial_file_system_holds_what_the_first_program_imports() -> None:
    assert sorted(BOOT_SOURCES) == sorted(closure("guest/init"))


def test_lists_are_sorted_and_have_no_doubles() -> None:
    for names in (GUEST_SOURCES, BOOT_SOURCES, STANDARD_MODULES):
        assert list(names) == sorted(set(names))
