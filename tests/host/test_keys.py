"""Keys are made once, kept private, and refused when they are not."""

import stat
from pathlib import Path

import pytest

from warily.errors import HostError
from warily.host.keys import public_bytes, signing_key


def test_a_key_is_made_once_and_private(tmp_path: Path) -> None:
    first = signing_key("owner", folder=tmp_path / "keys")
    again = signing_key("owner", folder=tmp_path / "keys")
    assert public_bytes(first) == public_bytes(again)
    assert stat.S_IMODE((tmp_path / "keys" / "owner.key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["owner.key"]


def test_a_readable_key_is_refused(tmp_path: Path) -> None:
    signing_key("owner", folder=tmp_path)
    (tmp_path / "owner.key").chmod(0o644)
    with pytest.raises(HostError, match="may be read by others"):
        signing_key("owner", folder=tmp_path)


def test_something_else_is_refused_without_quoting_it(tmp_path: Path) -> None:
    (tmp_path / "owner.key").write_text("hunter2")
    (tmp_path / "owner.key").chmod(0o600)
    with pytest.raises(HostError) as refused:
        signing_key("owner", folder=tmp_path)
    assert "hunter2" not in str(refused.value)
