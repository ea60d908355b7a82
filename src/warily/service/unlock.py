"""The key-encryption key of a store: from the operator's passphrase, which comes from a file or the environment."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from warily.errors import HostError, UsageError
from warily.release.wrap import SALT, Kek
from warily.service.store import Store
from warily.service.transaction import Transaction

FILE_VARIABLE: Final = "WARILY_KEK_FILE"
VARIABLE: Final = "WARILY_KEK"
LIMIT: Final = 4096
OTHERS: Final = 0o077


def passphrase(file: Path | None, environment: Mapping[str, str]) -> bytes:
    """The passphrase: of `file`, or of the file WARILY_KEK_FILE names, or else WARILY_KEK itself.

    A line feed at its end does not count. Raises `UsageError` where there is none, `HostError` where others
    may read the file.
    """
    named = file or (Path(environment[FILE_VARIABLE]) if environment.get(FILE_VARIABLE) else None)
    if named is not None:
        return _read(named)
    if environment.get(VARIABLE):
        return environment[VARIABLE].encode()
    raise UsageError(
        "no passphrase for the key-encryption key",
        hint=f"pass --kek-file FILE, or set {FILE_VARIABLE} or {VARIABLE}; it never belongs on a command line",
    )


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_mode & OTHERS:
            message = f"{path} may be read by others"
            raise HostError(message, hint=f"run `chmod 600 {path}`, and consider the passphrase known to them")
        with path.open("rb") as file:
            return file.read(LIMIT).removesuffix(b"\n")
    except OSError as error:
        message = f"the passphrase file {path} cannot be read: {error.strerror}"
        raise HostError(message) from None


async def unlock(store: Store, secret: bytes) -> Kek:
    """The key of this store. The first passphrase a store sees is its passphrase; another is a `UsageError`."""

    async def work(tx: Transaction) -> tuple[bytes, bytes | None]:
        salt = await tx.setting("kek.salt")
        if salt is None:
            salt = secrets.token_bytes(SALT)
            await tx.fix("kek.salt", salt)
        return salt, await tx.setting("kek.check")

    salt, check = await store.run(work)
    kek = Kek.derive(secret, salt)
    if check is None:
        await store.run(lambda tx: tx.fix("kek.check", kek.check_value()))
        return kek
    if not kek.is_checked_by(check):
        raise UsageError(
            "the passphrase is not the one this broker's volumes were wrapped under",
            hint="use the passphrase of the first start; without it the secrets in this state folder are lost",
        )
    return kek
