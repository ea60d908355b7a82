"""A broker as a process: open the store, unlock it, listen, say where, and stop when told to."""

import asyncio
import contextlib
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from warily.errors import HostError
from warily.service.app import create_app
from warily.service.appraise import Trust
from warily.service.broker import LEASE, Broker
from warily.service.operator import TOKEN_FILE, operator_token
from warily.service.store import Store
from warily.service.unlock import unlock

CONNECTIONS: Final = 1024  # at once; each running guest holds one while its lease call waits
GRACE: Final = 3  # seconds for answers that are under way when the broker is told to stop
HEAD_LIMIT: Final = 16 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a broker is started with. `port` 0 lets the system choose one."""

    state: Path
    host: str
    port: int
    trust: Trust
    passphrase: bytes = field(repr=False)
    grantor: Ed25519PrivateKey = field(repr=False)
    lease_seconds: int = LEASE


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The broker listens."""

    address: str
    token_file: Path


class _Server(uvicorn.Server):
    """A server whose signals are ours, so that being told to stop is no error, and which says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(settings: Settings, announce: Callable[[Ready], None]) -> None:
    """Runs until SIGTERM or SIGINT. `announce` is called once, when requests are answered.

    Raises `HostError` where the address cannot be had or the state is open to others, `UsageError` for a
    wrong passphrase.
    """
    asyncio.run(run(settings, announce))


async def run(settings: Settings, announce: Callable[[Ready], None], *, stop: asyncio.Event | None = None) -> None:
    """`serve`, in a running loop; `stop` stops it too."""
    settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    token = operator_token(settings.state)
    store = await Store.open(settings.state)
    try:
        broker = Broker(
            store=store,
            kek=await unlock(store, settings.passphrase),
            grantor=settings.grantor,
            trust=settings.trust,
            now=clock,
            lease_seconds=settings.lease_seconds,
        )
        with _listener(settings.host, settings.port) as listener:
            server = _server(broker, token)
            await _serve(server, broker, listener, settings, announce, stop or asyncio.Event())
    finally:
        await store.close()


def clock() -> datetime:
    """The time of this machine."""
    return datetime.fromtimestamp(time.time(), UTC)


async def _serve(
    server: _Server,
    broker: Broker,
    listener: socket.socket,
    settings: Settings,
    announce: Callable[[Ready], None],
    stop: asyncio.Event,
) -> None:
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await _first(serving, server.listens)
    if server.started:
        host, port = listener.getsockname()[:2]
        address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        announce(Ready(address=address, token_file=settings.state / TOKEN_FILE))
        await _first(serving, stop)
    broker.closing.set()
    await broker.wake()  # waiting lease calls are answered, not cut off
    server.should_exit = True
    await serving


async def _first(task: asyncio.Task[None], event: asyncio.Event) -> None:
    """Either has come: the task's end, or the event."""
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


def _server(broker: Broker, token: bytes) -> _Server:
    """A server that logs errors only: no request, no address, no header."""
    config = uvicorn.Config(
        create_app(broker, token=token),
        log_level="error",
        access_log=False,
        lifespan="off",
        loop="asyncio",
        http="h11",
        ws="none",
        server_header=False,
        date_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=GRACE,
        h11_max_incomplete_event_size=HEAD_LIMIT,
    )
    return _Server(config)


def _listener(host: str, port: int) -> socket.socket:
    """A listening socket of our own, so that the port it got is known."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        message = f"cannot listen at {host} port {port}: {error.strerror}"
        raise HostError(message, hint="choose another with --listen; port 0 lets the system choose") from None
    return listener
