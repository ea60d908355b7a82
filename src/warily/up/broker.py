"""The broker of one project: a `warily serve` process of our own, and what its operator may ask of it."""

import http.client
import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from warily.errors import HostError
from warily.host.run import find

ANSWER_WITHIN: Final = 10.0
STOP_WITHIN: Final = 5.0
LIMIT: Final = 8 << 20
PASSPHRASE: Final = "kek.passphrase"  # noqa: S105  # a file's name
TOKEN: Final = "operator.token"  # noqa: S105  # a file's name


def passphrase_file(folder: Path) -> Path:
    """The file of the passphrase under which this broker wraps volume secrets; made once, mode 0600."""
    path = folder / PASSPHRASE
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(32) + "\n")
    return path


class Broker:
    """A running broker. As a context manager it is stopped at the end.

    `endpoint` is where it will listen: a port of the loopback that was free a moment ago, so that a
    machine can be started while the broker still imports its libraries. `keys` is another folder of keys than the
    user's own.
    """

    def __init__(self, folder: Path, arguments: Sequence[str], *, keys: Path | None = None) -> None:
        self.endpoint = ("127.0.0.1", _free_port())
        self._folder = folder
        self._arguments = arguments
        self._environment = os.environ | ({"WARILY_KEYS": str(keys)} if keys is not None else {})
        self._log = folder / "broker.log"

    def __enter__(self) -> Self:
        command = [
            *(find("setpriv", package="util-linux"), "--pdeathsig", "TERM", "--"),
            *(sys.executable, "-m", "warily", "serve", "--json", "--state", str(self._folder)),
            *("--listen", "{}:{}".format(*self.endpoint)),
            *self._arguments,
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
                command,
                stdout=subprocess.PIPE,
                stderr=log,
                stdin=subprocess.DEVNULL,
                process_group=0,
                env=self._environment,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def wait_until_ready(self) -> "Operator":
        """The operator's view of the broker, once it listens. Raises `HostError` with its last words."""
        if self._process.stdout is None:
            raise HostError("the broker was not started")
        line = self._process.stdout.readline(4096)
        try:
            json.loads(line)["address"]
        except (ValueError, KeyError, TypeError):
            said = self._log.read_text(errors="replace").strip()[-1000:] or line.decode(errors="replace")
            raise HostError("the broker did not start", hint=said or None) from None
        host, port = self.endpoint
        return Operator(host=host, port=port, token_file=self._folder / TOKEN)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Operator:
    """The operator's calls to a running broker, with its bearer token."""

    host: str
    port: int
    token_file: Path

    @property
    def address(self) -> str:
        """The broker's address as a URL."""
        return f"http://{self.host}:{self.port}"

    def appraisals(self, identity: bytes) -> dict[str, object] | None:
        """What the broker holds of one machine: its latest evidence, volumes and session; None where there is none."""
        return self.get(f"/v1/operator/appraisals/{identity.hex()}")

    def get(self, path: str) -> dict[str, object] | None:
        """The JSON object at `path`; None where there is none yet. Raises `HostError`."""
        return self._call("GET", path)

    def post(self, path: str) -> dict[str, object] | None:
        """The answer to an order without a body. Raises `HostError`."""
        return self._call("POST", path)

    def _call(self, method: str, path: str) -> dict[str, object] | None:
        token = self.token_file.read_text().strip()
        connection = http.client.HTTPConnection(self.host, self.port, timeout=ANSWER_WITHIN)
        try:
            connection.request(method, path, headers={"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            body = answer.read(LIMIT)
        except (OSError, http.client.HTTPException) as error:
            message = f"the broker does not answer: {error}"
            raise HostError(message) from None
        finally:
            connection.close()
        if answer.status == http.HTTPStatus.NOT_FOUND:
            return None
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            message = f"the broker answers {answer.status} to {method} {path}"
            raise HostError(message)
        found = json.loads(body) if body else {}
        return found if isinstance(found, dict) else {"items": found}
