"""A machine that lived three times, and what its host kept of its disk each time.

Each life ends in order but the last, whose power is cut. Attacks put back what was kept.
"""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from warily.core.appraisal import Rejected
from warily.errors import HostError
from warily.host.progress import SILENT
from warily.up.watch import Watch

if TYPE_CHECKING:
    from warily.adversary.stage import Boot, Stage

END_WITHIN: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """`first` and `second` are the disks as the first and the second life left them.

    `ended` is the stage of the machine after its second life, `killed` after its power was cut in the third.
    """

    first: tuple[Path, ...]
    second: tuple[Path, ...]
    ended: "Stage"
    killed: "Stage"


def live(stage: "Stage", *, cut_power: bool = False) -> str:
    """The machine came up and ended in order, or by a cut of its power; what its guest said of its volumes.

    Raises `HostError` where it did not come up.
    """
    with stage.broker() as broker, stage.boot(broker.endpoint) as boot:
        operator = broker.wait_until_ready()
        name = stage.identity
        watch = Watch(machine=boot.machine, operator=operator, manifest=stage.manifest, identity=name)
        try:
            watch.until_up(boot.launch.ports, SILENT)
        except Rejected as error:
            raise HostError(str(error)) from None
        if cut_power:
            boot.machine.kill()
        else:
            operator.post(f"/v1/operator/vms/{name.hex()}/end")
            if boot.until_end(END_WITHIN) is None:
                raise HostError("the machine does not end")
        return said_of_volumes(boot)


def said_of_volumes(boot: "Boot") -> str:
    """The guest's own lines about its volumes."""
    lines = [line[line.index("warily: ") :] for line in boot.terminal.lines() if "warily: volume " in line]
    return "; ".join(lines)


def history(lived: "Stage", folder: Path) -> History:
    """The history of a copy of a machine that lived once. It takes two boots and lies in `folder`."""
    first = _kept(lived, folder)
    with lived.copy() as stage:
        live(stage)
        second = _kept(stage, folder)
        ended = stage.copied_to(Path(tempfile.mkdtemp(prefix="ended-", dir=folder)))
        live(stage, cut_power=True)
        killed = stage.copied_to(Path(tempfile.mkdtemp(prefix="killed-", dir=folder)))
    return History(first=first, second=second, ended=ended, killed=killed)


def put(disks: tuple[Path, ...], stage: "Stage") -> None:
    """The stage's disks are these. Call it on a copy alone."""
    for source, target in zip(disks, stage.disks, strict=True):
        shutil.copyfile(source, target)


def _kept(stage: "Stage", folder: Path) -> tuple[Path, ...]:
    kept = Path(tempfile.mkdtemp(prefix="disks-", dir=folder))
    return tuple(Path(shutil.copy(disk, kept / disk.name)) for disk in stage.disks)
