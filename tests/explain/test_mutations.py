"""The mutation table: a build with one input changed, or two, and what explaining the value names first.

Values are predicted from the files by `measure`, which shares no search with `explain`.
"""

from dataclasses import replace

import pytest

from tests.explain.known_builds import Inputs, all_builds, declared, firmware, line, payload
from warily.explain.alternatives import Parts
from warily.explain.answer import Answer
from warily.explain.builds import firmware_parts
from warily.explain.explainer import Explainer
from warily.explain.launch import Part

Mutation = tuple[Inputs, frozenset[str]]
SHARE = 0.95


def mutations_of_one() -> list[Mutation]:
    base = declared()
    words = base.line.split(" ")
    found: list[Mutation] = []

    def add(name: str, *inputs: Inputs) -> None:
        found.extend((entry, frozenset({name})) for entry in inputs)

    add("kernel", replace(base, kernel=payload("kernel_b.bin")))
    add("initrd", replace(base, initrd=payload("initrd_b.bin")), replace(base, initrd=b""))
    add("firmware", replace(base, firmware=firmware("OVMF.generic.fd")))
    add("root hash", *(replace(base, line=line(root)) for root in ("two", "three", "four")))
    add("vcpus", *(replace(base, vcpus=count) for count in (1, 3, 4, 8, 16, 64, 255, 512)))
    add(
        "cpu", *(replace(base, cpu=cpu) for cpu in ("EPYC-Rome", "EPYC-Milan-v2", "EPYC-Genoa", "EPYC-Turin", "Dhyana"))
    )
    add("features", *(replace(base, features=bits) for bits in (0x3, 0x9, 0x11, 0x81, 0x201, 0x401, 0x4001, 0x205)))
    gone = (0, 1, 2, 4, 8, 9, 11, 14, 17, 20)
    add("command line", *(replace(base, line=" ".join((*words[:at], *words[at + 1 :]))) for at in gone))
    new = (
        "nokaslr",
        "single",
        "init=/bin/sh",
        "debug",
        "mitigations=off",
        "ima=off",
        "acpi=off",
        "ro",
        "nosmt",
        "efi=debug",
    )
    add("command line", *(replace(base, line=f"{base.line} {word}") for word in new))
    add("command line", *(replace(base, line=f"{word} {base.line}") for word in ("rescue", "iommu=off", "maxcpus=1")))
    middle = (("rd.break", 3), ("console=hvc0", 1), ("swiotlb=force", 9))
    add("command line", *(replace(base, line=" ".join((*words[:at], word, *words[at:]))) for word, at in middle))
    values = (
        ("loglevel=4", "loglevel=7"), ("lockdown=confidentiality", "lockdown=none"), ("panic=-1", "panic=0"),
        ("console=ttyS0", "console=tty0"), ("pci=lastbus=1", "pci=lastbus=0"), ("reboot=t", "reboot=k"),
        ("mce=off", "mce=on"), ("random.trust_bootloader=n", "random.trust_bootloader=y"),
    )  # fmt: skip
    add("command line", *(replace(base, line=base.line.replace(was, now)) for was, now in values))
    add("command line", replace(base, line=" ".join((words[1], words[0], *words[2:]))))
    add("command line", replace(base, line=" ".join((*words[1:5], words[0], *words[5:]))))
    add("command line", *(replace(base, line=text) for text in (f"{base.line}\n", f" {base.line}", f"{base.line} ")))
    return found


def mutations_of_two() -> list[Mutation]:
    base = declared()
    other = {
        "kernel": replace(base, kernel=payload("kernel_b.bin")),
        "initrd": replace(base, initrd=payload("initrd_b.bin")),
        "firmware": replace(base, firmware=firmware("OVMF.generic.fd")),
        "root hash": replace(base, line=line("two")),
        "vcpus": replace(base, vcpus=12),
        "cpu": replace(base, cpu="EPYC-Milan"),
        "features": replace(base, features=0x201),
        "command line": replace(base, line=f"{base.line} nokaslr"),
    }
    fields = {"root hash": "line", "command line": "line"}
    names = [*other]
    found: list[Mutation] = []
    for at, first in enumerate(names):
        for second in names[at + 1 :]:
            if {first, second} == {"root hash", "command line"}:
                found.append((replace(base, line=f"{line('two')} nokaslr"), frozenset({first, second})))
                continue
            field = fields.get(second, second)
            value = getattr(other[second], field)
            found.append((replace(other[first], **{field: value}), frozenset({first, second})))
    quiet = replace(base, line=base.line.replace("quiet ", ""))
    found += [
        (replace(quiet, vcpus=4), frozenset({"command line", "vcpus"})),
        (replace(quiet, cpu="EPYC-Genoa"), frozenset({"command line", "cpu"})),
        (replace(quiet, line=quiet.line.replace("mce=off ", "")), frozenset({"command line"})),
        (replace(quiet, line=f"{quiet.line} debug"), frozenset({"command line"})),
        (replace(base, line=f"{base.line} single nokaslr"), frozenset({"command line"})),
        (replace(quiet, features=0x81), frozenset({"command line", "features"})),
    ]
    return found


@pytest.fixture(scope="module")
def explainer(vectors: object) -> Explainer:
    del vectors  # only so that the test is skipped without them
    return Explainer(all_builds(), parts=loose())


def loose() -> Parts:
    """The files of a later release, which belong to no manifest."""
    image = firmware("OVMF.generic.fd")
    return Parts(
        firmwares=tuple(firmware_parts(image, "OVMF.generic.fd")),
        kernels=(part("kernel_b.bin"),),
        initrds=(part("initrd_b.bin"),),
        lines=(),
        cpus=(),
        words=(),
    )


def part(name: str) -> Part:
    import hashlib

    return Part(name=name, sha256=hashlib.sha256(payload(name)).digest())


def names_first(answer: Answer, changed: frozenset[str]) -> bool:
    """The first build named is the one that was changed, by exactly these inputs, and by no more changes than made."""
    if not answer.nearest:
        return False
    first = answer.nearest[0]
    return first.manifest == "ledger" and first.certain and {entry.name for entry in first.inputs} == changed


@pytest.mark.parametrize(("table", "at_least", "inputs"), [(mutations_of_one, 60, 1), (mutations_of_two, 30, 2)])
def test_the_changed_inputs_are_named_first(explainer: Explainer, table: object, at_least: int, inputs: int) -> None:
    mutations: list[Mutation] = table()  # type: ignore[operator]  # one of the two functions
    assert len(mutations) >= at_least
    assert len({mutation.digest() for mutation, _ in mutations}) == len(mutations)
    missed = []
    for mutation, changed in mutations:
        answer = explainer.explain(mutation.digest())
        if not names_first(answer, changed) or len(answer.nearest[0].inputs) != inputs:
            missed.append((changed, [str(entry) for near in answer.nearest for entry in near.inputs]))
    assert len(missed) <= (1 - SHARE) * len(mutations), missed


def test_a_shape_that_was_not_declared_is_known(explainer: Explainer) -> None:
    answer = explainer.explain(replace(declared(), vcpus=200).digest())
    assert "200 vCPUs (it declares 2)" in answer.known[0].sentence


def test_what_was_declared_is_known_and_nothing_is_near(explainer: Explainer) -> None:
    answer = explainer.explain(declared().digest())
    assert answer.known[0].sentence.endswith("which sets MXCSR and the x87 control word")
    assert answer.known[0].fields["kernel"] == "linux-image-amd64 6.12.41-1"
    assert answer.known[0].fields["signer"] == "signed by somebody"
    assert answer.nearest == ()


def test_another_root_is_told_by_its_packages(explainer: Explainer) -> None:
    answer = explainer.explain(replace(declared(), line=line("two")).digest())
    (entry,) = answer.nearest[0].inputs
    assert [str(package) for package in entry.packages] == ["package openssl: 3.5.1-1 → 3.5.4-1"]


def test_of_what_is_near_nothing_is_said_what_was_not_excluded(explainer: Explainer) -> None:
    answer = explainer.explain(bytes(range(48)))
    assert not answer.known
    assert not any(near.certain for near in answer.nearest)
    assert answer.nearest[0].manifest == "ledger"
    assert [entry.name for entry in answer.nearest[0].inputs][:3] == ["root hash", "initrd", "kernel"]
    assert answer.searched > 100_000
