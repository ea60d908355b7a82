"""What a granted session may still ask: to open a volume, to seal it, and whether to go on."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from warily.errors import FormatError, HostError
from warily.formats._json import canonical
from warily.release import registry
from warily.release.messages import Confirmation, LeaseAnswer, LeaseCall, LeaseState, Sealing, VolumeState
from warily.release.registry import No
from warily.service.broker import SESSION, Broker
from warily.service.problem import Problem
from warily.service.transaction import Session, Transaction

LOOK_AGAIN: Final = 5.0  # seconds after which a waiting call asks the store: another replica may have ended it


async def confirm(broker: Broker, body: bytes) -> bytes:
    """The volume that a `Confirmation` names is in use in a new epoch, or a `Problem` says why not."""
    said = Confirmation.decode(body)
    session, _ = await _caller(broker, said.session, said.is_tagged_by)
    refused = await broker.store.run(lambda tx: _confirm(tx, session, said, broker.seconds()))
    if refused is not None:
        raise Problem(status=HTTPStatus.CONFLICT, code=refused.code, detail=refused.because)
    return canonical({})


async def _confirm(tx: Transaction, session: Session, said: Confirmation, now: int) -> No | None:
    """Write down what follows from the confirmation; the refusal, if it is one."""
    current = await tx.session(session.session)
    volume = await tx.volume(session.identity, said.volume)
    if current is None or current.state is LeaseState.END:
        answer: No | registry.Confirmed = No("session-ended", "this session has ended")
    elif volume is None:
        answer = No("volume-unknown", f"no key of a volume {said.volume!r} was granted")
    else:
        answer = registry.confirm(volume, session=session.session, descriptor=said.descriptor, epoch=said.epoch)
    facts = {"session": session.session, "volume": said.volume, "epoch": said.epoch}
    if isinstance(answer, No):
        await tx.record("refuse-confirm", at=now, identity=session.identity, code=answer.code, **facts)
        return answer
    if volume is not None and answer.volume != volume:
        await tx.keep(answer.volume)
        if volume.state is VolumeState.BLANK:
            descriptor = said.descriptor.hex()
            await tx.record("initialise", at=now, identity=session.identity, descriptor=descriptor, **facts)
        else:
            await tx.record("open", at=now, identity=session.identity, sealed=volume.seal is not None, **facts)
    return None


async def seal(broker: Broker, body: bytes) -> bytes:
    """The volume that a `Sealing` names was closed in order, or a `Problem` says why that is not believed.

    The session may have been told to end: that is when a guest closes its volumes.
    """
    said = Sealing.decode(body)
    session, _ = await _caller(broker, said.session, said.is_tagged_by)
    refused = await broker.store.run(lambda tx: _seal(tx, session, said, broker.seconds()))
    if refused is not None:
        raise Problem(status=HTTPStatus.CONFLICT, code=refused.code, detail=refused.because)
    return canonical({})


async def _seal(tx: Transaction, session: Session, said: Sealing, now: int) -> No | None:
    """Write down what follows from the sealing; the refusal, if it is one."""
    volume = await tx.volume(session.identity, said.volume)
    if volume is None:
        answer: No | registry.Sealed = No("volume-unknown", f"no key of a volume {said.volume!r} was granted")
    else:
        answer = registry.seal(volume, session=session.session, epoch=said.epoch, digest=said.seal)
    facts = {"session": session.session, "volume": said.volume, "epoch": said.epoch, "seal": said.seal.hex()}
    if isinstance(answer, No):
        await tx.record("refuse-seal", at=now, identity=session.identity, code=answer.code, **facts)
        return answer
    await tx.keep(answer.volume)
    await tx.record("seal", at=now, identity=session.identity, **facts)
    return None


async def lease(broker: Broker, body: bytes) -> bytes:
    """END once the session has ended, or HOLD after at most a lease, tagged with the lease key."""
    call = LeaseCall.decode(body)
    session, key = await _caller(broker, call.session, call.is_tagged_by)
    if not await broker.store.run(lambda tx: tx.advance(call.session, count=call.count, now=broker.seconds())):
        detail = "the count of a lease call only grows"
        raise Problem(status=HTTPStatus.CONFLICT, code="lease-count", detail=detail)
    state = await _settled(broker, session.session)
    return LeaseAnswer.make(state=state, session=call.session, count=call.count, lease_key=key).encode()


async def _settled(broker: Broker, session: str) -> LeaseState:
    """The session's state, once it is END, or a lease has passed, or the broker stops."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + broker.lease_seconds
    async with broker.changed:  # held while the store is asked, so that no end falls in between
        while True:
            found = await broker.store.run(lambda tx: tx.session(session))
            state = LeaseState.END if found is None else found.state
            left = deadline - loop.time()
            if state is LeaseState.END or left <= 0 or broker.closing.is_set():
                return state
            try:
                async with asyncio.timeout(min(left, LOOK_AGAIN)):
                    await broker.changed.wait()
            except TimeoutError:
                continue


async def end(broker: Broker, identity: bytes) -> int:
    """How many sessions of the VM were told to end; each gets END as its next lease answer.

    A right to initialise a volume that one of them held is gone.
    """

    async def work(tx: Transaction) -> int:
        sessions = await tx.live_sessions(identity)
        for session in sessions:
            await tx.end_session(session.session)
            for volume in await tx.volumes(identity):
                await tx.keep(registry.let_go(volume, session=session.session))
        names = [session.session for session in sessions]
        await tx.record("end", at=broker.seconds(), identity=identity, sessions=names)
        return len(sessions)

    ended = await broker.store.run(work)
    await broker.wake()
    return ended


async def _caller(broker: Broker, name: str, is_tagged_by: Callable[[bytes], bool]) -> tuple[Session, bytes]:
    """The session that made a call, and its lease key; for anybody else a `Problem`."""
    session = await broker.store.run(lambda tx: tx.session(name))
    key = None if session is None else _lease_key(broker, session)
    if session is None or key is None or not is_tagged_by(key):
        detail = "no such session, or the call is not by its holder"
        raise Problem(status=HTTPStatus.FORBIDDEN, code="session", detail=detail)
    return session, key


def _lease_key(broker: Broker, session: Session) -> bytes:
    name, identity = session.session, session.identity
    try:
        return broker.kek.unwrap(session.wrapped, purpose=SESSION, identity=identity, name=name)
    except FormatError as error:
        message = f"the lease key of session {name} cannot be unwrapped: {error}"
        raise HostError(message) from None
