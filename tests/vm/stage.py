"""A stage for machines: real brokers, real processors, real boots, each changed in one respect.

Every wait is bounded. The bounds are several times what a boot in TCG takes on two free cores: they end a
hang, they judge no speed.
"""

import hashlib
import shutil
import socket
import socketserver
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Self

import pytest

from warily.core import built
from warily.core.declaration import Platform
from warily.core.manifest import Manifest
from warily.host import paths
from warily.launch import readiness
from warily.launch.plan import Plan, plan
from warily.launch.rehearsal_keys import hierarchy
from warily.launch.rehearsal_sp import Processor, fingerprint
from warily.launch.runner import Ending, Machine, choose_ports, pipe_command
from warily.up.broker import Broker, Operator, passphrase_file
from warily.up.machine import Home, disks, identity

END_WITHIN: Final = 400.0
PIECE: Final = 1 << 16
HTTP_WITHIN: Final = 60.0
ENVIRONMENT: Final = threading.Lock()  # held by whoever changes this process's environment for a child


@dataclass(frozen=True, slots=True)
class Project:
    """A project of the tests' own: its folder, and the folder of its user's keys."""

    folder: Path
    keys: Path

    @property
    def home(self) -> Home:
        return Home.of(self.folder)

    @property
    def manifest(self) -> Manifest:
        return Manifest.decode((self.home.image / built.MANIFEST).read_bytes())

    @property
    def identity(self) -> bytes:
        return identity(self.home, self.manifest.name)

    @property
    def disk(self) -> Path:
        return Path(disks(self.home, self.manifest)[0])

    @contextmanager
    def chosen(self) -> Iterator[None]:
        """Inside the block, this user's keys are the user's keys."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("WARILY_KEYS", str(self.keys))
            yield

    def new_machine(self, *, keep: Path) -> None:
        """The project has a machine that never was: another identity, a blank disk. The old one is in `keep`."""
        self.home.machine.rename(keep)
        _ = self.home


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(slots=True)
class Boot:
    """One machine that was started, and what its console said, line by line."""

    machine: Machine
    lines: list[str]

    def until_end(self, within: float = END_WITHIN) -> Ending:
        """How the machine ended by itself."""
        ending = self.machine.wait(within)
        if ending is None:
            message = f"the machine did not end within {within:.0f} s:\n{self.machine.tail()}"
            pytest.fail(message)
        return ending


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one boot: its ending, its console, the broker's decisions, whether the disk was written to.

    Where its evidence was sent again, `answers` has both answers and `later` the decisions after the first.
    """

    ending: Ending
    boot: Boot
    decisions: list[dict[str, Any]]
    written: bool
    answers: tuple[bytes, ...] = ()
    later: list[dict[str, Any]] = field(default_factory=list)

    @property
    def tail(self) -> str:
        """What the machine said last."""
        return self.boot.machine.tail()


@dataclass(frozen=True, slots=True)
class Stage:
    """A project whose machine is booted by hand, step by step as `warily up` does it."""

    project: Project

    @contextmanager
    def copy(self) -> Iterator["Stage"]:
        """The same machine, disk and broker once more, to be changed at will; gone after the block."""
        home = self.project.home
        with tempfile.TemporaryDirectory(prefix="copy-", dir=home.project) as folder:
            state = paths.state(Path(folder))
            state.mkdir(mode=0o700)
            (state / home.image.name).symlink_to(home.image)
            for part in (home.machine, home.broker, home.rehearsal):
                shutil.copytree(part, state / part.name)
            yield Stage(Project(folder=Path(folder), keys=self.project.keys))

    def change_image(self, name: str, change: Callable[[bytearray], object]) -> None:
        """In this copy's image the file `name` is another, and nothing else."""
        link = self.project.home.image
        original = link.readlink()
        content = bytearray((original / name).read_bytes())
        change(content)
        link.unlink()
        link.mkdir()
        for path in original.iterdir():
            (link / path.name).symlink_to(path)
        (link / name).unlink()
        (link / name).write_bytes(content)

    def play(self, *, words: str = "", policy: int | None = None) -> Outcome:
        """The machine was booted with the project's broker, and ran until it ended by itself."""
        with self.broker() as operator:
            return self.ended(address(operator), operator, words=words, policy=policy)

    def ended(
        self, broker: tuple[str, int], operator: Operator | None, *, words: str = "", policy: int | None = None
    ) -> Outcome:
        """The machine was booted, and ran until it ended. `operator` asks for the decisions that this led to."""
        before, seen = digest(self.project.disk), len(audit(operator)) if operator else 0
        with self.boot(broker, words=words, policy=policy) as boot:
            ending = boot.until_end()
        decisions = audit(operator, after=seen) if operator else []
        return Outcome(ending=ending, boot=boot, decisions=decisions, written=digest(self.project.disk) != before)

    @contextmanager
    def broker(self, *, folder: Path | None = None, manifest: Path | None = None) -> Iterator[Operator]:
        """The project's broker, as its operator sees it; in another folder, or for another manifest, if told so."""
        home = self.project.home
        state = folder or home.broker
        state.mkdir(mode=0o700, exist_ok=True)
        words = (
            *("--manifest", str(manifest or home.image / built.SIGNED_MANIFEST)),
            *("--kek-file", str(passphrase_file(state)), "--lease", "4"),
            *("--rehearsal-root", fingerprint(hierarchy(home.rehearsal).ark).hex()),
        )
        with ExitStack() as opened:
            with ENVIRONMENT, self.project.chosen():
                broker = opened.enter_context(Broker(state, words))
            yield broker.wait_until_ready()

    @contextmanager
    def boot(
        self, broker: tuple[str, int], *, words: str = "", policy: int | None = None, more: Sequence[str] = ()
    ) -> Iterator[Boot]:
        """A started machine. `words` follow the image's command line; `policy` is what its processor reports.

        `more` is what QEMU is told besides.
        """
        lines: list[str] = []
        with tempfile.TemporaryDirectory(prefix="warily-vm-") as run:
            launch = _with_words(self._planned(run, broker), words)
            launch = replace(launch, argv=(*launch.argv, *more))
            with (
                Processor(launch, hierarchy(self.project.home.rehearsal), policy=policy),
                Machine(launch, log=Path(run) / "console.log", on_line=lines.append) as machine,
            ):
                yield Boot(machine, lines)

    def _planned(self, run: str, broker: tuple[str, int]) -> Plan:
        """The launch that `warily up` would make, at free ports."""
        home, manifest = self.project.home, self.project.manifest
        return plan(
            manifest,
            tee=Platform.REHEARSAL,
            image=str(home.image),
            run=run,
            volumes=(str(self.project.disk),),
            broker=broker,
            accelerator=readiness.accelerator(home.machine),
            host_data=self.project.identity,
            id_block=None,
            pipe=pipe_command(),
            ports=choose_ports([replace(port, host=0) for port in manifest.ports]),
        )


def _with_words(launch: Plan, words: str) -> Plan:
    if not words:
        return launch
    at = launch.argv.index("-append") + 1
    changed = f"{launch.argv[at]} {words}"
    return replace(launch, argv=(*launch.argv[:at], changed, *launch.argv[at + 1 :]))


def address(operator: Operator) -> tuple[str, int]:
    """Where the broker of this operator listens."""
    return operator.host, operator.port


def audit(operator: Operator, *, after: int = 0) -> list[dict[str, Any]]:
    """The broker's decisions after row `after`, oldest first, in an unbroken trail."""
    found: Any = operator.get(f"/v1/operator/audit?after={after}")
    assert found["broken_at"] is None
    rows: list[dict[str, Any]] = found["rows"]
    return rows


def exchange(broker: tuple[str, int], request: bytes) -> bytes:
    """All that the broker sends back for the bytes of a request that asks it to close the connection."""
    with socket.create_connection(broker, HTTP_WITHIN) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(PIECE), b""))


def status(answer: bytes) -> int:
    """The status of an HTTP answer."""
    return int(answer.split(b" ", 2)[1])


class Relay(socketserver.ThreadingTCPServer):
    """A host that listens in: it passes guests' requests on to the broker, and keeps them."""

    daemon_threads = True

    def __init__(self, broker: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), _Listener)
        self.broker = broker
        self.heard: list[tuple[bytes, bytes]] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self.socket.getsockname()
        return str(host), int(port)

    def requests(self, path: str) -> list[tuple[bytes, bytes]]:
        """Requests to `path` with their answers."""
        return [(asked, said) for asked, said in self.heard if asked.startswith(f"POST {path} ".encode())]


class _Listener(socketserver.BaseRequestHandler):
    server: Relay
    request: socket.socket

    def handle(self) -> None:
        request = b""
        with suppress(OSError):  # a guest that ended does not wait for its answer
            while not _is_whole(request):
                piece = self.request.recv(PIECE)
                if not piece:
                    return
                request += piece
            answer = exchange(self.server.broker, request)
            self.server.heard.append((request, answer))
            self.request.sendall(answer)


def _is_whole(request: bytes) -> bool:
    head, found, body = request.partition(b"\r\n\r\n")
    if not found:
        return False
    size = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return len(body) >= int(size.partition(b":")[2])
