"""Targets are recognised by content, unpacked by real tools, and read within bounds."""

import bz2
import gzip
import json
import lzma
import stat
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from warily.audit import packed as streams
from warily.audit.disks import kind_of
from warily.cli.main import run_command_line
from warily.errors import FormatError
from warily.formats import cpio, initramfs, kernel_config

CONFIG = (
    "# Automatically generated\n# Linux/x86 6.12.117 Kernel Configuration\n"
    + "".join(f"CONFIG_THING_{n}=y\n" for n in range(30))
    + "CONFIG_USB=m\n# CONFIG_XEN is not set\n"
)


def audit(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    status = run_command_line(["audit", *map(str, words), "--json"])
    return status, json.loads(capsys.readouterr().out)


def states(answer: dict[str, Any]) -> dict[str, str]:
    return {finding["id"]: finding["state"] for finding in answer["findings"]}


def test_a_configuration_and_a_command_line_together(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = tmp_path / "anything"
    config.write_text(CONFIG)
    status, answer = audit(capsys, config, "quiet mce=off")
    assert status == 10
    assert answer["kinds"] == ["kernel configuration", "command line"]
    found = states(answer)
    assert found["interrupt.machine-check"] == "closed"
    assert found["paravirt.xen"] == "closed"
    assert found["time.tsc-watchdog"] == "open"
    assert found["program.ssh"] == "unknown"
    packed = tmp_path / "config.gz"
    packed.write_bytes(gzip.compress(CONFIG.encode()))
    assert states(audit(capsys, packed, "quiet mce=off")[1]) == found


def initrd(*names: str) -> bytes:
    return cpio.encode([cpio.Entry(name=name, mode=stat.S_IFREG | 0o644, data=b"x") for name in names])


@pytest.mark.parametrize(
    "packed",
    [
        lambda data: data,
        gzip.compress,
        lzma.compress,
        lambda data: zstandard.ZstdCompressor().compress(data),
        lambda data: initrd("kernel/x86/microcode/GenuineIntel.bin") + bytes(1024) + gzip.compress(data),
    ],
)
def test_an_initrd_is_read_however_it_is_packed(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    packed: Any,  # noqa: ANN401  # a function of bytes
) -> None:
    path = tmp_path / "x"
    path.write_bytes(packed(initrd("kernel/firmware/acpi/dsdt.aml", "usr/bin/ignition")))
    status, answer = audit(capsys, path)
    assert answer["kinds"] == ["initrd"]
    assert states(answer)["acpi.table-upgrade"] == "unknown"  # the configuration could still close it
    (tmp_path / "config").write_text(CONFIG)
    assert states(audit(capsys, path, tmp_path / "config")[1])["acpi.table-upgrade"] == "closed"
    assert status == 10
    assert states(answer)["program.ignition"] == "open"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for name, content in {
        "usr/sbin/sshd": "x",
        "usr/lib/systemd/system/ssh.socket": "x",
        "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
        "etc/shadow": "root:*:1::::::\n",
        "boot/config-6.12.1": CONFIG,
        "boot/grub/grub.cfg": "menuentry x {\n linux /boot/vmlinuz root=/dev/vda1 quiet mce=off\n}\n",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (root / "etc/systemd/system").mkdir(parents=True)
    (root / "etc/systemd/system/ssh.service").symlink_to("/dev/null")
    (root / "etc/outside").symlink_to("../../../../../../etc/passwd")
    return root


def as_tar(tree: Path, path: Path) -> Path:
    with tarfile.open(path, "w") as archive:
        archive.add(tree, arcname=".")
    return path


def as_erofs(tree: Path, path: Path) -> Path:
    subprocess.run(["mkfs.erofs", "--quiet", path, tree], check=True)
    return path


def as_squashfs(tree: Path, path: Path) -> Path:
    subprocess.run(["mksquashfs", tree, path, "-quiet", "-no-progress"], check=True)
    return path


def as_ext4(tree: Path, path: Path) -> Path:
    subprocess.run(["mkfs.ext4", "-q", "-d", tree, path, "8M"], check=True)
    return path


def as_disk(tree: Path, path: Path) -> Path:
    """One Linux partition at one MiB, by an MBR made here."""
    inner = as_ext4(tree, path.with_suffix(".ext4")).read_bytes()
    entry = (
        bytes([0, 0, 0, 0, 0x83, 0, 0, 0]) + (2048).to_bytes(4, "little") + (len(inner) // 512).to_bytes(4, "little")
    )
    path.write_bytes((bytes(446) + entry + bytes(48) + b"\x55\xaa").ljust(1 << 20, b"\0") + inner)
    return path


@pytest.mark.parametrize("make", [lambda tree, _: tree, as_tar, as_erofs, as_squashfs, as_ext4, as_disk])
def test_a_root_is_read_in_every_form(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    tree: Path,
    make: Any,  # noqa: ANN401  # a function of paths
) -> None:
    status, answer = audit(capsys, make(tree, tmp_path / "image"))
    found = states(answer)
    assert status == 10
    assert found["program.ssh"] == "open"  # ssh.socket is not masked
    assert found["root.machine-id"] == "open"
    assert found["program.passwords"] == "closed"
    assert found["paravirt.xen"] == "closed"
    assert found["interrupt.machine-check"] == "closed"
    assert answer["counts"]["unknown"] < 10


def test_explanations_are_taken_from_a_file_and_must_be_real(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tree: Path
) -> None:
    reasons = tmp_path / "reasons.toml"
    reasons.write_text('[explained]\n"root.machine-id" = "nothing is derived from it"\n')
    _, answer = audit(capsys, tree, "--explained", reasons)
    assert states(answer)["root.machine-id"] == "explained"
    reasons.write_text('[explained]\n"root.nonsense" = "x"\n')
    assert audit(capsys, tree, "--explained", reasons)[0] == 3


def test_the_running_machine_is_looked_at(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for name, content in {
        "proc/cmdline": "quiet\n",
        "proc/sys/kernel/osrelease": "6.12.1\n",
        "proc/sys/kernel/sysrq": "438\n",
        "sys/firmware/acpi/tables/SSDT": "x",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    status, answer = audit(capsys, "--running", "--root", tmp_path)
    assert status == 10
    assert states(answer)["running.secondary-tables"] == "open"
    assert states(answer)["running.sysrq"] == "open"


def test_what_a_container_hides_is_unknown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "sys/firmware").mkdir(parents=True)
    (tmp_path / "sys/kernel").mkdir()
    _, answer = audit(capsys, "--running", "--root", tmp_path)
    found = states(answer)
    assert found["running.secondary-tables"] == "unknown", "an empty folder stands over /sys/firmware"
    assert found["running.sysrq"] == "unknown", "there is no /proc"
    assert found["running.credentials"] == "closed"


def test_this_very_machine_can_be_audited(capsys: pytest.CaptureFixture[str]) -> None:
    status, answer = audit(capsys, "--running")
    assert status in (0, 10)
    assert "running system" in answer["kinds"]


@pytest.mark.parametrize(
    "text", ["CONFIG_ACPI=y\n# CONFIG_PCI is not set\n", "two lines\nof something else\n", '{\n  "json": true\n}\n']
)
def test_a_part_of_a_configuration_or_any_other_text_is_no_command_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str
) -> None:
    path = tmp_path / "text"
    path.write_text(text)
    assert audit(capsys, path)[0] == 3


@pytest.mark.parametrize(("words", "status"), [(["/nowhere"], 2), ([], 2), (["a=b", "c=d e"], 2)])
def test_what_is_no_target_is_misuse(capsys: pytest.CaptureFixture[str], words: list[str], status: int) -> None:
    assert audit(capsys, *words)[0] == status


@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_refused_or_read(data: bytes) -> None:
    for decode in (initramfs.members, kernel_config.decode):
        for content in (data, b"070701" + data):
            try:
                decode(content)
            except FormatError:
                continue
    assert isinstance(kind_of(data), str)


@pytest.mark.parametrize("kind", ["gzip", "xz", "bzip2", "zstd"])
def test_what_unpacks_beyond_its_limit_is_refused(kind: str) -> None:
    data = bytes(1 << 20)
    packed = {
        "gzip": gzip.compress(data),
        "xz": lzma.compress(data),
        "bzip2": bz2.compress(data),
        "zstd": zstandard.ZstdCompressor().compress(data),
    }[kind]
    assert streams.first(packed + b"rest", kind, limit=1 << 20) == (data, b"rest")
    assert streams.peek(packed, kind) == data[: streams.PEEK]
    with pytest.raises(FormatError):
        streams.first(packed, kind, limit=(1 << 20) - 1)
    with pytest.raises(FormatError):
        streams.first(packed[: len(packed) // 2], kind, limit=1 << 20)


def test_a_configuration_that_says_two_things_is_refused() -> None:
    with pytest.raises(FormatError):
        kernel_config.decode((CONFIG + "CONFIG_USB=y\n").encode())
