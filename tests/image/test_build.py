"""A real build: twice the same bytes, offline, and nothing in the root that does not belong there."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from warily.core import built
from warily.core.declaration import Platform
from warily.core.manifest import Manifest
from warily.errors import HostError, UsageError
from warily.host import keys
from warily.host.progress import SILENT
from warily.image import declare, lock
from warily.image.build import build
from warily.image.lock import digest_of
from warily.measure.shapes import Shape, recompute
from warily.measure.tdx import TdxLaunch, predict
from warily.release.signing import verify_manifest

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "ledger"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    for name in ("warily.toml", "ledger.py"):
        shutil.copy(EXAMPLE / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def image(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(project, tmp_path_factory.mktemp("out") / "first").folder


@pytest.mark.vm
def test_two_builds_are_the_same_bytes_and_the_second_needs_no_network(project: Path, image: Path) -> None:
    second = image.parent / "second"
    command = [sys.executable, "-m", "warily", "build", "--project", str(project), "--out", str(second), "--json"]
    offline = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
    if os.geteuid() != 0:
        offline = []  # inside a user namespace of one user mmdebstrap could not make its own
    done = subprocess.run([*offline, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout)
    assert said["reused"] is False
    assert subprocess.run(["diff", "-rq", str(image), str(second)], check=False).returncode == 0


@pytest.mark.vm
def test_an_unchanged_image_is_reused(project: Path, image: Path) -> None:
    made = build(project, image)
    assert made.reused
    assert made.manifest == Manifest.decode((image / built.MANIFEST).read_bytes())


@pytest.mark.vm
def test_the_manifest_names_what_is_there_and_is_signed(image: Path) -> None:
    owner = keys.public_bytes(keys.signing_key("owner"))
    manifest = verify_manifest((image / built.SIGNED_MANIFEST).read_bytes(), frozenset({owner}))
    assert manifest == Manifest.decode((image / built.MANIFEST).read_bytes())
    for part in manifest.ingredients:
        assert (digest_of(image / part.name), (image / part.name).stat().st_size) == (part.sha256, part.size)
    named = {part.name for part in manifest.ingredients}
    unnamed = {built.COMMAND_LINE, built.MANIFEST, built.SIGNED_MANIFEST, built.REPORT}
    assert {path.name for path in image.iterdir()} == named | unnamed
    assert (image / built.COMMAND_LINE).read_text() == manifest.command_line
    for platform in (Platform.REHEARSAL, Platform.SNP):
        found = [entry for entry in manifest.registers if entry.platform is platform]
        assert [entry.when["vcpus"] for entry in found] == [str(count) for count in range(1, 65)]
        assert len({entry.value for entry in found}) == 64


@pytest.mark.vm
@pytest.mark.parametrize(("memory", "qemu"), [(1 << 30, None), (16 << 30, (10, 1))])
def test_the_manifest_predicts_a_td_of_any_shape(image: Path, memory: int, qemu: tuple[int, int] | None) -> None:
    manifest = Manifest.decode((image / built.MANIFEST).read_bytes())
    launch = TdxLaunch(
        firmware=(image / built.FIRMWARE_TDX).read_bytes(),
        memory=memory,
        vcpus=2,
        kernel=(image / built.KERNEL).read_bytes(),
        initrd=(image / built.INITRD).read_bytes(),
        command_line=manifest.command_line.encode(),
        qemu=qemu,
    )
    whole = predict(launch).registers
    found = recompute(manifest, Platform.TDX, Shape(vcpus=2, cpu="", memory=memory, qemu=qemu)).registers
    assert found == {name: value for name, value in whole.items() if name != "rtmr3"}
    assert {"mrtd", "rtmr1", "rtmr2"} <= set(found)
    assert len(manifest.encode()) < 1 << 16


@pytest.mark.vm
def test_the_report_lists_what_must_be_trusted_and_no_more(image: Path) -> None:
    report = json.loads((image / built.REPORT).read_text())
    names = {entry["path"] for entry in report["trusted"]["root"]}
    assert "/usr/lib/warily/guest.json" in names
    assert "/usr/lib/systemd/systemd" in names
    assert report["trusted"]["counts"]["root"] == len(report["trusted"]["root"])
    for unwanted in ("sshd", "agetty", "udevadm", "apt-get", "cloud-init", "dbus-daemon", "qemu-ga", "login"):
        assert not [name for name in names if name.endswith(f"bin/{unwanted}")], unwanted
    assert not [name for name in names if name.startswith(("/var/", "/boot/", "/dev/", "/usr/share/doc/"))]
    assert not [name for name in names if "/system-generators/" in name]
    assert report["sizes"]["initrd"] < 16 << 20


@pytest.mark.vm
def test_a_package_that_is_gone_is_named_with_the_way_out(project: Path, image: Path, tmp_path: Path) -> None:
    assert image.exists()
    text = (project / "warily.lock").read_bytes()
    data = next(
        package for package in lock.Lock.decode(text).packages["firmware"] if package.name == "qemu-system-data"
    )
    bent = text.replace(data.version.encode(), b"0.0-1").replace(data.sha256.hex().encode(), b"00" * 32)
    (tmp_path / "warily.lock").write_bytes(bent)
    with pytest.raises(HostError, match=r"neither the pool nor the mirror has qemu-system-data 0\.0-1") as caught:
        lock.obtain(declare.read(EXAMPLE), tmp_path, update=False, progress=SILENT)
    assert "--update-lock" in (caught.value.hint or "")


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="something else"):
        build(EXAMPLE, tmp_path)
    assert (tmp_path / "letter.txt").read_text() == "dear"
