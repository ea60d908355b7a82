"""The agent: attest, receive the keys, open the volumes, tell systemd, hold the lease.

It ends in one of two ways: the broker ends the lease, or something was refused. The machine ends
after either; a refusal is one line on the console.
"""

import os
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, NoReturn, TypeVar

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from warily.errors import FormatError, WarilyError
from warily.formats import guest_config
from warily.formats._json import JsonObject
from warily.formats.guest_config import VOLUME_SLOT, GuestConfig
from warily.guest import broker, clock, evidence, lease, network
from warily.guest.broker import Unreachable
from warily.guest.refusal import Refused, line
from warily.guest.volume_stack import OpenedVolume, close_volume, mount_volume, open_volume
from warily.guest.words import BootWords
from warily.release.binding import NONCE_SIZE
from warily.release.grant import open_grant, uncompressed
from warily.release.messages import GRANT_LIMIT, AttestRequest, Confirmation, Grant, Sealing

_T = TypeVar("_T")
PATIENCE: Final = 90.0  # seconds until a broker that cannot be reached is given up
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 16.0
STOP: Final = ("/usr/bin/systemctl", "stop")
SERVICES: Final = "warily-service-*.service"
STOP_WITHIN: Final = 20.0


def main() -> NoReturn:
    """Runs until the machine is to end."""
    try:
        grant, volumes = start()
        notify("READY=1")
        lease.hold(grant)
    except BaseException as error:  # noqa: BLE001  # whatever it was, the machine must not go on
        say(line(error))
        sys.exit(1)  # systemd's FailureAction ends the machine
    say("warily: the broker ended the lease")
    finish(grant, volumes)
    sys.exit(0)


def start() -> tuple[Grant, list[OpenedVolume]]:
    """Every declared volume is open and mounted, by a grant for this session. Raises `Refused`, `FormatError`."""
    config = GuestConfig.decode(Path(guest_config.PATH).read_bytes())
    words = BootWords.parse(Path("/proc/cmdline").read_text())
    network.configure()
    identity = evidence.identity()
    say("warily: asking the broker for the keys")
    grant = patiently(lambda: attest(config, identity, words.grantor))
    say("warily: the evidence is accepted")
    clock_was = clock.follow(grant.at)
    if clock_was:
        say(clock_was)
    secrets = {volume.name: volume for volume in grant.volumes}
    volumes = []
    for place, spec in enumerate(config.volumes):
        if spec.name not in secrets:
            raise Refused("grant.volume", f"the grant has no key for volume {spec.name}")
        try:
            tell = partial(confirm, grant, spec.name)
            opened = open_volume(VOLUME_SLOT + place, spec, secrets[spec.name], identity, tell)
            mount_volume(opened.node, spec)
        except OSError as error:  # a tampered journal or sector is an I/O error of the layer that noticed
            raise Refused("volume.unreadable", f"{spec.name}: {error}") from None
        volumes.append(opened)
        say(f"warily: volume {spec.name} {_found(opened)}")
    return grant, volumes


def finish(grant: Grant, volumes: list[OpenedVolume]) -> None:
    """The services have ended, the volumes are closed, and the broker knows the state that each was left in.

    Where that fails the machine ends all the same: the volume is then opened without a seal.
    """
    import subprocess  # noqa: PLC0415  # once, at the end, and slow to import

    environment = {"PATH": "/usr/sbin:/usr/bin"}
    try:
        subprocess.run([*STOP, SERVICES], check=False, env=environment, timeout=STOP_WITHIN)  # noqa: S603  # fixed words
    except (OSError, subprocess.TimeoutExpired) as error:
        say(f"warily: the services go on: {error}")
    for opened in volumes:
        name = opened.spec.name
        try:
            seal = close_volume(opened)
            message = Sealing.make(
                session=grant.session, volume=name, epoch=opened.epoch, seal=seal, lease_key=grant.lease_key
            )
            broker.post("/v1/seal", message.encode())
        except (OSError, WarilyError, Unreachable) as error:
            say(f"warily: volume {name} was not sealed: {error}")
        else:
            say(f"warily: volume {name} is sealed")


def _found(opened: OpenedVolume) -> str:
    """What the console says of a volume that was opened."""
    if opened.is_new:
        return "is new"
    return "is open" if opened.sealed else "is open; its last machine did not seal it"


def attest(config: GuestConfig, identity: bytes, grantor: bytes) -> Grant:
    """One round: nonce, evidence, grant. Each has its own session key. Raises `Unreachable`, `Refused`."""
    nonce = _nonce(broker.post("/v1/nonce", b"{}"))
    session_key = generate_private_key(SECP256R1())
    point = uncompressed(session_key)
    request = AttestRequest(
        nonce=nonce,
        session_key=point,
        identity=identity,
        evidence=evidence.collect(nonce=nonce, session_key=point),
        volumes=tuple(volume.name for volume in config.volumes),
    )
    answer = JsonObject.parse(broker.post("/v1/attest", request.encode()), what="attest answer", limit=2 * GRANT_LIMIT)
    sealed = answer.text("grant", limit=2 * GRANT_LIMIT)
    answer.finish()
    return open_grant(sealed, session_key=session_key, grantor=grantor, nonce=nonce, identity=identity)


def patiently(attempt: Callable[[], _T]) -> _T:
    """What `attempt` returns, tried again with growing pauses while the broker cannot be reached.

    Raises `Refused` once `PATIENCE` has run out: without a broker there is no key, and nothing is formatted.
    """
    deadline = time.monotonic() + PATIENCE
    wait = FIRST_PAUSE
    while True:
        try:
            return attempt()
        except Unreachable as reason:
            if time.monotonic() + wait > deadline:
                raise Refused("broker.unreachable", f"no broker within {PATIENCE:.0f} s: {reason}") from None
            say(f"warily: waiting for the broker: {reason}")
        time.sleep(wait)
        wait = min(2 * wait, LONGEST_PAUSE)


def confirm(grant: Grant, volume: str, descriptor: bytes, epoch: int) -> None:
    """The broker knows the volume as made, and as opened in `epoch`: no key to format it, no older disk."""
    message = Confirmation.make(
        session=grant.session, volume=volume, descriptor=descriptor, epoch=epoch, lease_key=grant.lease_key
    ).encode()
    patiently(lambda: broker.post("/v1/confirm", message))


def _nonce(body: bytes) -> bytes:
    answer = JsonObject.parse(body, what="nonce answer", limit=4096)
    nonce = answer.octets("nonce", limit=NONCE_SIZE)
    answer.finish()
    if len(nonce) != NONCE_SIZE:
        msg = f"nonce answer: {len(nonce)} bytes, not {NONCE_SIZE}"
        raise FormatError(msg)
    return nonce


def notify(state: str) -> None:
    """The service's state is known to systemd (sd_notify(3)), where systemd started it."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.sendto(state.encode(), address)


def say(text: str) -> None:
    """One line on the console, with the seconds since the kernel started."""
    print(f"{text} [{time.clock_gettime(time.CLOCK_BOOTTIME):.1f} s]", flush=True)
