"""How `warily explain` and `warily diff` print what they found, for people, and the exit statuses of explaining."""

import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warily.explain.answer import Answer, ChangedInput, Known, Nearest

KNOWN: Final = 0
NOTHING: Final = 4
UNKNOWN: Final = 10
SHOWN: Final = 12
UNKNOWN_SAID: Final = "unknown"
NOT_FOUND: Final = (
    "no change that was tried leads to it ({:,} candidates were compared). What nobody named cannot be found from a\n"
    "digest alone: the content of another kernel, initrd, firmware or root file system. --with FILE names more."
)
NOTHING_SAID: Final = "unknown, and there is nothing to compare it with: name manifests or files with --manifest"


def print_answer(answer: "Answer", *, something: bool, as_json: bool) -> int:
    """Print what a single value is; the exit status is the result."""
    status = KNOWN if answer.known else UNKNOWN if something else NOTHING
    if as_json:
        print(json.dumps(answer.as_json(), indent=2))
        return status
    for known in answer.known:
        print_known(known)
    if not answer.known:
        print(UNKNOWN_SAID if something else NOTHING_SAID)
    for nearest in answer.nearest:
        print_nearest(nearest)
    if not answer.known and something and not any(entry.certain for entry in answer.nearest):
        print(f"\n{NOT_FOUND.format(answer.searched)}")
    return status


def print_known(known: "Known", indent: str = "") -> None:
    """One known meaning, and where it is from."""
    print(f"{indent}{known.sentence}")
    for name in ("file", "source"):
        if known.fields.get(name) and known.fields[name] != "computed":
            print(f"{indent}  {name}: {known.fields[name]}")


def print_nearest(nearest: "Nearest", indent: str = "") -> None:
    """A build that is near, and which inputs differ."""
    place = nearest.fields.get("file") or ""
    head = f"{nearest.manifest}{f'  ({place})' if place else ''}"
    if not nearest.certain:
        print(f"\n{indent}perhaps near: {head}")
        print(f"{indent}  one or more of: {', '.join(entry.name for entry in nearest.inputs)}")
        print(f"{indent}  {nearest.because}")
        return
    print(f"\n{indent}nearest: {head}")
    for entry in nearest.inputs[:SHOWN]:
        print_input(entry, indent + "  ")
    if len(nearest.inputs) > SHOWN:
        print(f"{indent}  … and {len(nearest.inputs) - SHOWN} more; --json has all")
    print(f"{indent}  {nearest.because}")


def print_input(entry: "ChangedInput", indent: str) -> None:
    """One input that differs."""
    print(f"{indent}{entry.name}")
    print(f"{indent}  was  {entry.was or '(nothing)'}")
    print(f"{indent}  is   {entry.now or '(nothing)'}")
    for package in entry.packages[:SHOWN]:
        print(f"{indent}       {package.name}: {package.was or '(nothing)'} → {package.now or '(nothing)'}")
    if len(entry.packages) > SHOWN:
        print(f"{indent}       … and {len(entry.packages) - SHOWN} more packages; --json has all")
