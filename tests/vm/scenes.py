"""Every boot that must be refused, as a scene: a copy of a good machine, one change, and what became of it.

Scenes do not depend on each other. A machine in TCG waits often enough that two share two cores well, and
the one without a broker sleeps nearly all of its time; so three run at once.
"""

import os
import re
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.vm.stage import Outcome, Project, Relay, Stage, address, audit, exchange
from warily.core import built
from warily.formats import cpio
from warily.host import keys
from warily.host.run import find, run
from warily.release.signing import sign_manifest

Scene = Callable[[Stage], Outcome]

AT_ONCE: Final = 3
BLOCK: Final = 4096
DEBUG: Final = 0xB0000  # the policy of a launch, with bit 19: the host may decrypt guest memory
READ_AT_BOOT: Final = "/usr/lib/systemd/systemd"
ELSEWHERE: Final = "elsewhere"


class Scenes:
    """Scenes under way. Asking for one waits for it."""

    def __init__(self, begun: Mapping[str, Future[Outcome]]) -> None:
        self._begun = begun

    def __getitem__(self, name: str) -> Outcome:
        return self._begun[name].result()


@contextmanager
def begun(stage: Stage, scenes: Mapping[str, Scene]) -> Iterator[Scenes]:
    """The scenes begin in their order, `AT_ONCE` at a time; those that nobody waited for do not begin."""

    def play(scene: Scene) -> Outcome:
        with stage.copy() as copy:
            return scene(copy)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            yield Scenes({name: pool.submit(play, scene) for name, scene in scenes.items()})
        finally:
            pool.shutdown(cancel_futures=True)


def no_broker(stage: Stage) -> Outcome:
    """Nobody listens where the broker should be."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        return stage.ended(nobody.getsockname(), None)


def changed_initrd(stage: Stage) -> Outcome:
    """A second archive behind the first: the kernel unpacks both."""

    def more_files(initrd: bytearray) -> None:
        initrd += bytes(-len(initrd) % 4)
        initrd += cpio.encode([cpio.Entry(name="surprise", mode=0o100755, data=b"#!/bin/sh\n")])

    stage.change_image(built.INITRD, more_files)
    return stage.play()


def changed_command_line(stage: Stage) -> Outcome:
    """One more word, which the guest would not mind."""
    return stage.play(words="loglevel=5")


def changed_kernel(stage: Stage) -> Outcome:
    """One bit in the version string of the set-up header (Documentation/arch/x86/boot.rst), which nothing executes."""

    def other_version(kernel: bytearray) -> None:
        at = int.from_bytes(kernel[0x20E:0x210], "little") + 0x200
        assert kernel[at : at + 2] == b"6."
        kernel[at] ^= 1

    stage.change_image(built.KERNEL, other_version)
    return stage.play()


def debuggable(stage: Stage) -> Outcome:
    """The processor reports a policy that lets the host decrypt the guest's memory."""
    return stage.play(policy=DEBUG)


def flipped_bit(stage: Stage) -> Outcome:
    """One bit of the root is another, in a file that every boot reads."""
    block = flipped_block(stage)

    def flip(root: bytearray) -> None:
        root[block * BLOCK + 1234] ^= 0x10

    stage.change_image(built.ROOT, flip)
    return stage.play()


def flipped_block(stage: Stage) -> int:
    """The block of the root whose bit `flipped_bit` flips: the first that holds systemd."""
    image = stage.project.home.image / built.ROOT
    program = find("dump.erofs", package="erofs-utils")
    said = run([program, "-e", f"--path={READ_AT_BOOT}", str(image)], timeout=60.0).decode()
    found = re.search(r"^ +0: .*: *(\d+)\.\. *\d+ ", said, re.MULTILINE)
    assert found, said
    return int(found[1]) // BLOCK


def truncated_root(stage: Stage) -> Outcome:
    """The root's last block is missing."""

    def cut(root: bytearray) -> None:
        del root[-BLOCK:]

    stage.change_image(built.ROOT, cut)
    return stage.play()


def disk_of_another(stage: Stage) -> Outcome:
    """In the slot is the disk of another VM of the same image, which the same broker keeps a key for."""
    shutil.copyfile(stage.project.folder.parent / ELSEWHERE / "data.disk", stage.project.disk)
    return stage.play()


def garbage(stage: Stage) -> Outcome:
    """Random bytes stand where the descriptor was."""
    with stage.project.disk.open("r+b") as file:
        file.write(os.urandom(BLOCK))
    return stage.play()


def blank_disk(stage: Stage) -> Outcome:
    """The disk is blank. The host listens in, and sends the genuine evidence a second time afterwards."""
    make_blank(stage.project.disk)
    with stage.broker() as operator:
        with Relay(address(operator)) as relay:
            outcome = stage.ended(relay.address, operator)
        seen = len(audit(operator))
        ((evidence, answer),) = relay.requests("/v1/attest")
        replayed = exchange(address(operator), evidence)
        return replace(outcome, answers=(answer, replayed), later=audit(operator, after=seen))


def impostor(stage: Stage) -> Outcome:
    """Whoever answers as the broker has a grantor key of its own, and the volume's slot a blank disk."""
    make_blank(stage.project.disk)
    folder = stage.project.folder
    other = Stage(Project(folder=folder, keys=folder / "keys"))
    owner, grantor = (keys.signing_key(name, folder=other.project.keys) for name in ("owner", "grantor"))
    claimed = folder / built.SIGNED_MANIFEST
    claimed.write_bytes(sign_manifest(replace(stage.project.manifest, grantor=keys.public_bytes(grantor)), owner))
    with other.broker(folder=folder / "broker", manifest=claimed) as operator:
        return stage.ended(address(operator), operator)


def make_blank(disk: Path) -> None:
    """The disk is as long as before, and holds zeros alone."""
    size = disk.stat().st_size
    os.truncate(disk, 0)
    os.truncate(disk, size)


ALL: Final[Mapping[str, Scene]] = {
    scene.__name__: scene
    for scene in (
        no_broker,
        changed_initrd,
        changed_command_line,
        changed_kernel,
        debuggable,
        flipped_bit,
        truncated_root,
        disk_of_another,
        garbage,
        blank_disk,
        impostor,
    )
}
