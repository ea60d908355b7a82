"""What to ask of a vendor's service, and what may come back. Values only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

FOR_EVER: Final = timedelta.max
A_DAY: Final = timedelta(days=1)
A_MONTH: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A path and query below the address of a service. `rationed`: the service's spacing applies.

    With a `body`, of that media type, it is posted; otherwise the path is only got.
    """

    service: str
    path: str
    rationed: bool = False
    body: bytes = field(default=b"", repr=False)
    media_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a service sent: the body as received, and its headers by lower-case name.

    `url` is where it came from; after `#` the beginning of the SHA-256 of what was posted there, if anything was.
    """

    url: str
    fetched: datetime
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One piece of collateral out of an answer, under the file name that it is kept by."""

    name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One thing that is needed. `addresses` are tried in order while a service says that it has no such thing.

    `accept` takes the answer apart, and raises `FormatError` where it is not what was asked for. `headers` are those
    of an answer that `accept` reads. An answer may be used again for `keeps`; its body has at most `limit` bytes.
    """

    name: str
    what: str
    addresses: tuple[Address, ...]
    limit: int
    keeps: timedelta
    accept: Callable[[Answer], tuple[Piece, ...]] = field(repr=False)
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What evidence needs. `unavailable` is what no service has, and why; `remarks` is what needs no fetching.

    `came` are the certificates (DER) that the evidence itself brought.
    """

    requests: tuple[Request, ...] = ()
    unavailable: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    came: tuple[bytes, ...] = field(default=(), repr=False)
