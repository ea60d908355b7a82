"""What the broker remembers, behind one small interface: transactions whose work is all or nothing.

SQLite here; `connect` is the only place that knows it. Any other SQLAlchemy URL gets serialisable isolation
and its conflicts are retried, so that a second database needs no second store.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Self, TypeVar

from sqlalchemy import event, inspect
from sqlalchemy.engine import Connection
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.schema import CreateColumn

from warily.service.tables import METADATA
from warily.service.transaction import Transaction

FILE: Final = "broker.sqlite"
ATTEMPTS: Final = 5
CONFLICTS: Final = frozenset({"40001", "40P01"})  # SQLSTATE: serialisation failure, deadlock
PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # "initialised" must outlive a power failure
    "PRAGMA busy_timeout = 5000",
    "PRAGMA secure_delete = ON",  # the secret of a retired volume leaves the file
    "PRAGMA trusted_schema = OFF",
)

T = TypeVar("T")


class Store:
    """The broker's memory. `run` is the only way in."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @classmethod
    async def open(cls, folder: Path) -> Self:
        """The store in `folder`, made (mode 0600) where there is none."""
        path = folder / FILE
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        store = cls(connect(f"sqlite+aiosqlite:///{path}"))
        async with store._engine.begin() as connection:
            await connection.run_sync(METADATA.create_all)
            await connection.run_sync(_add_columns)
        return store

    async def close(self) -> None:
        """Every connection is closed."""
        await self._engine.dispose()

    async def run(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """What `work` returns, once all it wrote is on disk; where it raises, nothing was written.

        Transactions happen one after another, as it were. After a conflict `work` is called anew, so it must
        have no effect but through its transaction.
        """
        for attempt in range(1, ATTEMPTS):
            try:
                return await self._once(work)
            except DBAPIError as error:
                if not _is_conflict(error):
                    raise
            await asyncio.sleep(0.01 * attempt)
        return await self._once(work)

    async def _once(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        async with self._engine.begin() as connection:
            return await work(Transaction(connection))


def _add_columns(connection: Connection) -> None:
    """Tables that an earlier version made have the columns that were added since; old rows hold their defaults."""
    known = inspect(connection)
    for table in METADATA.sorted_tables:
        found = {column["name"] for column in known.get_columns(table.name)}
        for column in table.columns:
            if column.name not in found:
                text = CreateColumn(column).compile(connection)
                connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {text}")


def connect(url: str) -> AsyncEngine:
    """An engine on which transactions are serialisable."""
    if not url.startswith("sqlite"):
        return create_async_engine(url, isolation_level="SERIALIZABLE", hide_parameters=True)
    engine = create_async_engine(url, hide_parameters=True)
    event.listen(engine.sync_engine, "connect", _prepare)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """The driver must not begin transactions on its own: `_begin` does."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin(connection: Connection) -> None:
    """Take the write lock at once, so that what was read is still true when it is written upon."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _is_conflict(error: DBAPIError) -> bool:
    """Two transactions met: one of them has to be done again."""
    return isinstance(error, IntegrityError) or getattr(error.orig, "sqlstate", None) in CONFLICTS
