"""What the broker remembers of a volume, and what follows from it: a state machine without a store.

    blank ──confirm──▶ initialised ──retire──▶ retired      (blank ──retire──▶ retired)

A volume belongs to one VM identity and has one secret for ever. While it is blank, one session at a time
holds the right to initialise it; only that session can confirm, and what it confirms is final. So a host
that swaps in an empty disk cannot make a guest format over a volume that exists.

Each opening begins an epoch, which the guest writes on the disk before it tells the broker: a disk of an
earlier epoch is an old copy. A guest that ends in order leaves a seal, the digest of the volume's tags;
the next one opens that state and no other. While a volume is in use it has no seal.

Every function takes the volume as it is and returns a decision; the store writes what the decision holds.
"""

from dataclasses import dataclass, replace
from typing import Final

from warily.release.messages import DESCRIPTOR_DIGEST_SIZE, SEAL_SIZE, VolumeState

HOLD: Final = 60  # seconds for which a session alone may initialise, before another may take over


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """One volume. `wrapped` is its secret under the key-encryption key; `held_until` is in seconds since 1970.

    `holder` is the session that its key was granted to last: it may initialise, open and seal the volume.
    `epoch` counts its openings, and `seal` is the digest of its tags when it was last closed in order.
    """

    identity: bytes
    name: str
    state: VolumeState
    wrapped: bytes
    descriptor: bytes | None = None
    holder: str | None = None
    held_until: int = 0
    epoch: int = 0
    seal: bytes | None = None


@dataclass(frozen=True, slots=True)
class ToInitialise:
    """The key may go out so that the volume is made. `volume` is what to remember."""

    volume: Volume


@dataclass(frozen=True, slots=True)
class ToOpen:
    """The key may go out so that the volume is opened, and never formatted. `volume` is what to remember."""

    volume: Volume


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The volume is initialised and in use. `volume` is what to remember."""

    volume: Volume


@dataclass(frozen=True, slots=True)
class Sealed:
    """The volume was closed in order. `volume` is what to remember."""

    volume: Volume


@dataclass(frozen=True, slots=True)
class No:
    """No key, and why. `code` is stable."""

    code: str
    because: str


@dataclass(frozen=True, slots=True)
class NotYet:
    """No key now; asking again in `seconds` may give another answer."""

    code: str
    because: str
    seconds: int


def blank(*, identity: bytes, name: str, wrapped: bytes) -> Volume:
    """A volume that nobody has asked for before."""
    return Volume(identity=identity, name=name, state=VolumeState.BLANK, wrapped=wrapped)


def ask(volume: Volume, *, identity: bytes, session: str, now: int) -> ToInitialise | ToOpen | No | NotYet:
    """Whether the VM `identity`, in a new `session`, may have the volume's key at `now`."""
    if volume.identity != identity:
        return No("volume-of-another", f"volume {volume.name} belongs to another VM identity")
    match volume.state:
        case VolumeState.RETIRED:
            return No("volume-retired", f"volume {volume.name} is retired; its key is never granted again")
        case VolumeState.INITIALISED:
            return ToOpen(replace(volume, holder=session))
        case VolumeState.BLANK:
            wait = volume.held_until - now
            if volume.holder not in (None, session) and wait > 0:
                because = f"volume {volume.name} is being initialised by another session for {wait} s at most"
                return NotYet("volume-held", because, wait)
            return ToInitialise(replace(volume, holder=session, held_until=now + HOLD))


def confirm(volume: Volume, *, session: str, descriptor: bytes, epoch: int) -> Confirmed | No:
    """Whether `session` may declare the volume initialised with this descriptor (its SHA-256), and open in `epoch`.

    Saying the same thing twice is no error, because the first answer may have been lost.
    """
    if volume.state is VolumeState.RETIRED:
        return No("volume-retired", f"volume {volume.name} is retired")
    if volume.holder != session:
        return No("volume-not-held", f"this session does not hold the right to open volume {volume.name}")
    if len(descriptor) != DESCRIPTOR_DIGEST_SIZE:
        return No("volume-descriptor", f"the descriptor digest has {len(descriptor)} bytes")
    if volume.state is VolumeState.INITIALISED and volume.descriptor != descriptor:
        return No("volume-initialised", f"volume {volume.name} is initialised already, with another descriptor")
    if epoch == volume.epoch and volume.state is VolumeState.INITIALISED and volume.seal is None:
        return Confirmed(volume)
    if epoch != volume.epoch + 1:
        return No("volume-epoch", f"volume {volume.name} is in epoch {volume.epoch}; epoch {epoch} cannot begin")
    initialised = VolumeState.INITIALISED
    return Confirmed(replace(volume, state=initialised, descriptor=descriptor, held_until=0, epoch=epoch, seal=None))


def seal(volume: Volume, *, session: str, epoch: int, digest: bytes) -> Sealed | No:
    """Whether `session` may declare that the volume was closed in this state (the digest of its tags).

    Saying the same thing twice is no error. A session that was told to end may still say it.
    """
    if volume.state is not VolumeState.INITIALISED:
        return No("volume-not-open", f"volume {volume.name} is {volume.state.value}")
    if volume.holder != session or volume.epoch != epoch:
        return No("volume-not-held", f"volume {volume.name} was granted to another session since")
    if len(digest) != SEAL_SIZE:
        return No("volume-seal", f"the seal has {len(digest)} bytes")
    if volume.seal is not None and volume.seal != digest:
        return No("volume-sealed", f"volume {volume.name} is sealed already, in another state")
    return Sealed(replace(volume, seal=digest))


def let_go(volume: Volume, *, session: str) -> Volume:
    """The volume once `session` has ended: a right to initialise that it held is gone."""
    if volume.state is VolumeState.BLANK and volume.holder == session:
        return replace(volume, holder=None, held_until=0)
    return volume


def retire(volume: Volume) -> Volume:
    """The volume, retired for ever, and its secret forgotten."""
    return replace(volume, state=VolumeState.RETIRED, wrapped=b"", holder=None, held_until=0)
