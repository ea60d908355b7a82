"""Real boots: the guest from its first program to its volume, and everything it must refuse."""

import hashlib
import os
import re
import shutil
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests import example_project
from warily.core import built
from warily.core.declaration import Platform
from warily.core.manifest import Manifest
from warily.image.build import build
from warily.launch.plan import Accelerator, plan
from warily.launch.rehearsal_keys import Hierarchy, hierarchy
from warily.launch.rehearsal_sp import Processor, fingerprint
from warily.launch.runner import Machine, choose_ports, pipe_command
from warily.up.broker import Broker, Operator, passphrase_file

pytestmark = pytest.mark.vm
BOOT = 180.0  # seconds; an emulated guest on a busy machine is slow
OUTCOME = r"warily: refused: |warily: volume \S+ is |Kernel panic"
Change = Callable[[list[str]], list[str]]


@dataclass
class Console:
    """What a guest says, line by line."""

    lines: list[str] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)

    def hear(self, line: str) -> None:
        with self.news:
            self.lines.append(line)
            self.news.notify_all()

    def until(self, pattern: str) -> str:
        """The first line that matches."""
        deadline = time.monotonic() + BOOT
        with self.news:
            while True:
                for line in self.lines:
                    if re.search(pattern, line):
                        return line
                left = deadline - time.monotonic()
                assert left > 0, "\n".join(self.lines[-30:])
                self.news.wait(left)


@dataclass(frozen=True)
class Rig:
    """One image, one broker, one processor's keys, and as many boots as a test wants."""

    folder: Path
    manifest: Manifest
    keys: Hierarchy
    operator: Operator

    @contextmanager
    def booted(
        self, disk: Path, *, host_data: bytes, change: Change = list, port: int = 0
    ) -> Iterator[tuple[Console, Machine]]:
        run = self.folder / f"run-{time.monotonic_ns()}"
        run.mkdir()
        ports = choose_ports([replace(each, host=port) for each in self.manifest.ports])
        made = plan(
            self.manifest,
            tee=Platform.REHEARSAL,
            image=str(self.folder / "image"),
            run=str(run),
            volumes=[str(disk)],
            broker=(self.operator.host, self.operator.port),
            accelerator=Accelerator.TCG,
            host_data=host_data,
            id_block=None,
            pipe=pipe_command(),
            ports=ports,
        )
        made = replace(made, argv=tuple(change(list(made.argv))))
        console = Console()
        with Processor(made, self.keys), Machine(made, log=run / "log", on_line=console.hear) as machine:
            yield console, machine

    def outcome(self, disk: Path, *, host_data: bytes, change: Change = list) -> str:
        """The line that decides a boot. Unless the volume opened, the machine is off soon after."""
        with self.booted(disk, host_data=host_data, change=change) as (console, machine):
            line = console.until(OUTCOME)
            if "volume " not in line or "refused" in line:
                assert machine.wait(60) is not None, "the machine goes on after a refusal"
            return line


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("boot")
    project = folder / "project"
    project.mkdir()
    example_project.copy_to(project)
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("WARILY_KEYS", str(folder / "keys"))
        manifest = build(project, folder / "image").manifest
        keys = hierarchy(folder / "rehearsal")
        (folder / "broker").mkdir(mode=0o700)
        arguments = (
            *("--manifest", str(folder / "image" / built.SIGNED_MANIFEST), "--lease", "4"),
            *("--kek-file", str(passphrase_file(folder / "broker"))),
            *("--rehearsal-root", fingerprint(keys.ark).hex()),
        )
        broker = stack.enter_context(Broker(folder / "broker", arguments))
        yield Rig(folder, manifest, keys, broker.wait_until_ready())


def blank_disk(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
    return path


def identity(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def entries(port: int, line: str | None = None) -> str:
    """The ledger's answer, once it listens; with `line`, after appending it."""
    deadline = time.monotonic() + BOOT
    body = None if line is None else line.encode()
    request = urllib.request.Request(  # a literal http URL
        f"http://127.0.0.1:{port}/entries", data=body, headers={"Content-Type": "text/plain"}
    )
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  # likewise
                return str(answer.read().decode())
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.2)


@pytest.fixture(scope="module")
def volume(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A volume made by a guest that was killed in the middle of writing."""
    disk = blank_disk(tmp_path_factory.mktemp("disk") / "data", rig.manifest.volumes[0].size)
    with rig.booted(disk, host_data=identity("own"), port=18741) as (console, machine):
        assert "is new" in console.until(OUTCOME)
        for number in range(20):
            entries(18741, f"acknowledged {number}")
        machine.kill()
    return disk


def test_after_a_power_cut_every_acknowledged_line_is_there(rig: Rig, volume: Path) -> None:
    with rig.booted(volume, host_data=identity("own"), port=18742) as (console, machine):
        assert "is open" in console.until(OUTCOME)
        found = entries(18742)
        assert all(f"acknowledged {number}" in found for number in range(20))
        rig.operator.post(f"/v1/operator/vms/{identity('own').hex()}/end")
        ending = machine.wait(BOOT)
        assert ending is not None
        assert any("the broker ended the lease" in line for line in console.lines)


def test_the_hosts_superblock_is_never_read(rig: Rig, volume: Path) -> None:
    """On the disk itself: a boot from a copy would make the original an older one, which is refused."""
    overwrite(volume, 1 << 20, os.urandom(4096))
    assert "is open" in rig.outcome(volume, host_data=identity("own"))


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


@pytest.mark.parametrize(
    ("check", "spoil"),
    [
        ("volume.blank", lambda disk: overwrite(disk, 0, bytes(4096))),
        ("volume.descriptor", lambda disk: overwrite(disk, 0, os.urandom(4096))),
        ("volume.unreadable", lambda disk: overwrite(disk, (1 << 20) + 4096, os.urandom(1 << 19))),
        ("volume.size", lambda disk: os.truncate(disk, 1 << 22)),
    ],
)
def test_a_spoilt_volume_is_refused(
    rig: Rig, volume: Path, tmp_path: Path, check: str, spoil: Callable[[Path], None]
) -> None:
    disk = Path(shutil.copy(volume, tmp_path / "disk"))
    spoil(disk)
    assert f"refused: {check}:" in rig.outcome(disk, host_data=identity("own"))


def test_another_vms_volume_is_refused_and_left_alone(rig: Rig, volume: Path) -> None:
    before = hashlib.sha256(volume.read_bytes()).digest()
    assert "refused: volume.not-blank:" in rig.outcome(volume, host_data=identity("stranger"))
    assert hashlib.sha256(volume.read_bytes()).digest() == before


def replaced(name: str, with_file: Path) -> Change:
    """The launch with another file in place of one part of the image."""

    def change(argv: list[str]) -> list[str]:
        made = [re.sub(rf"filename=[^,]*/{re.escape(name)}$", f"filename={with_file}", word) for word in argv]
        assert sum(old != new for old, new in zip(argv, made, strict=True)) == 1
        return made

    return change


def more_words(words: str) -> Change:
    def change(argv: list[str]) -> list[str]:
        at = argv.index("-append") + 1
        return [*argv[:at], f"{argv[at]} {words}", *argv[at + 1 :]]

    return change


def spoilt_root(rig: Rig, to: Path, offsets: Sequence[int]) -> Path:
    """The root image with one bit flipped at each offset."""
    data = bytearray((rig.folder / "image" / built.ROOT).read_bytes())
    for offset in offsets:
        data[offset] ^= 1
    to.write_bytes(data)
    return to


def test_a_flipped_bit_in_the_root_ends_the_machine(rig: Rig, tmp_path: Path) -> None:
    root = spoilt_root(rig, tmp_path / "root", [1024])  # the file system's first block
    line = rig.outcome(
        blank_disk(tmp_path / "disk", 1 << 26), host_data=identity("x"), change=replaced(built.ROOT, root)
    )
    assert "dm-verity device corrupted" in line


def test_a_truncated_root_is_refused(rig: Rig, tmp_path: Path) -> None:
    root = spoilt_root(rig, tmp_path / "root", [])
    os.truncate(root, root.stat().st_size - 4096)
    line = rig.outcome(
        blank_disk(tmp_path / "disk", 1 << 26), host_data=identity("x"), change=replaced(built.ROOT, root)
    )
    assert "refused: root.size:" in line


@pytest.mark.parametrize(
    ("words", "check"),
    [("warily.debug=1", "cmdline.unknown"), ("warily.blocks=9", "cmdline.duplicate")],
)
def test_changed_words_are_refused_by_the_guest_itself(rig: Rig, tmp_path: Path, words: str, check: str) -> None:
    disk = blank_disk(tmp_path / "disk", 1 << 26)
    assert f"refused: {check}:" in rig.outcome(disk, host_data=identity("x"), change=more_words(words))


def test_a_changed_command_line_gets_no_key(rig: Rig, tmp_path: Path) -> None:
    disk = blank_disk(tmp_path / "disk", 1 << 26)
    line = rig.outcome(disk, host_data=identity("x"), change=more_words("loglevel=5"))
    assert "refused: broker." in line
    assert "snp.measurement" in line
    assert not any(disk.read_bytes())
