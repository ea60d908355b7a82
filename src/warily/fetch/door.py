"""The one door to a network: GET and POST, and nothing but a whole answer of a known size comes back in.

TLS but on this machine itself; no redirect to another host; a cap on the size and on the time of everything; patience
with servers that are busy or ration, in steps that double, with jitter, and as long as they ask for where they say so.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

from warily import __version__
from warily.errors import CollateralError, UsageError
from warily.fetch.servers import Target, check_address, is_loopback

if TYPE_CHECKING:
    import ssl

    import httpx

MAX_REDIRECTS: Final = 3
ABSENT: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
BUSY: Final = frozenset({
    HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT,
})  # fmt: skip
_MOVED: Final = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How patient to be, in seconds. One attempt takes at most `attempt`, everything for one address `patience`.

    A server that does not answer at all is asked `tries` times, and once only where it did not answer before.
    """

    patience: float = 120.0
    tries: int = 3
    attempt: float = 60.0
    connect: float = 10.0
    first_wait: float = 1.0
    longest_wait: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came: a body, or `absent` where the server says that it has no such thing. Header names in lower case."""

    url: str
    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    @property
    def absent(self) -> bool:
        """Whether the server has no such thing."""
        return self.status in ABSENT


class _Again(Exception):  # noqa: N818  # not an error: another attempt is due
    """This attempt failed in a way that another one may not; `after` is what the server asks to wait, in seconds."""

    def __init__(self, why: str, *, answered: bool = False, after: float | None = None) -> None:
        super().__init__(why)
        self.answered = answered
        self.after = after


class Door:
    """Asks servers. `say` hears of every wait; `roots` is a PEM file of authorities to trust besides the usual ones."""

    def __init__(self, *, pace: Pace, say: Callable[[str], None], roots: Path | None = None) -> None:
        self._pace = pace
        self._say = say
        self._roots = roots
        self._context: ssl.SSLContext | None = None
        self._last: dict[str, float] = {}
        self._silent: set[str] = set()

    def get(self, target: Target, *, limit: int) -> Reply:
        """The server's answer, of at most `limit` bytes.

        Raises `CollateralError` where the server does not answer in time, or refuses, or answers with anything that
        is not taken; `UsageError` for an address that is not asked.
        """
        check_address(target.url)
        host, started, wait = _host(target.url), time.monotonic(), self._pace.first_wait
        tries = 1 if host in self._silent else self._pace.tries
        self._space(target)
        while True:
            try:
                return asyncio.run(self._attempt(target, limit))
            except _Again as again:
                tries -= not again.answered
                pause = max(target.spacing if again.after is None else again.after, _jittered(wait))
                left = self._pace.patience - (time.monotonic() - started)
                if tries == 0 or pause > min(left, max(self._pace.longest_wait, target.spacing)):
                    self._silent |= set() if again.answered else {host}
                    raise _no_answer(target.url, again) from None
                self._say(f"{host}: {again}; trying again in {pause:.1f} s")
                time.sleep(pause)
                wait = min(2 * wait, self._pace.longest_wait)
            finally:
                self._last[host] = time.monotonic()

    def _space(self, target: Target) -> None:
        """Wait until the server's spacing since the last request has passed."""
        last = self._last.get(_host(target.url))
        pause = 0.0 if last is None else last + target.spacing - time.monotonic()
        if target.spacing and pause > 0:
            self._say(f"{_host(target.url)} rations requests; waiting {pause:.1f} s")
            time.sleep(pause)

    async def _attempt(self, target: Target, limit: int) -> Reply:
        """One attempt, redirects on the same host included; what is posted is not posted elsewhere."""
        import httpx  # noqa: PLC0415  # --help, --plan and --offline do without it

        url = target.url
        try:
            async with asyncio.timeout(self._pace.attempt):
                for _ in range(1 if target.body else 1 + MAX_REDIRECTS):
                    async with self._ask(url, target) as response:
                        if response.status_code not in _MOVED:
                            return await _read(response, url, limit)
                        url = _redirected(url, response)
        except (TimeoutError, httpx.TimeoutException):
            raise _Again("no answer in time") from None
        except httpx.TransportError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise _untrusted(url, str(error)) from None
            why = str(error) or type(error).__name__
            raise _Again(why) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _refused(url, str(error)) from None
        raise _refused(url, f"over {MAX_REDIRECTS} redirects, or one of something posted")

    @contextlib.asynccontextmanager
    async def _ask(self, url: str, target: Target) -> AsyncIterator["httpx.Response"]:
        import httpx  # noqa: PLC0415  # see `_attempt`

        headers = {"User-Agent": f"warily/{__version__}", "Accept-Encoding": "identity"}
        method, body = ("POST", target.body) if target.body else ("GET", None)
        if body is not None:
            headers["Content-Type"] = target.media_type
        timeout = httpx.Timeout(self._pace.attempt, connect=self._pace.connect)
        beyond = not is_loopback(urlsplit(url).hostname or "")
        trusted = self._trusted() if url.startswith("https:") else _nobody()
        async with (
            httpx.AsyncClient(timeout=timeout, verify=trusted, trust_env=beyond, headers=headers) as client,
            client.stream(method, url, content=body) as response,
        ):
            yield response

    def _trusted(self) -> "ssl.SSLContext":
        """Made once: loading authorities takes longer than many an answer."""
        import httpx  # noqa: PLC0415  # see `_attempt`

        if self._context is None:
            context = httpx.create_ssl_context()
            if self._roots is not None:
                try:
                    context.load_verify_locations(self._roots)
                except OSError as error:  # ssl.SSLError is one
                    msg = f"{self._roots}: no certificates of authorities in PEM: {error.strerror or error}"
                    raise UsageError(msg) from None
            self._context = context
        return self._context


def _nobody() -> "ssl.SSLContext":
    """For plain HTTP on this machine: a context that trusts no certificate at all."""
    import ssl  # noqa: PLC0415  # see `Door._attempt`

    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


async def _read(response: "httpx.Response", url: str, limit: int) -> Reply:
    """The whole body, never more than `limit` bytes of it."""
    status = response.status_code
    headers = {name.lower(): value for name, value in response.headers.items()}
    if status in BUSY:
        why = f"it answers {status}"
        raise _Again(why, answered=True, after=_retry_after(headers.get("retry-after", "")))
    if status in ABSENT:
        return Reply(url=url, status=status, body=b"", headers=headers)
    if status != HTTPStatus.OK:
        raise _refused(url, f"status {status}")
    if headers.get("content-encoding", "identity") != "identity":
        raise _refused(url, f"a body encoded as {headers['content-encoding'][:32]!r}, which was not asked for")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > limit:
            raise _refused(url, f"over {limit} bytes")
    return Reply(url=url, status=status, body=bytes(body), headers=headers)


def _redirected(url: str, response: "httpx.Response") -> str:
    """Where a redirect leads, which must be the same server."""
    try:
        there: str = urljoin(url, response.headers.get("location", ""))
        same = _origin(there) == _origin(url)
    except ValueError:
        there, same = "", False
    if not same:
        raise _refused(url, "a redirect to another server")
    return there


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _retry_after(text: str) -> float | None:
    """The seconds that Retry-After asks to wait (RFC 9110, section 10.2.3); None where it says nothing legible."""
    if text.isascii() and text.isdecimal() and len(text) < 8:  # noqa: PLR2004  # months
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    now = datetime.now(UTC)  # noqa: TID251  # the server names a time of its own
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds())


def _jittered(wait: float) -> float:
    """Between half of `wait` and all of it, so that many machines refused together do not come back together."""
    return wait * (500 + secrets.randbelow(501)) / 1000


def _host(url: str) -> str:
    return urlsplit(url).netloc


def _no_answer(url: str, again: _Again) -> CollateralError:
    asked = f", and asks to wait {again.after:.0f} s" if again.after else ""
    msg = f"{_host(url)} does not answer: {again}{asked}"
    return CollateralError(msg, hint="try again later; a mirror can be named with --server NAME=URL")


def _refused(url: str, why: str) -> CollateralError:
    msg = f"{_host(url)}: not taken: {why}"
    return CollateralError(msg)


def _untrusted(url: str, why: str) -> CollateralError:
    msg = f"{_host(url)}: its TLS certificate is by nobody who is trusted: {why[-120:]}"
    return CollateralError(msg, hint="for a mirror with a certificate of its own, pass its authority with --tls-root")
