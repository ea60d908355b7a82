"""Another kernel, initial RAM file system or command line than the owner signed.

The control boots whatever it is given. The image may boot it too: what counts is that its launch digest is another,
and that the broker gives no key for it.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from warily.adversary.attack import Alone, Attack, Seen, refused, succeeded, undecided
from warily.adversary.boot_files import other_version, with_more
from warily.adversary.stage import Change, Played, Stage, replacing, unchanged
from warily.core import built

if TYPE_CHECKING:
    from warily.adversary.lab import Lab

MORE_WORDS: Final = "loglevel=5"


def on_control(lab: "Lab", *, part: str) -> Seen:
    """Whether Debian boots what it was given, and what the host gets of it: a root shell before anything else."""
    return lab.changed_control()[part]


def on_image(lab: "Lab", *, part: str) -> Seen:
    """Whether a key was given to an image that is not the signed one."""
    change: Change = unchanged
    with lab.lived().copy() as stage:
        if part == "command-line":
            change = replacing("-append", lambda line: f"{line} {MORE_WORDS}")
        elif part == "kernel":
            stage.change_image(built.KERNEL, _in_place(other_version))
        else:
            stage.change_image(built.INITRD, _in_place(partial(with_more, name="surprise", text="#!/bin/sh\n")))
        return judged(stage, stage.play(change=change))


def judged(stage: Stage, played: Played) -> Seen:
    """No grant: refused. A grant: the host has keys for a machine that nobody signed."""
    del stage
    if "grant" in played.events:
        return succeeded("the broker granted the keys")
    refusals = [row["detail"] for row in played.decisions if row["event"] == "refuse"]
    checks = [str(detail.get("finding", {}).get("check", "?")) for detail in refusals if isinstance(detail, dict)]
    if checks:
        return refused(f"the broker refused it by {', '.join(checks)}; the guest said: {played.refusal}")
    if played.refusal:
        return refused(f"the guest stopped before it asked for keys: {played.refusal}")
    return undecided(f"the machine ended without a word: {' / '.join(played.lines[-3:])}")


def _in_place(change: Callable[[bytes], bytes]) -> Callable[[bytearray], None]:
    def changed(content: bytearray) -> None:
        content[:] = change(bytes(content))

    return changed


def _attack(part: str, title: str) -> Attack:
    return Attack(
        id=f"boot.{part}",
        title=title,
        component="attestation",
        catalogue=("A14",),
        how=Alone(control=partial(on_control, part=part), image=partial(on_image, part=part)),
    )


ATTACKS: Final[tuple[Attack, ...]] = (
    _attack("kernel", "The host boots another kernel"),
    _attack("initrd", "The host adds files to the initial RAM file system"),
    _attack("command-line", "The host adds words to the kernel's command line"),
)
