import asyncio
from pathlib import Path

import pytest

from warily.errors import HostError, UsageError
from warily.service.store import FILE, Store
from warily.service.unlock import passphrase, unlock

SECRET = b"a passphrase of the operator"


def test_the_passphrase_of_the_first_start_is_the_passphrase(tmp_path: Path) -> None:
    async def main() -> None:
        store = await Store.open(tmp_path)
        first = await unlock(store, SECRET)
        assert (await unlock(store, SECRET)).key == first.key
        with pytest.raises(UsageError, match="not the one this broker's volumes were wrapped under"):
            await unlock(store, SECRET + b"!")
        await store.close()

    asyncio.run(main())
    assert SECRET not in (tmp_path / FILE).read_bytes()


def test_a_short_passphrase_fixes_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        store = await Store.open(tmp_path)
        with pytest.raises(UsageError, match="under 16 bytes"):
            await unlock(store, b"short")
        await unlock(store, SECRET)
        await store.close()

    asyncio.run(main())


def test_where_the_passphrase_comes_from(tmp_path: Path) -> None:
    file = tmp_path / "kek"
    file.write_bytes(SECRET + b"\n")
    file.chmod(0o600)
    assert passphrase(file, {"WARILY_KEK": "other"}) == SECRET
    assert passphrase(None, {"WARILY_KEK_FILE": str(file), "WARILY_KEK": "other"}) == SECRET
    assert passphrase(None, {"WARILY_KEK": "from the environment"}) == b"from the environment"
    with pytest.raises(UsageError, match="no passphrase"):
        passphrase(None, {})
    with pytest.raises(HostError, match="cannot be read"):
        passphrase(tmp_path / "missing", {})
    file.chmod(0o644)
    with pytest.raises(HostError, match="may be read by others"):
        passphrase(file, {})
