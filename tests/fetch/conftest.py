"""A vendor on this machine, and a cache that is nobody else's."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fetch.vendor import Vendor, serving


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with serving(Vendor()) as one:
        yield one


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("WARILY_COLLATERAL", str(folder))
    return folder
