"""What guest and broker say to each other, as typed values and as JSON.

    guest → POST /v1/nonce      {}                                  → {"nonce"}
    guest → POST /v1/attest     AttestRequest                       → {"grant": compact JWE}
    guest → POST /v1/confirm    Confirmation                        → {}
    guest → POST /v1/seal       Sealing                             → {}
    guest → POST /v1/lease      LeaseCall                           → LeaseAnswer

The JWE (ECDH-ES, A256GCM) is to the session key; its plaintext is a compact JWS (EdDSA) by the grantor
over a `Grant`. Refusals are RFC 9457 problem documents: 400 malformed, 403 rejected (with `findings`),
409 the registry says no, 503 undecided.
"""

import hmac
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self

from warily.errors import FormatError
from warily.formats import cmw
from warily.formats._json import JsonObject, b64url, canonical
from warily.release.binding import NONCE_SIZE, SESSION_KEY_SIZE

REQUEST_LIMIT: Final = 4 << 20
GRANT_LIMIT: Final = 1 << 20
MAX_VOLUMES: Final = 16
IDENTITY_SIZE: Final = 32
SECRET_SIZE: Final = 32
DESCRIPTOR_DIGEST_SIZE: Final = 32
SEAL_SIZE: Final = 32
LAST_SECOND: Final = 253402300799  # of the year 9999


class VolumeState(StrEnum):
    """What the broker remembers of a volume. It only ever moves forward."""

    BLANK = "blank"
    INITIALISED = "initialised"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestRequest:
    """Evidence, bound to a nonce and a session key, and the volumes whose keys are wanted.

    `identity` is the VM identity the guest claims: the HOST_DATA of its own report (32 bytes).
    """

    nonce: bytes
    session_key: bytes
    identity: bytes
    evidence: cmw.Collection
    volumes: tuple[str, ...]

    def encode(self) -> bytes:
        """The request as JSON."""
        return canonical(
            {
                "nonce": b64url(self.nonce),
                "session_key": b64url(self.session_key),
                "identity": self.identity.hex(),
                "evidence": cmw.encode(self.evidence),
                "volumes": list(self.volumes),
            }
        )

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """The request that `text` holds. Raises `FormatError`."""
        top = JsonObject.parse(text, what="attest request", limit=REQUEST_LIMIT)
        made = cls(
            nonce=_exactly(top.octets("nonce", limit=NONCE_SIZE), NONCE_SIZE, "nonce"),
            session_key=_exactly(top.octets("session_key", limit=SESSION_KEY_SIZE), SESSION_KEY_SIZE, "session_key"),
            identity=top.hexadecimal("identity", width=IDENTITY_SIZE),
            evidence=cmw.decode(top.object("evidence")),
            volumes=top.texts("volumes", limit=MAX_VOLUMES),
        )
        top.finish()
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeGrant:
    """One volume's secret, and what the broker knows of the volume.

    `descriptor` is the SHA-256 of the 4 KiB descriptor that was confirmed when it was initialised; `epoch`
    how often it was opened; `seal` the digest of its tags when it was last closed in order, None where
    its last machine ended in another way.
    """

    name: str
    secret: bytes = field(repr=False)
    state: VolumeState
    descriptor: bytes | None
    epoch: int = 0
    seal: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What an accepted guest receives. It names the nonce and session key it answers.

    `at` is the broker's time when it decided, in seconds of Unix time.
    """

    nonce: bytes
    session_key_digest: bytes
    identity: bytes
    session: str
    lease_key: bytes = field(repr=False)
    lease_seconds: int
    at: int
    volumes: tuple[VolumeGrant, ...]

    def encode(self) -> bytes:
        """The grant as JSON: secret until it is sealed."""
        return canonical(
            {
                "nonce": b64url(self.nonce),
                "session_key_digest": self.session_key_digest.hex(),
                "identity": self.identity.hex(),
                "session": self.session,
                "lease_key": b64url(self.lease_key),
                "lease_seconds": self.lease_seconds,
                "at": self.at,
                "volumes": [
                    {
                        "name": volume.name,
                        "secret": b64url(volume.secret),
                        "state": volume.state.value,
                        "descriptor": "" if volume.descriptor is None else volume.descriptor.hex(),
                        "epoch": volume.epoch,
                        "seal": "" if volume.seal is None else volume.seal.hex(),
                    }
                    for volume in self.volumes
                ],
            }
        )

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """The grant that `text` holds. Raises `FormatError`, which never quotes the text."""
        top = JsonObject.parse(text, what="grant", limit=GRANT_LIMIT)
        made = cls(
            nonce=_exactly(top.octets("nonce", limit=NONCE_SIZE), NONCE_SIZE, "nonce"),
            session_key_digest=top.hexadecimal("session_key_digest", width=32),
            identity=top.hexadecimal("identity", width=IDENTITY_SIZE),
            session=top.text("session", limit=64),
            lease_key=_exactly(top.octets("lease_key", limit=32), 32, "lease_key"),
            lease_seconds=top.number("lease_seconds", low=1, high=86400),
            at=top.number("at", low=1, high=LAST_SECOND),
            volumes=tuple(_volume(entry) for entry in top.objects("volumes", limit=MAX_VOLUMES)),
        )
        top.finish()
        return made


def _volume(entry: JsonObject) -> VolumeGrant:
    state = entry.text("state", limit=16)
    if state not in (VolumeState.BLANK, VolumeState.INITIALISED):
        msg = f"{entry.what}: no key is ever granted for a volume that is {state!r}"
        raise FormatError(msg)
    descriptor, seal = entry.hexadecimal("descriptor"), entry.hexadecimal("seal")
    made = VolumeGrant(
        name=entry.text("name", limit=64),
        secret=_exactly(entry.octets("secret", limit=SECRET_SIZE), SECRET_SIZE, "secret"),
        state=VolumeState(state),
        descriptor=_exactly(descriptor, DESCRIPTOR_DIGEST_SIZE, "descriptor") if descriptor else None,
        epoch=entry.number("epoch"),
        seal=_exactly(seal, SEAL_SIZE, "seal") if seal else None,
    )
    entry.finish()
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """The guest made or opens the volume, and its disk says so: descriptor's SHA-256 and epoch, under the lease key.

    From here on the volume is `initialised`: the broker never again grants a key to format it, and no guest
    takes a disk of an earlier epoch for it.
    """

    session: str
    volume: str
    descriptor: bytes
    epoch: int
    tag: bytes

    @classmethod
    def make(cls, *, session: str, volume: str, descriptor: bytes, epoch: int, lease_key: bytes) -> Self:
        """The confirmation, tagged with the lease key."""
        tag = lease_tag(lease_key, "confirm", session, volume, descriptor.hex(), str(epoch))
        return cls(session=session, volume=volume, descriptor=descriptor, epoch=epoch, tag=tag)

    def is_tagged_by(self, lease_key: bytes) -> bool:
        """Whether the holder of `lease_key` made it."""
        words = ("confirm", self.session, self.volume, self.descriptor.hex(), str(self.epoch))
        return hmac.compare_digest(lease_tag(lease_key, *words), self.tag)

    def encode(self) -> bytes:
        """The confirmation as JSON."""
        return canonical(
            {
                "session": self.session,
                "volume": self.volume,
                "descriptor": self.descriptor.hex(),
                "epoch": self.epoch,
                "tag": self.tag.hex(),
            }
        )

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """The confirmation that `text` holds. Raises `FormatError`."""
        top = JsonObject.parse(text, what="confirmation", limit=4096)
        made = cls(
            session=top.text("session", limit=64),
            volume=top.text("volume", limit=64),
            descriptor=top.hexadecimal("descriptor", width=DESCRIPTOR_DIGEST_SIZE),
            epoch=top.number("epoch", low=1),
            tag=top.hexadecimal("tag", width=32),
        )
        top.finish()
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealing:
    """The guest closed the volume in order: the digest of all its tags in this epoch, under the lease key.

    The next guest that opens it takes no other state for the current one.
    """

    session: str
    volume: str
    epoch: int
    seal: bytes
    tag: bytes

    @classmethod
    def make(cls, *, session: str, volume: str, epoch: int, seal: bytes, lease_key: bytes) -> Self:
        """The sealing, tagged with the lease key."""
        tag = lease_tag(lease_key, "seal", session, volume, str(epoch), seal.hex())
        return cls(session=session, volume=volume, epoch=epoch, seal=seal, tag=tag)

    def is_tagged_by(self, lease_key: bytes) -> bool:
        """Whether the holder of `lease_key` made it."""
        wanted = lease_tag(lease_key, "seal", self.session, self.volume, str(self.epoch), self.seal.hex())
        return hmac.compare_digest(wanted, self.tag)

    def encode(self) -> bytes:
        """The sealing as JSON."""
        return canonical(
            {
                "session": self.session,
                "volume": self.volume,
                "epoch": self.epoch,
                "seal": self.seal.hex(),
                "tag": self.tag.hex(),
            }
        )

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """The sealing that `text` holds. Raises `FormatError`."""
        top = JsonObject.parse(text, what="sealing", limit=4096)
        made = cls(
            session=top.text("session", limit=64),
            volume=top.text("volume", limit=64),
            epoch=top.number("epoch", low=1),
            seal=top.hexadecimal("seal", width=SEAL_SIZE),
            tag=top.hexadecimal("tag", width=32),
        )
        top.finish()
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseCall:
    """The guest is alive and asks whether to go on. `count` only ever grows within a session."""

    session: str
    count: int
    tag: bytes

    @classmethod
    def make(cls, *, session: str, count: int, lease_key: bytes) -> Self:
        """The call, tagged with the lease key."""
        return cls(session=session, count=count, tag=lease_tag(lease_key, "lease", session, str(count)))

    def is_tagged_by(self, lease_key: bytes) -> bool:
        """Whether the holder of `lease_key` made it."""
        return hmac.compare_digest(lease_tag(lease_key, "lease", self.session, str(self.count)), self.tag)

    def encode(self) -> bytes:
        """The call as JSON."""
        return canonical({"session": self.session, "count": self.count, "tag": self.tag.hex()})

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """The call that `text` holds. Raises `FormatError`."""
        top = JsonObject.parse(text, what="lease call", limit=4096)
        made = cls(
            session=top.text("session", limit=64),
            count=top.number("count"),
            tag=top.hexadecimal("tag", width=32),
        )
        top.finish()
        return made


class LeaseState(StrEnum):
    """What the broker wants of a running guest."""

    HOLD = "hold"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseAnswer:
    """Go on, or shut down in an orderly way. Tagged, so that only the broker can say it."""

    state: LeaseState
    count: int
    tag: bytes

    @classmethod
    def make(cls, *, state: LeaseState, session: str, count: int, lease_key: bytes) -> Self:
        """The answer to call `count`, tagged with the lease key."""
        return cls(state=state, count=count, tag=lease_tag(lease_key, "answer", session, str(count), state.value))

    def is_tagged_by(self, lease_key: bytes, *, session: str) -> bool:
        """Whether the broker that granted the lease made it."""
        wanted = lease_tag(lease_key, "answer", session, str(self.count), self.state.value)
        return hmac.compare_digest(wanted, self.tag)

    def encode(self) -> bytes:
        """The answer as JSON."""
        return canonical({"state": self.state.value, "count": self.count, "tag": self.tag.hex()})

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """The answer that `text` holds. Raises `FormatError`."""
        top = JsonObject.parse(text, what="lease answer", limit=4096)
        state = top.text("state", limit=8)
        if state not in tuple(LeaseState):
            msg = f"lease answer: unknown state {state!r}"
            raise FormatError(msg)
        made = cls(state=LeaseState(state), count=top.number("count"), tag=top.hexadecimal("tag", width=32))
        top.finish()
        return made


def lease_tag(lease_key: bytes, *words: str) -> bytes:
    """HMAC-SHA256 over the words, each preceded by its u32 length."""
    message = b"".join(len(word.encode()).to_bytes(4, "big") + word.encode() for word in words)
    return hmac.digest(lease_key, message, "sha256")


def _exactly(data: bytes, size: int, what: str) -> bytes:
    if len(data) != size:
        msg = f"{what}: {len(data)} bytes, not {size}"
        raise FormatError(msg)
    return data
