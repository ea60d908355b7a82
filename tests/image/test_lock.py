"""The lock and the pool: read strictly, checked by digest every time."""

import dataclasses
import hashlib
from pathlib import Path

import pytest

from warily.errors import FormatError, HostError, UsageError
from warily.host.progress import SILENT
from warily.image import declare, lock
from warily.image.apt import Package
from warily.image.lock import Lock

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "ledger"
CONTENT = b"a package"
PACKAGE = Package(
    name="libc6", version="1:2.41-1", architecture="amd64", sha256=hashlib.sha256(CONTENT).digest(), size=len(CONTENT)
)


def some_lock() -> Lock:
    wanted = lock.wanted(declare.read(EXAMPLE))
    return Lock(suite="trixie", wanted=wanted, packages={"root": (PACKAGE,), "boot": (), "firmware": (PACKAGE,)})


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "pool"
    folder.mkdir()
    monkeypatch.setenv("WARILY_POOL", str(folder))
    lock.in_pool(PACKAGE).write_bytes(CONTENT)
    return folder


def test_a_lock_is_read_as_it_was_written() -> None:
    made = some_lock()
    assert Lock.decode(made.encode()) == made
    assert Lock.decode(made.encode()).encode() == made.encode()
    assert made.all() == [PACKAGE]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"suite"', b'"suitf"'),
        (b'"name": "libc6"', b'"name": "libc6", "url": "x"'),
        (b'"size": 9', b'"size": 0'),
        (PACKAGE.sha256.hex().encode(), b"00"),
        (b'"boot": [\n\n', b'"boot": [[]\n'),
    ],
)
def test_a_lock_that_was_bent_is_refused(old: bytes, new: bytes) -> None:
    text = some_lock().encode()
    assert old in text
    with pytest.raises(FormatError):
        Lock.decode(text.replace(old, new))


def test_another_schema_is_refused_with_the_way_out() -> None:
    with pytest.raises(UsageError) as caught:
        Lock.decode(some_lock().encode().replace(b"warily/lock/1", b"warily/lock/9"))
    assert "--update-lock" in (caught.value.hint or "")


@pytest.mark.usefixtures("pool")
def test_a_full_pool_needs_no_network(tmp_path: Path) -> None:
    (tmp_path / "warily.lock").write_bytes(some_lock().encode())
    found = lock.obtain(declare.read(EXAMPLE), tmp_path, update=False, progress=SILENT)
    assert found == some_lock()
    assert not (tmp_path / ".warily").exists()  # no private apt was prepared


@pytest.mark.usefixtures("pool")
def test_a_lock_for_other_packages_is_refused(tmp_path: Path) -> None:
    (tmp_path / "warily.lock").write_bytes(some_lock().encode())
    declared = dataclasses.replace(declare.read(EXAMPLE), packages=("python3", "nginx"))
    with pytest.raises(UsageError, match=r"made for other packages \(nginx\)") as caught:
        lock.obtain(declared, tmp_path, update=False, progress=SILENT)
    assert "--update-lock" in (caught.value.hint or "")


def test_a_damaged_package_is_refused_and_forgotten(pool: Path, tmp_path: Path) -> None:
    lock.copy_out(PACKAGE, tmp_path / "good.deb")
    assert (tmp_path / "good.deb").read_bytes() == CONTENT
    lock.in_pool(PACKAGE).write_bytes(CONTENT[:-1] + b"X")
    with pytest.raises(HostError, match="damaged"):
        lock.copy_out(PACKAGE, tmp_path / "bad.deb")
    assert not (tmp_path / "bad.deb").exists()
    assert list(pool.iterdir()) == []
