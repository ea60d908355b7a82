"""The broker: a nonce, then evidence for keys. Bytes of a request in, bytes of an answer out, or a `Problem`.

The order of an attest: the size was bounded before the body was read; the nonce is ours, in date and unused;
the evidence parses; the report is judged; the registry is asked; it is all written down; then a key leaves.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from warily.core.appraisal import CLEAN, Appraisal
from warily.core.finding import Finding, failed
from warily.errors import FormatError, HostError
from warily.formats import cmw
from warily.formats._json import b64url, canonical
from warily.release import nonce, registry
from warily.release.decide import Granted, Refused, decide, refusal_of
from warily.release.grant import session_key_digest
from warily.release.messages import (
    SECRET_SIZE,
    AttestRequest,
    Grant,
    LeaseState,
)
from warily.release.registry import Volume
from warily.release.wrap import NONCE, VOLUME, Kek
from warily.service.appraise import Trust, appraise
from warily.service.problem import from_refusal
from warily.service.seal import seal
from warily.service.store import Store
from warily.service.transaction import Session, Transaction

LEASE: Final = 4  # seconds: how long a guest pauses between calls, and how long a call may wait for an end
BACK: Final = 60  # seconds by which the clock of another replica may be behind
SESSION: Final = "session"  # what a wrapped lease key is for


async def _use(tx: Transaction, value: bytes, now: int) -> Finding | None:
    """The nonce is used from here on; why it cannot be, where that is so.

    A clock that was set back would let nonces hold again that were used and forgotten.
    """
    newest = await tx.newest_nonce()
    if newest is not None and now < newest - nonce.LIFETIME - BACK:
        found = f"one {newest - nonce.LIFETIME - now} s behind a nonce that was used"
        return failed(nonce.CHECK, expected="a clock that goes forward", found=found, hint="set the broker's clock")
    if await tx.use_nonce(value, expiry=nonce.expiry(value), now=now):
        return None
    return failed(nonce.CHECK, expected="an unused nonce", found="one that was used", hint="ask /v1/nonce again")


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """One broker. `now` tells the time; `grantor` signs grants and never leaves the process."""

    store: Store
    kek: Kek = field(repr=False)
    grantor: Ed25519PrivateKey = field(repr=False)
    trust: Trust
    now: Callable[[], datetime]
    lease_seconds: int = LEASE
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def seconds(self) -> int:
        """The time in whole seconds since 1970."""
        return int(self.now().timestamp())

    async def wake(self) -> None:
        """Every waiting lease call looks again."""
        async with self.changed:
            self.changed.notify_all()

    def nonce(self) -> bytes:
        """A fresh nonce, as the answer to /v1/nonce."""
        made = nonce.mint(self.kek.subkey("nonce"), self.seconds(), secrets.token_bytes(nonce.RANDOM))
        return canonical({"nonce": b64url(made)})

    async def attest(self, body: bytes) -> bytes:
        """The sealed grant for an `AttestRequest`, or a `Problem` that says which finding refused it."""
        request = AttestRequest.decode(body)
        fresh = await self._use(request.nonce)
        appraisal = appraise(request, self.trust, fresh=fresh, at=self.now())
        made = await self.store.run(lambda tx: self._settle(tx, request, appraisal))
        if isinstance(made, Refused):
            raise from_refusal(made)
        await self.wake()  # an older session of this VM was told to end
        return canonical({"grant": seal(made, session_key=request.session_key, grantor=self.grantor)})

    async def _use(self, value: bytes) -> Finding:
        """Whether the nonce is ours, in date and unused. From here on it is used."""
        now = self.seconds()
        found = nonce.check(self.kek.subkey("nonce"), value, now)
        if found.outcome not in CLEAN:
            return found
        return await self.store.run(lambda tx: _use(tx, value, now)) or found

    async def _settle(self, tx: Transaction, request: AttestRequest, appraisal: Appraisal) -> Grant | Refused:
        """Decide, and write down what was decided, in one transaction."""
        now, identity, session = self.seconds(), request.identity, secrets.token_hex(16)
        made: Granted | Refused | None = refusal_of(appraisal)
        if made is None:
            volumes = [await self._volume(tx, identity, name) for name in request.volumes]
            made = decide(appraisal, volumes, identity=identity, session=session, now=now, unwrap=self._unwrap)
        await self._write_down(tx, request, appraisal, made, session=session)
        if isinstance(made, Refused):
            return made
        for volume in made.remember:
            await tx.keep(volume)
        for older in await tx.live_sessions(identity):
            await tx.end_session(older.session)
        lease_key = secrets.token_bytes(SECRET_SIZE)
        await tx.begin_session(self._session(session, identity, lease_key, now))
        return Grant(
            nonce=request.nonce,
            session_key_digest=session_key_digest(request.session_key),
            identity=identity,
            session=session,
            lease_key=lease_key,
            lease_seconds=self.lease_seconds,
            at=now,
            volumes=made.keys,
        )

    async def _volume(self, tx: Transaction, identity: bytes, name: str) -> Volume:
        """The volume as remembered, or a blank one with a new secret."""
        found = await tx.volume(identity, name)
        if found is not None:
            return found
        secret, fresh = secrets.token_bytes(SECRET_SIZE), secrets.token_bytes(NONCE)
        wrapped = self.kek.wrap(secret, nonce=fresh, purpose=VOLUME, identity=identity, name=name)
        return registry.blank(identity=identity, name=name, wrapped=wrapped)

    def _unwrap(self, volume: Volume) -> bytes:
        try:
            return self.kek.unwrap(volume.wrapped, purpose=VOLUME, identity=volume.identity, name=volume.name)
        except FormatError as error:
            message = f"the secret of volume {volume.name} cannot be unwrapped: {error}"
            raise HostError(message) from None

    def _session(self, session: str, identity: bytes, lease_key: bytes, now: int) -> Session:
        fresh = secrets.token_bytes(NONCE)
        wrapped = self.kek.wrap(lease_key, nonce=fresh, purpose=SESSION, identity=identity, name=session)
        hold = LeaseState.HOLD
        return Session(session=session, identity=identity, wrapped=wrapped, count=-1, state=hold, granted=now, seen=now)

    async def _write_down(
        self, tx: Transaction, request: AttestRequest, appraisal: Appraisal, made: Granted | Refused, *, session: str
    ) -> None:
        """The appraisal with its evidence, for the operator; the decision, for the audit trail."""
        now, accepted = self.seconds(), isinstance(made, Granted)
        code, detail = ("granted", "") if isinstance(made, Granted) else (made.code, made.because)
        content = {
            "at": appraisal.at.isoformat(),
            "accepted": accepted,
            "code": code,
            "detail": detail,
            "session": session if accepted else "",
            "appraisal": appraisal.as_json(),
            "evidence": cmw.encode(request.evidence),
        }
        if accepted or (isinstance(made, Refused) and made.seconds is None):  # "not yet" is no verdict on evidence
            text = canonical(content).decode()
            await tx.keep_appraisal(request.identity, accepted=accepted, at=now, content=text)
        facts: dict[str, object] = {"code": code, "anchor": appraisal.anchor, "volumes": list(request.volumes)}
        first = appraisal.first_failure
        if isinstance(made, Granted):
            facts |= {"session": session, "states": [key.state.value for key in made.keys]}
        elif first is not None:
            facts |= {"finding": first.as_json()}
        await tx.record("grant" if accepted else "refuse", at=now, identity=request.identity, **facts)
