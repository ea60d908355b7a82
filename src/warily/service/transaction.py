"""What can be done in one transaction of the store: read, remember, append to the audit trail."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import RowMapping, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from warily.formats._json import canonical
from warily.release.messages import LeaseState, VolumeState
from warily.release.registry import Volume
from warily.service import audit
from warily.service.tables import APPRAISALS, AUDIT, NONCES, SESSIONS, SETTINGS, VOLUMES

MAX_REFUSED: Final = 1024  # anybody can be refused, so what that leaves behind is bounded
PAGE: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A granted session. `wrapped` is its lease key under the key-encryption key; times in seconds since 1970."""

    session: str
    identity: bytes
    wrapped: bytes
    count: int
    state: LeaseState
    granted: int
    seen: int


class Transaction:
    """One transaction. It ends with `Store.run`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def setting(self, name: str) -> bytes | None:
        """The value fixed under `name`, or None."""
        found: bytes | None = await self._connection.scalar(select(SETTINGS.c.value).where(SETTINGS.c.name == name))
        return found

    async def fix(self, name: str, value: bytes) -> None:
        """The value is fixed for ever. A second time is a conflict."""
        await self._connection.execute(insert(SETTINGS).values(name=name, value=value))

    async def use_nonce(self, nonce: bytes, *, expiry: int, now: int) -> bool:
        """Whether this was the nonce's first use. Nonces that have expired by `now` are forgotten, but the newest."""
        newest = await self.newest_nonce()
        if newest is not None:
            await self._connection.execute(delete(NONCES).where(NONCES.c.expiry < min(now, newest)))
        if await self._connection.scalar(select(NONCES.c.expiry).where(NONCES.c.nonce == nonce)) is not None:
            return False
        await self._connection.execute(insert(NONCES).values(nonce=nonce, expiry=expiry))
        return True

    async def newest_nonce(self) -> int | None:
        """When the nonce expires that was given out last of those that were used; None before the first use."""
        found: int | None = await self._connection.scalar(select(func.max(NONCES.c.expiry)))
        return found

    async def volume(self, identity: bytes, name: str) -> Volume | None:
        """The volume, or None where it was never asked for."""
        where = (VOLUMES.c.identity == identity, VOLUMES.c.name == name)
        found = (await self._connection.execute(select(VOLUMES).where(*where))).mappings().one_or_none()
        return None if found is None else _volume(found)

    async def volumes(self, identity: bytes | None = None) -> list[Volume]:
        """All volumes, or those of one VM, by identity and name."""
        query = select(VOLUMES).order_by(VOLUMES.c.identity, VOLUMES.c.name)
        if identity is not None:
            query = query.where(VOLUMES.c.identity == identity)
        return [_volume(row) for row in (await self._connection.execute(query)).mappings()]

    async def keep(self, volume: Volume) -> None:
        """The volume is remembered as it is now."""
        where = (VOLUMES.c.identity == volume.identity, VOLUMES.c.name == volume.name)
        values = {
            "state": volume.state.value,
            "wrapped": volume.wrapped,
            "descriptor": volume.descriptor,
            "holder": volume.holder,
            "held_until": volume.held_until,
            "epoch": volume.epoch,
            "seal": volume.seal,
        }
        done = await self._connection.execute(update(VOLUMES).where(*where).values(**values))
        if done.rowcount == 0:
            await self._connection.execute(insert(VOLUMES).values(identity=volume.identity, name=volume.name, **values))

    async def session(self, session: str) -> Session | None:
        """The session of that name, or None."""
        query = select(SESSIONS).where(SESSIONS.c.session == session)
        found = (await self._connection.execute(query)).mappings().one_or_none()
        return None if found is None else _session(found)

    async def live_sessions(self, identity: bytes) -> list[Session]:
        """The sessions of a VM that were not told to end, latest first."""
        where = (SESSIONS.c.identity == identity, SESSIONS.c.state == LeaseState.HOLD.value)
        query = select(SESSIONS).where(*where).order_by(SESSIONS.c.granted.desc())
        return [_session(row) for row in (await self._connection.execute(query)).mappings()]

    async def begin_session(self, session: Session) -> None:
        """The session is remembered."""
        values = {name: getattr(session, name) for name in Session.__slots__}
        await self._connection.execute(insert(SESSIONS).values(**values))

    async def advance(self, session: str, *, count: int, now: int) -> bool:
        """Whether `count` is above every count of the session before; if so it is the latest, seen at `now`."""
        where = (SESSIONS.c.session == session, SESSIONS.c.count < count)
        done = await self._connection.execute(update(SESSIONS).where(*where).values(count=count, seen=now))
        return done.rowcount == 1

    async def end_session(self, session: str) -> None:
        """The session's next lease answer is END."""
        where = SESSIONS.c.session == session
        await self._connection.execute(update(SESSIONS).where(where).values(state=LeaseState.END.value))

    async def keep_appraisal(self, identity: bytes, *, accepted: bool, at: int, content: str) -> None:
        """The latest accepted, or refused, evidence of a VM is this. Of refusals the latest 1024 are kept."""
        where = (APPRAISALS.c.identity == identity, APPRAISALS.c.accepted == accepted)
        await self._connection.execute(delete(APPRAISALS).where(*where))
        values = {"identity": identity, "accepted": accepted, "at": at, "content": content}
        await self._connection.execute(insert(APPRAISALS).values(**values))
        if accepted:
            return
        refused = select(APPRAISALS.c.at).where(APPRAISALS.c.accepted.is_(False)).order_by(APPRAISALS.c.at.desc())
        oldest = await self._connection.scalar(refused.offset(MAX_REFUSED).limit(1))
        if oldest is not None:
            old = (APPRAISALS.c.accepted.is_(False), APPRAISALS.c.at <= oldest)
            await self._connection.execute(delete(APPRAISALS).where(*old))

    async def appraisal(self, identity: bytes | None, *, accepted: bool) -> tuple[bytes, str] | None:
        """The identity and content of the latest accepted, or refused, evidence: of one VM, or of any."""
        query = select(APPRAISALS.c.identity, APPRAISALS.c.content).where(APPRAISALS.c.accepted == accepted)
        if identity is not None:
            query = query.where(APPRAISALS.c.identity == identity)
        found = (await self._connection.execute(query.order_by(APPRAISALS.c.at.desc()).limit(1))).one_or_none()
        return None if found is None else (found.identity, found.content)

    async def record(self, event: str, *, at: int, identity: bytes = b"", **detail: object) -> audit.Row:
        """The decision is appended to the audit trail. No secret belongs in `detail`."""
        query = select(AUDIT.c.sequence, AUDIT.c.hash).order_by(AUDIT.c.sequence.desc()).limit(1)
        last = (await self._connection.execute(query)).one_or_none()
        sequence, previous = (1, audit.START) if last is None else (last.sequence + 1, last.hash)
        text = canonical(detail).decode().strip()
        row = audit.Row(sequence=sequence, at=at, event=event, identity=identity.hex(), detail=text)
        made = row.hash_after(previous)
        values = {name: getattr(row, name) for name in audit.Row.__slots__} | {"hash": made}
        await self._connection.execute(insert(AUDIT).values(**values))
        return row

    async def audit_rows(self, *, after: int = 0, limit: int = PAGE) -> Sequence[audit.Row]:
        """At most `limit` rows of the audit trail, in order, from the one after `after`."""
        query = select(AUDIT).where(AUDIT.c.sequence > after).order_by(AUDIT.c.sequence).limit(limit)
        return [audit.Row(**row) for row in (await self._connection.execute(query)).mappings()]

    async def audit_length(self) -> int:
        """How many rows the audit trail has."""
        found: int | None = await self._connection.scalar(select(func.count()).select_from(AUDIT))
        return found or 0

    async def first_break(self) -> int | None:
        """The row at which the audit trail is broken first, or None where it is whole."""
        previous, at = audit.START, 0
        while rows := await self.audit_rows(after=at):
            broken = audit.first_break(rows, previous=previous, after=at)
            if broken is not None:
                return broken
            previous, at = rows[-1].hash, rows[-1].sequence
        return None


def _volume(row: RowMapping) -> Volume:
    return Volume(**(dict(row) | {"state": VolumeState(row["state"])}))


def _session(row: RowMapping) -> Session:
    return Session(**(dict(row) | {"state": LeaseState(row["state"])}))
