"""Mutations of builds that nobody chose: lines, files, machines and changes by lot, from a seed.

The table of `test_mutations.py` is one build's; this one shows that the search was not made for it.
"""

import hashlib
import random
import time
from dataclasses import replace

import pytest

from tests.explain.known_builds import Inputs, firmware, line, manifest
from warily.explain.alternatives import Parts
from warily.explain.answer import Answer
from warily.explain.builds import Build, build_of, firmware_parts
from warily.explain.explainer import Explainer
from warily.explain.launch import Part

SHARE = 0.95
ONES, TWOS, THREES = 60, 30, 8
# Words of lines that people publish, in no order; the search knows some of them.
WORDS = [
    "console=ttyS0,115200n8",
    "earlyprintk=serial",
    "ro",
    "rw",
    "quiet",
    "loglevel=5",
    "panic=-1",
    "root=/dev/vda1",
    "rootfstype=ext4",
    "systemd.unified_cgroup_hierarchy=1",
    "net.ifnames=0",
    "clearcpuid=mtrr",
    "no-kvmclock",
    "tsc=reliable",
    "nokaslr=0",
    "mitigations=auto",
    "agent.log=info",
    "agent.unified=1",
    "cryptomgr.notests",
    "i8042.direct=1",
    "pci=noacpi",
    "virtio_net.napi=1",
    "init=/usr/lib/systemd/systemd",
    "dm_verity.require_signatures=1",
    "ipv6.disable=1",
    "swiotlb=131072",
    "sysctl.kernel.x=3",
]
NEW = ("nokaslr", "debug", "single", "init=/bin/sh", "rd.break", "mitigations=off", "nosmt", "ima=off", "console=tty1")
FIELDS = ("kernel", "initrd", "firmware", "vcpus", "cpu", "features", "root hash", "command line")
CPUS = ("EPYC-Rome", "EPYC-Milan", "EPYC-Genoa", "EPYC-Turin")
Mutation = tuple[Inputs, frozenset[str]]


class Lot:
    """A build, what else is known, and changes of it, all drawn from one seed."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)  # noqa: S311  # a lottery that can be repeated
        self.words = self.draw.sample(WORDS, self.draw.randint(6, 14))
        self.kernels = [self.draw.randbytes(5000) for _ in range(3)]
        self.initrds = [self.draw.randbytes(7000) for _ in range(3)]
        self.base = Inputs(
            firmware=firmware("OVMF.amdsev.fd"),
            kernel=self.kernels[0],
            initrd=self.initrds[0],
            line=line("one", " ".join(self.words)),
            cpu="EPYC-v4",
            vcpus=self.draw.randint(1, 32),
        )

    def builds(self) -> list[Build]:
        """The build, and a later one of the same project with another root file system and another line."""
        later = replace(self.base, line=line("two", "quiet ro"), kernel=self.kernels[1], vcpus=self.base.vcpus + 1)
        made = [manifest(self.base, name="drawn"), manifest(later, root="two", name="later")]
        return [build_of(one, where=f"{one.name}.json") for one in made]

    def parts(self) -> Parts:
        """Files that belong to no manifest."""
        return Parts(
            firmwares=tuple(firmware_parts(firmware("OVMF.generic.fd"), "OVMF.generic.fd")),
            kernels=tuple(_part("kernel", data) for data in self.kernels[1:]),
            initrds=tuple(_part("initrd", data) for data in self.initrds[1:]),
            lines=(),
            cpus=(),
            words=(),
        )

    def changed(self, count: int) -> Mutation:
        """The build with so many inputs changed."""
        names = self.draw.sample(FIELDS, count)
        made = self.base
        words = list(self.words)
        if "command line" in names:
            words = self._other(words)
        made = replace(made, line=line("two" if "root hash" in names else "one", " ".join(words)))
        choices: dict[str, object] = {
            "kernel": self.draw.choice(self.kernels[1:]),
            "initrd": self.draw.choice(self.initrds[1:]),
            "firmware": firmware("OVMF.generic.fd"),
            "vcpus": self.base.vcpus % 16 + 1 if count > 1 else self.base.vcpus % 300 + self.draw.randint(1, 200),
            "cpu": self.draw.choice(CPUS),
            "features": 1 | 1 << self.draw.choice((1, 2, 3, 7, 9, 14)),
        }
        if choices["vcpus"] == self.base.vcpus:
            choices["vcpus"] = self.base.vcpus + 1
        return replace(made, **{name: choices[name] for name in names if name in choices}), frozenset(names)  # type: ignore[arg-type]  # as each field is

    def _other(self, words: list[str]) -> list[str]:
        """The words with one gone, one more, one moved, or another number in one."""
        at = self.draw.randrange(len(words))
        match self.draw.randrange(4):
            case 0:
                return [*words[:at], *words[at + 1 :]]
            case 1:
                return [*words, self.draw.choice([word for word in NEW if word not in words])]
            case 2:
                return [self.draw.choice([word for word in NEW if word not in words]), *words]
            case _:
                valued = [place for place, word in enumerate(words) if word.endswith(("=0", "=1"))]
                if not valued:
                    return words[:-1]
                turned = words[valued[0]][:-1] + ("1" if words[valued[0]].endswith("0") else "0")
                return [*words[: valued[0]], turned, *words[valued[0] + 1 :]]


def _part(name: str, data: bytes) -> Part:
    digest = hashlib.sha256(data).digest()
    return Part(name=f"{name}-{digest.hex()[:8]}", sha256=digest)


def names(answer: Answer, changed: frozenset[str]) -> bool:
    """The first is proved, and the drawn build is named with these inputs."""
    mine = next((near for near in answer.nearest if near.manifest == "drawn"), None)
    return mine is not None and answer.nearest[0].certain and {entry.name for entry in mine.inputs} == changed


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_what_was_changed_by_lot_is_named(vectors: object, seed: int) -> None:
    del vectors  # only so that the test is skipped without them
    lot = Lot(seed)
    missed = {1: 0, 2: 0, 3: 0}
    explainer = Explainer(lot.builds(), parts=lot.parts())
    for count, wanted in ((1, ONES), (2, TWOS), (3, THREES)):
        for _ in range(wanted):
            inputs, changed = lot.changed(count)
            if not names(explainer.explain(inputs.digest()), changed):
                missed[count] += 1
    assert missed[1] <= (1 - SHARE) * ONES, missed
    assert missed[2] <= (1 - SHARE) * TWOS, missed
    assert missed[3] <= THREES // 2, missed


def test_a_question_is_given_up_in_bounded_time(vectors: object) -> None:
    """Two seconds are wanted; ten are asked of a machine that does other things too."""
    del vectors  # likewise
    lot = Lot(14)
    explainer = Explainer(lot.builds(), parts=lot.parts())
    start = time.process_time()
    explainer.explain(bytes(range(48)))
    assert time.process_time() - start < 10
