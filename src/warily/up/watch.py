"""Watching a machine come up: the broker's word on its evidence, then its ports."""

import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Final

from warily.core.appraisal import Rejected
from warily.core.manifest import Manifest, PortSpec
from warily.errors import HostError
from warily.host.progress import Progress
from warily.launch.runner import Machine
from warily.posture.facts import Facts
from warily.posture.from_broker import facts_from_broker
from warily.up.broker import Operator

PATIENCE: Final = 600.0  # seconds; a new volume is written once from end to end
GLANCE: Final = 0.1
LISTENING: Final = 0.2


@dataclass(slots=True, kw_only=True)
class Watch:
    """One start of one machine. Nothing older than it counts."""

    machine: Machine
    operator: Operator
    manifest: Manifest
    identity: bytes
    _since: datetime = field(default_factory=lambda: datetime.now(tz=UTC))  # noqa: TID251  # it acts in the present

    def until_up(self, ports: Sequence[PortSpec], progress: Progress) -> Facts:
        """What is known of the machine once its keys were granted, its volumes opened and its ports answer."""
        deadline = time.monotonic() + PATIENCE
        with progress.step("boot, attest and release the keys"):
            self._until(deadline, lambda: self._answer("accepted") is not None)
        with progress.step("open the volumes and start the services"):
            self._until(deadline, self._volumes_are_made)
            for port in ports:
                self._until(deadline, partial(answers, port.host))
        return self.facts()

    def facts(self) -> Facts:
        """What the broker holds of this machine now."""
        answer = self.operator.appraisals(self.identity)
        if answer is None:
            raise HostError("the broker has no evidence of this machine")
        present = datetime.now(tz=UTC)  # noqa: TID251  # it acts in the present
        return facts_from_broker(answer, [self.manifest], at=present)

    def _answer(self, kind: str) -> dict[str, object] | None:
        """The broker's latest decision of a kind, where it was made since the start."""
        answer = self.operator.appraisals(self.identity)
        found = (answer or {}).get(kind)
        if not isinstance(found, dict) or datetime.fromisoformat(str(found["at"])) < self._since:
            return None
        return found

    def _volumes_are_made(self) -> bool:
        answer = self.operator.appraisals(self.identity) or {}
        volumes = answer.get("volumes")
        states = [entry["state"] for entry in volumes] if isinstance(volumes, list) else []
        return len(states) >= len(self.manifest.volumes) and all(state == "initialised" for state in states)

    def _until(self, deadline: float, holds: Callable[[], bool]) -> None:
        while not holds():
            refused = self._answer("refused")
            if refused is not None:
                self._raise_refusal(refused)
            if not self.machine.running or time.monotonic() > deadline:
                self.machine.wait(1.0)
                what = "took too long" if self.machine.running else "ended before it was up"
                message = f"the machine {what}"
                raise HostError(message, hint=self._last_words())
            time.sleep(GLANCE)

    def _raise_refusal(self, refused: dict[str, object]) -> None:
        facts = facts_from_broker(
            {"accepted": None, "refused": refused, "volumes": []}, [self.manifest], at=self._since
        )
        message = f"the broker refuses this machine: {refused.get('detail')}"
        first = facts.appraisal.first_failure
        raise Rejected(message, appraisal=facts.appraisal, hint=(first.hint or None) if first else None)

    def _last_words(self) -> str:
        lines = self.machine.tail().splitlines()
        said = [line for line in lines if "warily: refused" in line]
        return "\n".join(said or lines[-12:])


def answers(port: int) -> bool:
    """Whether something in the guest accepts a connection at this forwarded port of our loopback.

    QEMU accepts at once and hangs up when nobody in the guest does; so a connection that stays is an answer.
    """
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=LISTENING) as connection:
            return connection.recv(1) != b""
    except TimeoutError:
        return True
    except OSError:
        return False
