"""`warily up`: from a project to a running, attested machine with its volumes open, and back down again."""

import fcntl
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

from warily.core import built
from warily.core.declaration import Platform
from warily.core.manifest import Manifest, PortSpec
from warily.errors import HostError
from warily.formats._json import canonical
from warily.host import keys
from warily.host.progress import Progress
from warily.image.build import build
from warily.launch import readiness
from warily.launch.plan import Accelerator, Plan, plan
from warily.launch.rehearsal_keys import Hierarchy, hierarchy
from warily.launch.rehearsal_sp import Processor, fingerprint
from warily.launch.runner import Machine, choose_ports, pipe_command
from warily.posture.facts import Facts
from warily.release.signing import verify_manifest
from warily.up.broker import Broker, Operator, passphrase_file
from warily.up.machine import UP, Home, check_image, disks, identity
from warily.up.watch import Watch

LEASE_SECONDS: Final = 4
SOCKETS: Final = Path("/run/warily")
BROKER_PORT: Final = 4444
SHUT_DOWN_WITHIN: Final = 30.0
SAID_BY_GUEST: Final = "warily: "
ORDERLY: Final = (0, "guest-shutdown")  # QEMU's exit status, and the reason it gave


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A machine that is up: what is known of it, where its ports are, how long it took in seconds."""

    facts: Facts
    ports: tuple[PortSpec, ...]
    identity: bytes
    machine: Machine
    seconds: float


def planned(project: Path, tee: Platform, progress: Progress) -> Plan:
    """The launch that `up` would make, with nothing started. The image is built where it is missing.

    The broker's port and the folder of sockets are chosen anew at each start; here they are examples.
    """
    home, manifest = image_of(project, progress)
    return launch_plan(home, manifest, tee, run=str(SOCKETS), broker=("127.0.0.1", BROKER_PORT), ports=manifest.ports)


@contextmanager
def running(project: Path, tee: Platform, progress: Progress) -> Iterator[Running]:
    """The project's machine, up inside the block: attested, volumes open, ports answering.

    Raises `Rejected` where the broker refuses it, `HostError` where this machine lacks something, or the
    guest ends early.
    """
    readiness.require(tee)
    home, manifest = image_of(project, progress)
    started = time.monotonic()
    with ExitStack() as opened:
        opened.enter_context(_alone(home))
        root = hierarchy(home.rehearsal) if tee is Platform.REHEARSAL else None
        broker = opened.enter_context(Broker(home.broker, broker_arguments(home, root)))
        sockets = opened.enter_context(tempfile.TemporaryDirectory(prefix="warily-up-"))
        launch = launch_plan(
            home, manifest, tee, run=sockets, broker=broker.endpoint, ports=choose_ports(manifest.ports)
        )
        with progress.step("measure and start the machine"):
            if root is not None:
                opened.enter_context(Processor(launch, root))
            machine = opened.enter_context(_machine(launch, home, progress))
        with progress.step("start the verifier and key broker"):  # it is there long before the guest asks
            operator = broker.wait_until_ready()
        opened.enter_context(_announced(home, operator, launch.host_data))
        opened.callback(_shut_down, machine, operator, launch.host_data, progress)
        watch = Watch(machine=machine, operator=operator, manifest=manifest, identity=launch.host_data)
        facts = watch.until_up(launch.ports, progress)
        took = time.monotonic() - started
        yield Running(facts=facts, ports=launch.ports, identity=launch.host_data, machine=machine, seconds=took)


def launch_plan(
    home: Home, manifest: Manifest, tee: Platform, *, run: str, broker: tuple[str, int], ports: Sequence[PortSpec]
) -> Plan:
    """The launch of the project's own machine: its identity, its disks."""
    accelerator = readiness.accelerator(home.machine) if tee is Platform.REHEARSAL else Accelerator.KVM
    return plan(
        manifest,
        tee=tee,
        image=str(home.image),
        run=run,
        volumes=disks(home, manifest),
        broker=broker,
        accelerator=accelerator,
        host_data=identity(home, manifest.name),
        id_block=None,
        pipe=pipe_command(),
        ports=ports,
    )


def image_of(project: Path, progress: Progress) -> tuple[Home, Manifest]:
    """The project's image, built or reused, and found to be the one its owner signed."""
    home = Home.of(project)
    build(project, progress=progress)
    owner = keys.public_bytes(keys.signing_key("owner"))
    manifest = verify_manifest((home.image / built.SIGNED_MANIFEST).read_bytes(), frozenset({owner}))
    with progress.step("check the image against its signed manifest"):
        check_image(home, manifest)
    return home, manifest


def broker_arguments(home: Home, root: Hierarchy | None) -> tuple[str, ...]:
    """What this project's broker trusts: its own image, and in a rehearsal its own rehearsal root."""
    manifest = home.image / built.SIGNED_MANIFEST
    passphrase = passphrase_file(home.broker)
    roots = () if root is None else ("--rehearsal-root", fingerprint(root.ark).hex())
    return ("--manifest", str(manifest), "--kek-file", str(passphrase), "--lease", str(LEASE_SECONDS), *roots)


def _machine(launch: Plan, home: Home, progress: Progress) -> Machine:
    """The machine, whose own remarks are passed on and whose console is kept."""
    log = home.machine / "console.log"
    log.unlink(missing_ok=True)

    def hear(line: str) -> None:
        if line.startswith(SAID_BY_GUEST):
            progress.say(f"guest: {line.removeprefix(SAID_BY_GUEST)}")

    return Machine(launch, log=log, on_line=hear)


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    """No other `up` runs this project's machine meanwhile."""
    with (home.machine / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"the machine of {home.project} is up already"
            raise HostError(message, hint="`warily posture --live` shows it; Ctrl-C in its terminal ends it") from None
        yield


@contextmanager
def _announced(home: Home, operator: Operator, name: bytes) -> Iterator[None]:
    """Other verbs find the machine by `up.json` while it runs."""
    path = home.machine.parent / UP
    facts = {"broker": operator.address, "token_file": str(operator.token_file.absolute()), "identity": name.hex()}
    fresh = path.with_suffix(".new")
    fresh.write_bytes(canonical(facts))
    fresh.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _shut_down(machine: Machine, operator: Operator, name: bytes, progress: Progress) -> None:
    """The guest ended its services, unmounted its volumes and powered off; or it was stopped."""
    if not machine.running:
        return
    with progress.step("shut down"):
        with suppress(HostError):  # without a broker the guest is stopped below
            operator.post(f"/v1/operator/vms/{name.hex()}/end")
        if machine.wait(SHUT_DOWN_WITHIN) is None:
            machine.terminate()


def wait_for_end(machine: Machine) -> None:
    """The guest powered off, or somebody asked for its end: Ctrl-C, or SIGTERM (see `terminable`).

    Raises `HostError` where it ended in another way: it panicked, or QEMU crashed or was killed.
    """
    with suppress(KeyboardInterrupt):
        ending = machine.wait()
        if ending is not None and (ending.status, ending.reason) != ORDERLY:
            why = ending.reason or f"status {ending.status}"
            message = f"the machine ended, and nobody asked it to: {why}"
            raise HostError(message, hint=machine.tail().strip()[-1000:] or None)


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM and a closed terminal mean what Ctrl-C means: an orderly end."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    kept = {name: signal.signal(name, interrupt) for name in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for name, handler in kept.items():
            signal.signal(name, handler)
