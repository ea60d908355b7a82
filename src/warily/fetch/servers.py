"""Which server stands for each vendor service: the vendor's own, or a mirror that the user names."""

import hashlib
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from warily.core.vendors import Service, services
from warily.errors import UsageError
from warily.fetch.request import Address, Request

VARIABLE: Final = "WARILY_SERVER_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where one request may be answered: the whole URL, and how many seconds lie between two of its kind.

    A `body`, of that media type, is posted; without one the URL is only got.
    """

    url: str
    spacing: float
    body: bytes = field(default=b"", repr=False)
    media_type: str = ""

    @property
    def key(self) -> str:
        """What an answer is kept under: the URL, and after `#` the beginning of the SHA-256 of what is posted."""
        return f"{self.url}#{hashlib.sha256(self.body).hexdigest()[:32]}" if self.body else self.url


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """The vendors' services, and what was put in the place of some of them."""

    mirrors: Mapping[str, str]

    def targets(self, request: Request) -> list[Target]:
        """Where to ask, in order. Mirrors come first: who names one wants it asked."""
        mirrored = [one for one in request.addresses if one.service in self.mirrors]
        others = [one for one in request.addresses if one.service not in self.mirrors]
        return [self._target(address) for address in (*mirrored, *others)]

    def _target(self, address: Address) -> Target:
        service: Service = services()[address.service]
        mirror = self.mirrors.get(address.service)
        spacing = service.spacing if address.rationed and mirror is None else 0.0
        url = (mirror or service.url) + address.path
        return Target(url=url, spacing=spacing, body=address.body, media_type=address.media_type)


def servers(given: Mapping[str, str], environment: Mapping[str, str]) -> Servers:
    """The servers to ask: those given by name, then those that variables name, then the vendors' own.

    Raises `UsageError` for the name of no service, and for an address that `check_address` refuses.
    """
    named = {name: environment.get(VARIABLE + name.upper().replace("-", "_"), "") for name in services()} | dict(given)
    for name in named:
        if name not in services():
            msg = f"no service is called {name!r}"
            raise UsageError(msg, hint=f"there are: {', '.join(services())}")
    mirrors = {name: url.rstrip("/") for name, url in named.items() if url}
    for name, url in mirrors.items():
        check_address(url)
        if urlsplit(url).query or urlsplit(url).fragment:
            msg = f"the address of {name} has a query"
            raise UsageError(msg)
    return Servers(mirrors=mirrors)


def check_address(url: str) -> None:
    """The address is one of TLS, or of this machine itself. Raises `UsageError`."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = None, ""
    if parts is None or not host or parts.username is not None or not url.isascii() or not url.isprintable():
        msg = f"{url!r} is no address like https://host/path"
        raise UsageError(msg)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        msg = f"{url} is not reached by TLS"
        raise UsageError(msg, hint="use https://; plain http:// is for servers on this machine only")


def is_loopback(host: str) -> bool:
    """Whether the host is this machine: `localhost`, or an address of the loopback."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
