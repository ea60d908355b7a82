"""What the operator may see and do: appraisals, volumes, the audit trail; end a machine, retire a volume."""

import hmac
import json
import os
import secrets
from http import HTTPStatus
from pathlib import Path
from typing import Final

from warily.errors import HostError
from warily.formats._json import JsonObject, canonical
from warily.release import registry
from warily.release.messages import IDENTITY_SIZE, LeaseState, VolumeState
from warily.release.registry import Volume
from warily.service import lease
from warily.service.broker import Broker
from warily.service.problem import Problem
from warily.service.transaction import PAGE, Session, Transaction

TOKEN_FILE: Final = "operator.token"  # noqa: S105  # a file's name
LIMIT: Final = 4096
OTHERS: Final = 0o077
LAPSED: Final = 10  # leases


def operator_token(folder: Path) -> bytes:
    """The operator's bearer token, kept in `folder` (mode 0600) and made where there is none.

    Raises `HostError` where others may read it.
    """
    path = folder / TOKEN_FILE
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
    if path.stat().st_mode & OTHERS:
        message = f"{path} may be read by others"
        raise HostError(message, hint="delete it; a new one is made at the next start")
    token = path.read_bytes().strip()
    if not token:
        message = f"{path} is empty"
        raise HostError(message, hint="delete it; a new one is made at the next start")
    return token


def authorise(header: str | None, token: bytes) -> None:
    """The caller holds the token; otherwise a `Problem`. The comparison takes the same time for every guess."""
    given = (header or "").removeprefix("Bearer ").encode("utf-8", "replace")
    if not hmac.compare_digest(given, token):
        detail = "an operator's bearer token is needed"
        raise Problem(status=HTTPStatus.UNAUTHORIZED, code="operator", detail=detail)


def identity_of(text: str) -> bytes:
    """The VM identity that 64 hexadecimal digits name, or a `Problem`."""
    try:
        identity = bytes.fromhex(text)
    except ValueError:
        identity = b""
    if len(identity) != IDENTITY_SIZE or identity.hex() != text:
        detail = "a VM identity is 64 lower-case hexadecimal digits"
        raise Problem(status=HTTPStatus.BAD_REQUEST, code="format", detail=detail)
    return identity


async def latest(broker: Broker, identity: bytes | None) -> bytes:
    """The latest accepted and the latest refused evidence of a VM (or of any), its volumes and its session."""

    async def work(tx: Transaction) -> dict[str, object] | None:
        accepted = await tx.appraisal(identity, accepted=True)
        refused = await tx.appraisal(identity, accepted=False)
        vm = identity or (accepted or refused or (None,))[0]
        if vm is None or (accepted is None and refused is None):
            return None
        sessions = await tx.live_sessions(vm)
        return {
            "identity": vm.hex(),
            "accepted": None if accepted is None else json.loads(accepted[1]),
            "refused": None if refused is None else json.loads(refused[1]),
            "volumes": [_volume(volume) for volume in await tx.volumes(vm)],
            "session": _session(sessions[0], broker) if sessions else None,
        }

    found = await broker.store.run(work)
    if found is None:
        detail = "no evidence of this VM has come in"
        raise Problem(status=HTTPStatus.NOT_FOUND, code="no-appraisal", detail=detail)
    return canonical(found)


async def volumes(broker: Broker) -> bytes:
    """Every volume, without its secret."""
    found = await broker.store.run(lambda tx: tx.volumes())
    return canonical({"volumes": [_volume(volume) for volume in found]})


async def audit(broker: Broker, *, after: int) -> bytes:
    """At most 1000 rows of the audit trail after row `after`, and whether the whole of it is unbroken."""

    async def work(tx: Transaction) -> dict[str, object]:
        rows = await tx.audit_rows(after=after, limit=PAGE)
        return {
            "rows": [
                {
                    "sequence": row.sequence,
                    "at": row.at,
                    "event": row.event,
                    "identity": row.identity,
                    "detail": json.loads(row.detail),
                    "hash": row.hash.hex(),
                }
                for row in rows
            ],
            "length": await tx.audit_length(),
            "broken_at": await tx.first_break(),
        }

    return canonical(await broker.store.run(work))


async def end(broker: Broker, identity: bytes) -> bytes:
    """The VM's sessions are told to end; how many there were."""
    return canonical({"ended": await lease.end(broker, identity)})


async def retire(broker: Broker, body: bytes) -> bytes:
    """The volume named by `identity` and `name` is retired: its secret is gone, no key is granted again."""
    top = JsonObject.parse(body, what="retirement", limit=LIMIT)
    identity, name = top.hexadecimal("identity", width=IDENTITY_SIZE), top.text("name", limit=64)
    top.finish()

    async def work(tx: Transaction) -> Volume | None:
        found = await tx.volume(identity, name)
        if found is None or found.state is VolumeState.RETIRED:
            return found
        gone = registry.retire(found)
        await tx.keep(gone)
        await tx.record("retire", at=broker.seconds(), identity=identity, volume=name)
        return gone

    retired = await broker.store.run(work)
    if retired is None:
        raise Problem(status=HTTPStatus.NOT_FOUND, code="volume-unknown", detail=f"there is no volume {name!r}")
    return canonical(_volume(retired))


def _volume(volume: Volume) -> dict[str, object]:
    return {
        "identity": volume.identity.hex(),
        "name": volume.name,
        "state": volume.state.value,
        "descriptor": volume.descriptor.hex() if volume.descriptor else "",
        "epoch": volume.epoch,
        "sealed": volume.seal is not None,
    }


def _session(session: Session, broker: Broker) -> dict[str, object]:
    """`lapsed`: the guest has missed several calls; it may be gone, or paused."""
    return {
        "session": session.session,
        "granted": session.granted,
        "seen": session.seen,
        "calls": session.count + 1,
        "ends": session.state is LeaseState.END,
        "lapsed": broker.seconds() - session.seen > LAPSED * broker.lease_seconds,
    }
