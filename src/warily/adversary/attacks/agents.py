"""A guest agent that takes orders: QEMU's, on the virtio-serial port it listens at.

Source: QEMU docs/interop/qemu-ga.rst and qga/qapi-schema.json.
"""

import base64
import json
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from warily.adversary.attack import Attack, Seen, Together, refused, succeeded
from warily.adversary.targets import ControlTarget, ImageTarget, Target

SOCKET: Final = "agent.sock"
ANSWER_WITHIN: Final = 20.0
IMAGE_ANSWERS_WITHIN: Final = 6.0
TRIES: Final = 20
LIMIT: Final = 1 << 16
SLOT: Final = 0x16


def arguments(folder: Path) -> Sequence[str]:
    """The agent's port, on a serial bus of its own."""
    return (
        *("-chardev", f"socket,id=agent,path={folder / SOCKET},server=on,wait=off"),
        *("-device", f"virtio-serial-pci,id=agentbus,bus=pcie.0,addr={SLOT:#x},disable-legacy=on"),
        *("-device", "virtserialport,bus=agentbus.0,chardev=agent,name=org.qemu.guest_agent.0"),
    )


def ask(connection: socket.socket, command: str, **words: object) -> Any:  # noqa: ANN401  # JSON of each command
    """What the agent returns; None where it says nothing in time."""
    connection.sendall(json.dumps({"execute": command, "arguments": words}).encode() + b"\n")
    said = b""
    with suppress(TimeoutError):
        while b"\n" not in said and len(said) < LIMIT and (piece := connection.recv(4096)):
            said += piece
    with suppress(ValueError, KeyError, TypeError):
        return json.loads(said.partition(b"\n")[0])["return"]
    return None


def run_id(target: Target, within: float) -> str | None:
    """What `id` prints in the guest, run by its agent; None where nobody answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(within)
        connection.connect(str(target.folder / SOCKET))
        started = ask(connection, "guest-exec", path="/usr/bin/id", **{"capture-output": True})
        for _ in range(TRIES) if started else ():
            done = ask(connection, "guest-exec-status", pid=started["pid"])
            if done and done.get("exited"):
                return base64.b64decode(done.get("out-data", "")).decode("utf-8", "replace").strip()
            time.sleep(1.0)
    return None


def on_control(target: ControlTarget) -> Seen:
    """Whether Debian's agent ran the host's program."""
    said = run_id(target, ANSWER_WITHIN)
    return succeeded(f"guest-exec of id returned: {said}") if said else refused("no agent answered")


def on_image(target: ImageTarget) -> Seen:
    """Whether anybody in the image listens at the port."""
    if not target.machine.running:
        return target.nothing_happened("the machine is gone, and no agent with it")
    said = run_id(target, IMAGE_ANSWERS_WITHIN)
    if said:
        return succeeded(f"guest-exec of id returned: {said}")
    return target.nothing_happened(f"nobody answered at org.qemu.guest_agent.0 within {IMAGE_ANSWERS_WITHIN:.0f} s")


ATTACKS: Final[tuple[Attack, ...]] = (
    Attack(
        id="agents.qemu-ga",
        title="The host asks the guest agent to run a program",
        component="runtime",
        catalogue=("A12",),
        how=Together(arguments=arguments, control=on_control, image=on_image),
    ),
)
