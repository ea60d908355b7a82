"""What a plain Debian machine takes for its own although its host has changed it: one boot of the control for all.

The host has changed the kernel, the initial RAM file system, the command line, which has it start a shell as the
first program, and the root file system; it changes the data disks between two mounts. What the shell then sees is
the evidence.
"""

import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from warily.adversary.attack import Seen, refused, succeeded, undecided
from warily.adversary.boot_files import other_version, with_more
from warily.adversary.control import Control, quiet_shell
from warily.adversary.targets import MARK, ControlTarget
from warily.errors import HostError
from warily.host.run import find, run

SHELL_WITHIN: Final = 240.0
PROMPT: Final = r"^.*[#$] $"
BLOCK: Final = 4096
SIZE: Final = "16M"
RELEASE: Final = "/usr/lib/os-release"
GENUINE, FORGED = b"Debian", b"Hostil"
FACT, LIE = b"balance 1000", b"balance 9000"
MOUNT: Final = "mount -t ext4 /dev/vd{} /mnt"
MAKEFS: Final = "/usr/lib/systemd/systemd-makefs"
KERNEL: Final = re.compile(r"\[ *\d+\.\d+\] ")
TIMEOUT: Final = 120.0
CONFIGURATION: Final = "conf/conf.d/host"  # initramfs-tools(7) reads it as a shell script, as root


def mounted(control: Control) -> Mapping[str, Seen]:
    """What each attack did to the control.

    `kernel`, `initrd` and `command-line` are of what it boots; `root`, `flip`, `rollback`, `other`, `blank` and
    `power` of its disks.
    """
    with tempfile.TemporaryDirectory(prefix="warily-attack-") as place:
        folder = Path(place)
        root = folder / "root.ext4"
        run([find("cp", package="coreutils"), "--sparse=always", control.files.disk, root], timeout=TIMEOUT)
        forge_root(root)
        disks = {name: _disk(folder, name, content) for name, content in _contents().items()}
        _replace(disks["flip"], FACT, LIE)
        argv = _booting(control, folder)
        argv = tuple(word.replace(f"file={control.files.disk},", f"file={root},") for word in argv)
        for name, disk in disks.items():
            argv += ("-drive", f"file={disk},if=none,id={name},format=raw", "-device", f"virtio-blk-pci,drive={name}")
        with control.boot(argv, folder) as (machine, terminal):
            target = ControlTarget(folder=folder, machine=machine, terminal=terminal, shell=True)  # noqa: S604  # the control's, not ours
            if not quiet_shell(machine, terminal, SHELL_WITHIN, PROMPT):
                raise HostError("the control did not boot to a shell", hint=machine.tail()[-500:])
            seen = _on_boot(target) | _on_root(target) | _on_data(target, disks)
            target.run(f"{MOUNT.format('c')}; echo paid >/mnt/ledger; cat /mnt/ledger")
            machine.kill()
        return seen | {"power": _after_power(disks["old"])}


def _booting(control: Control, folder: Path) -> tuple[str, ...]:
    """A launch of the control with another kernel, initial RAM file system and command line."""
    kernel, initrd = folder / "kernel", folder / "initrd"
    script = f"echo {MARK} initrd ran as process $$ of the initial RAM file system >/dev/console\n"
    kernel.write_bytes(other_version(control.files.kernel.read_bytes()))
    initrd.write_bytes(with_more(control.files.initrd.read_bytes(), CONFIGURATION, script))
    argv = control.argv(folder, command_line=f"{control.files.command_line} init=/bin/bash")
    for option, file in (("-kernel", kernel), ("-initrd", initrd)):
        at = argv.index(option) + 1
        argv = (*argv[:at], str(file), *argv[at + 1 :])
    return argv


def _on_boot(target: ControlTarget) -> dict[str, Seen]:
    """The kernel, the initial RAM file system and the words that the machine booted with."""
    uid, _, name = target.run("id -u; cat /proc/1/comm").partition("\n")
    shell = f"process 1 is {name.strip()}, a shell on the host's console with uid {uid.strip()}"
    line = target.printed("initrd")
    return {
        "kernel": succeeded(f"the changed kernel booted: {shell}"),
        "initrd": succeeded(f"on the console: {line}") if line else refused("the added script never ran"),
        "command-line": succeeded(f"the added words were obeyed: {shell}"),
    }


def forge_root(disk: Path) -> None:
    """In the file that names the operating system some letters are others."""
    debugfs = find("debugfs", package="e2fsprogs")
    said = run([debugfs, "-R", f"blocks {RELEASE}", disk], timeout=TIMEOUT).decode("ascii", "replace")
    found = re.search(r"^(\d+)", said, re.MULTILINE)
    if found is None:
        message = f"the control's disk has no {RELEASE}"
        raise HostError(message)
    with disk.open("r+b") as file:
        file.seek(int(found[1]) * BLOCK)
        content = file.read(BLOCK)
        file.seek(int(found[1]) * BLOCK)
        file.write(content.replace(GENUINE, FORGED))


def _contents() -> dict[str, bytes]:
    return {"flip": FACT + b"\n", "old": b"entry 1\n", "other": b"this is another machine's\n"}


def _disk(folder: Path, name: str, content: bytes) -> Path:
    """A disk with an ext4 file system that holds one file."""
    tree, disk = folder / f"{name}.d", folder / f"{name}.ext4"
    tree.mkdir()
    (tree / "ledger").write_bytes(content)
    words: list[str | Path] = [
        find("mke2fs", package="e2fsprogs"),
        "-q",
        "-t",
        "ext4",
        "-b",
        str(BLOCK),
        "-L",
        "data",
        "-d",
        tree,
    ]
    run([*words, disk, SIZE], timeout=TIMEOUT)
    return disk


def _replace(disk: Path, old: bytes, new: bytes) -> None:
    content = disk.read_bytes()
    with disk.open("r+b") as file:
        file.seek(content.index(old))
        file.write(new)


def _on_root(target: ControlTarget) -> dict[str, Seen]:
    """The root that was changed below the machine."""
    line = target.run(f"head -n 1 {RELEASE}")
    taken = FORGED.decode() in line
    seen = succeeded(f"{RELEASE} was changed on the disk; the machine runs and reads: {line}")
    return {"root": seen if taken else refused(f"the machine reads: {line}")}


def _on_data(target: ControlTarget, disks: Mapping[str, Path]) -> dict[str, Seen]:
    """Data disks that the host changes while they are not mounted."""
    changed = _read(target, "b")
    old, kept = disks["old"], disks["old"].with_suffix(".kept")
    shutil.copyfile(old, kept)
    target.run(f"{MOUNT.format('c')} && echo entry 2 >>/mnt/ledger; umount /mnt")
    _put(kept, old)
    rolled = _read(target, "c")
    other = _read(target, "d")
    with disks["other"].open("r+b") as file:
        file.write(bytes(disks["other"].stat().st_size))
    target.run("blockdev --flushbufs /dev/vdd; echo 3 >/proc/sys/vm/drop_caches")
    made = _without_kernel(target.run(f"{MAKEFS} ext4 /dev/vdd; {MOUNT.format('d')} && ls /mnt; umount /mnt"))
    return {
        "flip": _taken(changed, LIE.decode(), "one digit was changed on the disk"),
        "rollback": _taken(rolled, "entry 1", "after `entry 2` was written and unmounted, an older copy was put back")
        if "entry 2" not in rolled
        else refused(rolled),
        "other": _taken(other, "another", "the disk of another machine was put in the slot, and mounted"),
        "blank": _taken(made, "lost+found", f"the disk was wiped, and {MAKEFS} (x-systemd.makefs) made it anew"),
    }


def _read(target: ControlTarget, letter: str) -> str:
    """What the machine reads of the file on a disk that it mounts afresh."""
    flush = f"blockdev --flushbufs /dev/vd{letter}; echo 3 >/proc/sys/vm/drop_caches"
    return _without_kernel(target.run(f"{flush}; {MOUNT.format(letter)} && cat /mnt/ledger; umount /mnt"))


def _without_kernel(said: str) -> str:
    """What a command printed, without what the kernel printed meanwhile."""
    return "\n".join(line for line in said.splitlines() if not KERNEL.match(line))


def _put(source: Path, target: Path) -> None:
    """The target's content is the source's, in the file that QEMU holds open."""
    with target.open("r+b") as file:
        file.write(source.read_bytes())


def _taken(said: str, wanted: str, what: str) -> Seen:
    if wanted not in said:
        return undecided(f"{what}; the machine said: {said or 'nothing'}")
    return succeeded(f"{what}; the machine reads without an error: {said}")


def _after_power(disk: Path) -> Seen:
    """What is left on the disk of a line that the machine had read back before its power was cut."""
    debugfs = find("debugfs", package="e2fsprogs")
    left = run([debugfs, "-R", "cat /ledger", disk], timeout=TIMEOUT).decode("ascii", "replace").strip()
    if "paid" in left:
        return refused(f"the line is on the disk: {left}")
    return succeeded(f"a line was written and read back, the power was cut, and the disk holds: {left or 'nothing'}")
