"""One event of a measured boot: into which register what is extended, and on which ingredient it depends."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from warily.formats.tcg_log import EventType


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """Other bytes that an event may be the hash of, as a candidate is named and explained."""

    name: str
    because: str
    hashed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BootEvent:
    """An event that firmware, a stub or the kernel logs.

    `register` is a PCR index (TDX platforms map it to an RTMR, see `rtmr`), `type` a TCG event type. `name` says what
    it is in plain words, `ingredient` what its digest depends on. Exactly one of three is there: the bytes that are
    `hashed`, the `digests` by algorithm (as hashlib names it), or the reason why neither is known (`because`).
    `data` is the event's data as a log shows it, as far as it can be told beforehand; it moves no register.
    `alternatives` are for other machines.
    """

    register: int
    type: int
    name: str
    ingredient: str
    hashed: bytes | None = field(default=None, repr=False)
    digests: Mapping[str, bytes] = field(default_factory=dict)
    because: str = ""
    data: bytes = field(default=b"", repr=False)
    alternatives: tuple[Alternative, ...] = ()

    def digest(self, algorithm: str) -> bytes | None:
        """What extends the register of that algorithm's bank; None where it cannot be told (`because` says why)."""
        if self.hashed is not None:
            return hashlib.new(algorithm, self.hashed).digest()
        return self.digests.get(algorithm)

    @property
    def extends(self) -> bool:
        """Whether a register is extended: not by EV_NO_ACTION, which only tells something."""
        return self.type != EventType.NO_ACTION


def hashed(register: int, kind: int, name: str, *, ingredient: str, data: bytes) -> BootEvent:
    """An event whose digest is the hash of `data`, which the log shows as well."""
    return BootEvent(register=register, type=kind, name=name, ingredient=ingredient, hashed=data, data=data)


def known(register: int, kind: int, name: str, *, ingredient: str, digests: Mapping[str, bytes]) -> BootEvent:
    """An event of which the digests are known and the hashed bytes are not."""
    return BootEvent(register=register, type=kind, name=name, ingredient=ingredient, digests=dict(digests))


def unknown(register: int, kind: int, name: str, *, ingredient: str, because: str) -> BootEvent:
    """An event that will be there, with a digest that nobody can tell beforehand: its register stays unpredicted."""
    return BootEvent(register=register, type=kind, name=name, ingredient=ingredient, because=because)
