"""Machines that nothing of ours takes part in but a kernel and an initrd: what they see is what was predicted."""

from pathlib import Path

import pytest

from tests import example_project
from warily.core.declaration import Platform
from warily.image.build import build
from warily.launch import readiness


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's image. A missing tool fails every test of this folder, loudly."""
    readiness.require(Platform.REHEARSAL)
    folder = example_project.copy_to(tmp_path_factory.mktemp("project"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WARILY_KEYS", str(tmp_path_factory.mktemp("keys")))
        return build(folder).folder
