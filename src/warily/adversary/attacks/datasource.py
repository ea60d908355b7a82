"""A cloud-init datasource from the host: a disk labelled `cidata` whose user data runs as root.

Source: cloud-init's NoCloud datasource; found in attested machines in 2026 (the catalogue's row A11).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from warily.adversary.attack import Attack, Seen, Together, refused, succeeded
from warily.adversary.targets import MARK, ControlTarget, ImageTarget

RUNS_WITHIN: Final = 180.0
WHAT: Final = "cidata"
SLOT: Final = 0x17
USER_DATA: Final = f"""\
#cloud-config
bootcmd:
  - [sh, -c, "echo {MARK} {WHAT} ran as $(id -un) > /dev/ttyS0"]
"""


def arguments(folder: Path) -> Sequence[str]:
    """A virtio disk with one FAT file system of that label, made by QEMU from a folder."""
    seed = folder / "seed"
    seed.mkdir()
    (seed / "meta-data").write_text("instance-id: host\nlocal-hostname: hosted\n")
    (seed / "user-data").write_text(USER_DATA)
    return (
        *("-blockdev", f"driver=vvfat,node-name=seed,dir={seed},label=cidata,read-only=on"),
        *("-device", f"virtio-blk-pci,id=seed,bus=pcie.0,addr={SLOT:#x},drive=seed,disable-legacy=on"),
    )


def on_control(target: ControlTarget) -> Seen:
    """Whether cloud-init obeyed."""
    line = target.printed(WHAT, RUNS_WITHIN)
    return succeeded(f"on the console: {line}") if line else refused("the user data never ran")


def on_image(target: ImageTarget) -> Seen:
    """Whether anything in the image did."""
    line = target.printed(WHAT)
    return succeeded(f"on the console: {line}") if line else target.nothing_happened("the user data never ran")


ATTACKS: Final[tuple[Attack, ...]] = (
    Attack(
        id="datasource.cidata",
        title="A disk labelled cidata tells cloud-init what to run as root",
        component="runtime",
        catalogue=("A11",),
        how=Together(arguments=arguments, control=on_control, image=on_image),
    ),
)
