"""The facts of a project's running machine, asked of its broker.

`warily up` leaves `up.json` in the project's state folder while the machine runs: the broker's address, the
file of the operator's token, and the machine's identity.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from warily.core import built
from warily.core.manifest import Manifest
from warily.errors import HostError
from warily.formats._json import JsonObject
from warily.host import paths
from warily.posture.facts import Facts
from warily.posture.from_broker import facts_from_broker
from warily.release.signing import verify_manifest
from warily.up.broker import Operator
from warily.up.machine import UP

LIMIT: Final = 4096
MANIFEST_LIMIT: Final = 32 << 20
_ADDRESS: Final = re.compile(r"http://(127\.0\.0\.1|localhost):([0-9]{1,5})")
NOTHING_RUNS: Final = "start the machine with `warily up`, or name a file with evidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A machine that runs: its broker's operator interface, and its identity (32 bytes)."""

    operator: Operator
    identity: bytes


def running(project: Path) -> Running:
    """The project's running machine. Raises `HostError` where there is none.

    The token goes to this machine's loopback alone, and comes from the project's state folder alone:
    `up.json` may have come with a project from somewhere else.
    """
    state = paths.state(project)
    try:
        with (state / UP).open("rb") as file:
            text = file.read(LIMIT + 1)
    except OSError:
        msg = f"no machine of {project} is running"
        raise HostError(msg, hint=NOTHING_RUNS) from None
    top = JsonObject.parse(text, what=UP, limit=LIMIT)
    address = _ADDRESS.fullmatch(top.text("broker", limit=64))
    token = Path(top.text("token_file"))
    if address is None or not token.resolve().is_relative_to(state.resolve()):
        msg = f"{state / UP} names a broker or a token that is not this project's own"
        raise HostError(msg, hint="delete it, and start the machine with `warily up`")
    if not token.is_file():
        msg = f"no machine of {project} is running: {token} is gone"
        raise HostError(msg, hint=NOTHING_RUNS)
    operator = Operator(host=address[1], port=int(address[2]), token_file=token)
    return Running(operator=operator, identity=top.hexadecimal("identity", width=32))


def live_facts(project: Path, manifests: tuple[Manifest, ...], *, owners: frozenset[bytes], at: datetime) -> Facts:
    """The facts of the project's running machine, with the manifest of its built image where none is named.

    Raises `HostError` where nothing runs or the broker has no evidence, `ManifestRefused` for a manifest
    that none of `owners` signed.
    """
    machine = running(project)
    answer = machine.operator.appraisals(machine.identity)
    if answer is None:
        msg = "the broker has no evidence of this machine yet"
        raise HostError(msg, hint="the guest attests a few seconds after it starts; try again")
    return facts_from_broker(answer, manifests or _built(project, owners), at=at)


def _built(project: Path, owners: frozenset[bytes]) -> tuple[Manifest, ...]:
    """The signed manifest of the project's image, where there is one."""
    path = paths.state(project) / "image" / built.SIGNED_MANIFEST
    if not path.is_file():
        return ()
    with path.open("rb") as file:
        return (verify_manifest(file.read(MANIFEST_LIMIT), owners),)
