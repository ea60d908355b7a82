"""The broker's tables. Nothing here is particular to one database."""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, LargeBinary, MetaData, String, Table, Text

METADATA: Final = MetaData()

# Values that are fixed once, such as the salt of the key-encryption key.
SETTINGS: Final = Table(
    "settings",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

# `release.registry.Volume`, field for field.
VOLUMES: Final = Table(
    "volumes",
    METADATA,
    Column("identity", LargeBinary(32), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("descriptor", LargeBinary(32)),
    Column("holder", String(64)),
    Column("held_until", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False, server_default="0"),
    Column("seal", LargeBinary(32)),
)

# Used nonces, until they have expired anyway.
NONCES: Final = Table(
    "nonces",
    METADATA,
    Column("nonce", LargeBinary(48), primary_key=True),
    Column("expiry", BigInteger, nullable=False, index=True),
)

SESSIONS: Final = Table(
    "sessions",
    METADATA,
    Column("session", String(64), primary_key=True),
    Column("identity", LargeBinary(32), nullable=False, index=True),
    Column("wrapped", LargeBinary, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("state", String(8), nullable=False),
    Column("granted", BigInteger, nullable=False),
    Column("seen", BigInteger, nullable=False),
)

# The latest accepted and the latest refused evidence of each identity.
APPRAISALS: Final = Table(
    "appraisals",
    METADATA,
    Column("identity", LargeBinary(32), primary_key=True),
    Column("accepted", Boolean, primary_key=True),
    Column("at", BigInteger, nullable=False, index=True),
    Column("content", Text, nullable=False),
)

# Append-only: the store has no way to change or remove a row.
AUDIT: Final = Table(
    "audit",
    METADATA,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("event", String(32), nullable=False),
    Column("identity", String(64), nullable=False),
    Column("detail", Text, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
)
