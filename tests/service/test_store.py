"""Real SQLite files: what is remembered, what is atomic, and what an edited trail looks like."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from warily.release import registry
from warily.release.messages import LeaseState, VolumeState
from warily.release.registry import ToInitialise
from warily.service import transaction
from warily.service.store import FILE, Store
from warily.service.transaction import Session, Transaction

IDENTITY = b"i" * 32
VOLUME = registry.blank(identity=IDENTITY, name="data", wrapped=b"w")


def session(name: str, granted: int = 1) -> Session:
    return Session(
        session=name, identity=IDENTITY, wrapped=b"k", count=0, state=LeaseState.HOLD, granted=granted, seen=granted
    )


def test_a_file_of_the_store_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    async def main() -> None:
        await (await Store.open(tmp_path)).close()

    asyncio.run(main())
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_volumes_and_sessions_outlive_the_process(tmp_path: Path) -> None:
    async def write() -> None:
        store = await Store.open(tmp_path)

        async def work(tx: Transaction) -> None:
            await tx.keep(VOLUME)
            await tx.begin_session(session("one"))
            await tx.fix("salt", b"s")

        await store.run(work)
        await store.close()

    async def read() -> None:
        store = await Store.open(tmp_path)

        async def work(tx: Transaction) -> None:
            assert await tx.volume(IDENTITY, "data") == VOLUME
            assert await tx.volume(b"j" * 32, "data") is None
            assert await tx.session("one") == session("one")
            assert await tx.setting("salt") == b"s"
            assert await tx.advance("one", count=1, now=9)
            assert not await tx.advance("one", count=1, now=10), "a count came twice"
            await tx.end_session("one")
            assert await tx.live_sessions(IDENTITY) == []

        await store.run(work)
        await store.close()

    asyncio.run(write())
    asyncio.run(read())


def test_what_raises_wrote_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        store = await Store.open(tmp_path)

        async def fails(tx: Transaction) -> None:
            await tx.keep(VOLUME)
            raise KeyError("on purpose")

        with pytest.raises(KeyError):
            await store.run(fails)
        assert await store.run(lambda tx: tx.volumes()) == []
        await store.close()

    asyncio.run(main())


def test_of_many_at_once_one_uses_a_nonce(tmp_path: Path) -> None:
    async def main() -> list[bool]:
        stores = [await Store.open(tmp_path) for _ in range(2)]  # two processes, as it were

        async def use(tx: Transaction) -> bool:
            return await tx.use_nonce(b"n" * 48, expiry=100, now=1)

        won = await asyncio.gather(*(stores[n % 2].run(use) for n in range(12)))
        for store in stores:
            await store.close()
        return won

    assert sorted(asyncio.run(main())) == [False] * 11 + [True]


def test_a_nonce_is_remembered_until_it_has_expired(tmp_path: Path) -> None:
    async def main() -> None:
        store = await Store.open(tmp_path)
        assert await store.run(lambda tx: tx.use_nonce(b"n" * 48, expiry=100, now=1))
        assert not await store.run(lambda tx: tx.use_nonce(b"n" * 48, expiry=100, now=100))
        assert await store.run(lambda tx: tx.use_nonce(b"m" * 48, expiry=200, now=101))
        assert await store.run(lambda tx: tx.use_nonce(b"o" * 48, expiry=300, now=201))
        assert await store.run(lambda tx: tx.newest_nonce()) == 300
        await store.close()

    asyncio.run(main())
    with sqlite3.connect(tmp_path / FILE) as file:
        kept = file.execute("SELECT expiry FROM nonces ORDER BY expiry").fetchall()
    assert kept == [(200,), (300,)], "the newest that has expired stays, to tell a clock that went back"
    file.close()


def test_of_two_at_once_one_may_initialise(tmp_path: Path) -> None:
    async def main() -> list[bool]:
        stores = [await Store.open(tmp_path) for _ in range(2)]
        await stores[0].run(lambda tx: tx.keep(VOLUME))

        async def ask(store: Store, name: str) -> bool:
            async def work(tx: Transaction) -> bool:
                volume = await tx.volume(IDENTITY, "data")
                assert volume is not None
                await asyncio.sleep(0.02)  # wide open for the other, were it not for the lock
                answer = registry.ask(volume, identity=IDENTITY, session=name, now=1)
                if isinstance(answer, ToInitialise):
                    await tx.keep(answer.volume)
                return isinstance(answer, ToInitialise)

            return await store.run(work)

        won = await asyncio.gather(*(ask(store, f"s{n}") for n, store in enumerate(stores)))
        for store in stores:
            await store.close()
        return won

    assert sorted(asyncio.run(main())) == [False, True]


def test_a_conflict_is_tried_again_and_anything_else_is_not(tmp_path: Path) -> None:
    class ConflictError(Exception):
        sqlstate = "40001"

    async def main() -> tuple[int, int]:
        store = await Store.open(tmp_path)
        calls = {"conflict": 0, "other": 0}

        async def conflicts_twice(tx: Transaction) -> int:
            calls["conflict"] += 1
            await tx.record("try", at=1)
            if calls["conflict"] < 3:
                raise DBAPIError("INSERT", None, ConflictError())
            return await tx.audit_length()

        async def is_broken(_: Transaction) -> None:
            calls["other"] += 1
            raise DBAPIError("INSERT", None, ValueError())

        assert await store.run(conflicts_twice) == 1, "a try that was undone left a row"
        with pytest.raises(DBAPIError):
            await store.run(is_broken)
        await store.close()
        return calls["conflict"], calls["other"]

    assert asyncio.run(main()) == (3, 1)


def test_refusals_are_kept_up_to_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bound = 20
    assert transaction.MAX_REFUSED == 1024
    monkeypatch.setattr(transaction, "MAX_REFUSED", bound)

    async def main() -> None:
        store = await Store.open(tmp_path)

        async def work(tx: Transaction) -> None:
            await tx.keep_appraisal(b"a" * 32, accepted=True, at=1, content="accepted")
            for n in range(bound + 10):
                await tx.keep_appraisal(n.to_bytes(32, "big"), accepted=False, at=n, content=str(n))

        await store.run(work)
        newest = await store.run(lambda tx: tx.appraisal(None, accepted=False))
        assert newest == ((bound + 9).to_bytes(32, "big"), str(bound + 9))
        assert await store.run(lambda tx: tx.appraisal((9).to_bytes(32, "big"), accepted=False)) is None
        assert await store.run(lambda tx: tx.appraisal((10).to_bytes(32, "big"), accepted=False)) is not None
        assert await store.run(lambda tx: tx.appraisal(None, accepted=True)) == (b"a" * 32, "accepted")
        await store.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("edit", "broken"),
    [
        ("SELECT 1", None),
        ("UPDATE audit SET detail = '{\"n\":99}' WHERE sequence = 3", 3),
        ("UPDATE audit SET at = at + 1 WHERE sequence = 2", 2),
        ("UPDATE audit SET event = 'other' WHERE sequence = 1", 1),
        ("DELETE FROM audit WHERE sequence = 4", 4),
        ("DELETE FROM audit WHERE sequence = 1", 1),
        ("UPDATE audit SET sequence = sequence + 100 WHERE sequence = 5", 5),
        ("UPDATE audit SET hash = zeroblob(32) WHERE sequence = 2", 2),
    ],
)
def test_an_edited_audit_trail_is_noticed(tmp_path: Path, edit: str, broken: int | None) -> None:
    async def write() -> None:
        store = await Store.open(tmp_path)
        for n in range(5):
            await store.run(lambda tx, n=n: tx.record("grant", at=n, identity=IDENTITY, n=n))  # type: ignore[misc]  # n=n
        await store.close()

    async def look() -> int | None:
        store = await Store.open(tmp_path)
        found = await store.run(lambda tx: tx.first_break())
        await store.close()
        return found

    asyncio.run(write())
    with sqlite3.connect(tmp_path / FILE) as file:
        file.execute(edit)
    file.close()
    assert asyncio.run(look()) == broken


def test_the_secret_of_a_retired_volume_leaves_the_file(tmp_path: Path) -> None:
    secret = b"wrapped secret of the volume 0123"

    async def main() -> None:
        store = await Store.open(tmp_path)
        volume = registry.blank(identity=IDENTITY, name="data", wrapped=secret)
        await store.run(lambda tx: tx.keep(volume))
        await store.run(lambda tx: tx.keep(registry.retire(volume)))
        kept = await store.run(lambda tx: tx.volume(IDENTITY, "data"))
        assert kept is not None
        assert kept.state is VolumeState.RETIRED
        await store.close()

    asyncio.run(main())
    assert all(secret not in path.read_bytes() for path in tmp_path.iterdir())


def test_a_store_of_an_earlier_version_is_taken_on(tmp_path: Path) -> None:
    async def main() -> None:
        store = await Store.open(tmp_path)
        await store.run(lambda tx: tx.keep(VOLUME))
        await store.close()
        with sqlite3.connect(tmp_path / FILE) as file:
            file.execute("ALTER TABLE volumes DROP COLUMN epoch")
            file.execute("ALTER TABLE volumes DROP COLUMN seal")
        for _ in range(2):
            again = await Store.open(tmp_path)
            assert await again.run(lambda tx: tx.volume(IDENTITY, "data")) == VOLUME
            await again.close()

    asyncio.run(main())
