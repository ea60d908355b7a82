"""What lies over the packages: the same every time, hardened, and of the project alone."""

import dataclasses
import io
import tarfile
from pathlib import Path

import pytest

from warily.core.declaration import Declaration, FileEntry, Service, Volume
from warily.errors import UsageError
from warily.formats.guest_config import GuestConfig
from warily.image import declare, units
from warily.image.contents import GUEST_SOURCES
from warily.image.overlay import EPOCH, overlay_of

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "ledger"


@pytest.fixture
def example() -> Declaration:
    return declare.read(EXAMPLE)


def members(declaration: Declaration, project: Path = EXAMPLE) -> dict[str, tarfile.TarInfo]:
    data = overlay_of(declaration, project).archive()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {entry.name: entry for entry in tar}


def test_two_archives_are_the_same_bytes(example: Declaration) -> None:
    assert overlay_of(example, EXAMPLE).archive() == overlay_of(example, EXAMPLE).archive()


def test_all_is_roots_and_of_one_time(example: Declaration) -> None:
    for entry in members(example).values():
        assert (entry.uid, entry.gid, entry.mtime) == (0, 0, EPOCH)
        assert not entry.mode & 0o6022 or entry.issym()


def test_the_guest_finds_its_configuration_and_code(example: Declaration) -> None:
    overlay = overlay_of(example, EXAMPLE)
    config = GuestConfig.decode(overlay.files["usr/lib/warily/guest.json"][1])
    assert (config.name, config.ports) == ("ledger", (8080,))
    assert [(v.name, v.size, v.mount) for v in config.volumes] == [("data", 64 << 20, "/data")]
    for name in GUEST_SOURCES:
        assert f"usr/lib/warily/warily/{name}" in overlay.files
    assert overlay.files["usr/local/lib/ledger/ledger.py"] == (0o755, (EXAMPLE / "ledger.py").read_bytes())
    assert "data" in overlay.folders


def test_no_login_and_no_shell_is_left(example: Declaration) -> None:
    links = overlay_of(example, EXAMPLE).links
    for unit in ("getty@.service", "serial-getty@.service", "debug-shell.service", "rescue.service", "swap.target"):
        assert links[f"etc/systemd/system/{unit}"] == "/dev/null"
    assert links["etc/systemd/system/emergency.target"].endswith("/reboot.target")
    assert links["etc/systemd/system/default.target"].endswith("/multi-user.target")


def test_a_declared_service_waits_for_its_volumes_and_is_wanted(example: Declaration) -> None:
    overlay = overlay_of(example, EXAMPLE)
    name = "etc/systemd/system/warily-service-ledger.service"
    text = overlay.files[name][1].decode()
    for line in (
        "Requires=warily-volumes.service",
        "After=warily-volumes.service",
        "User=w-ledger",
        "ReadWritePaths=/data",
        "SupplementaryGroups=v-data",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "CapabilityBoundingSet=",
    ):
        assert line in text.splitlines()
    assert overlay.links["etc/systemd/system/multi-user.target.wants/warily-service-ledger.service"] == f"/{name}"
    assert overlay.links["etc/systemd/system/multi-user.target.wants/warily-volumes.service"]
    accounts = overlay.files["usr/lib/sysusers.d/warily-services.conf"][1].decode()
    assert accounts == 'g v-data 30000 - - -\nu w-ledger 20000 "ledger" / /usr/sbin/nologin\n'


def test_services_without_volumes_do_not_wait() -> None:
    text = units.service_unit(Service(name="s", command=("/usr/bin/true",)), {})
    assert "warily-volumes" not in text
    assert "ReadWritePaths" not in text


@pytest.mark.parametrize(
    ("argument", "written"),
    [("a b", '"a b"'), ('"', '"\\""'), ("$HOME", '"$$HOME"'), ("100%", '"100%%"'), ("\\n", '"\\\\n"'), ("", '""')],
)
def test_arguments_reach_the_service_unchanged(argument: str, written: str) -> None:
    assert units.quoted(argument) == written


def test_volumes_shared_by_services_have_one_group(example: Declaration) -> None:
    volumes = (*example.volumes, Volume(name="log", size=64 << 20, mount="/log"))
    more = Service(name="other", command=("/usr/bin/true",), volumes=("log", "data"))
    made = dataclasses.replace(example, volumes=volumes, services=(*example.services, more))
    text = overlay_of(made, EXAMPLE).files["etc/systemd/system/warily-service-other.service"][1].decode()
    assert "SupplementaryGroups=v-log v-data" in text
    assert "ReadWritePaths=/log /data" in text


def test_a_link_out_of_the_project_is_refused(example: Declaration, tmp_path: Path) -> None:
    (tmp_path / "secret").symlink_to("/etc/shadow")
    made = dataclasses.replace(example, files=(FileEntry(source="secret", target="/opt/x"),))
    with pytest.raises(UsageError, match="leads out"):
        overlay_of(made, tmp_path)


def test_a_declared_file_that_is_not_there_is_named(example: Declaration, tmp_path: Path) -> None:
    made = dataclasses.replace(example, files=(FileEntry(source="gone.py", target="/opt/x"),))
    with pytest.raises(UsageError, match=r"gone\.py"):
        overlay_of(made, tmp_path)


def test_wanted_by_reads_only_the_install_section() -> None:
    text = "[Unit]\nWantedBy=no.target\n[Install]\nWantedBy=a.target b.target\nAlias=c\n"
    assert units.wanted_by(text) == ["a.target", "b.target"]
