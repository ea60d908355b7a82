"""The initial RAM file system: deterministic, complete, ordered, and nothing but what is named."""

import hashlib
import importlib.util
import lzma
import shutil
import stat
from pathlib import Path

import pytest
import zstandard

import warily
from warily.errors import HostError
from warily.formats import cpio
from warily.image import interpreter
from warily.image.contents import BOOT_SOURCES, GUEST_HOME, KERNEL_MODULES, OPTIONAL_KERNEL_MODULES, STANDARD_MODULES
from warily.image.initrd import InitrdReport, pack
from warily.image.kernel_modules import KernelTree

PACKAGE = Path(warily.__file__).parent
VERSION = "6.12.0-test"


def _elf_with(info: bytes) -> bytes:
    """A kernel module, as `tests/formats/test_elf.py` makes it."""
    path = Path(__file__).parent.parent / "formats" / "test_elf.py"
    spec = importlib.util.spec_from_file_location("elf_forge", path)
    assert spec is not None
    assert spec.loader is not None
    forge = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(forge)
    made: bytes = forge.module(info)
    return made


def make_kernel(tree: Path, depends: dict[str, str]) -> Path:
    """An unpacked kernel package with small modules; `virtio_console` is built in."""
    home = tree / "usr/lib/modules" / VERSION
    for number, name in enumerate(sorted({*KERNEL_MODULES, *OPTIONAL_KERNEL_MODULES, *depends} - {"virtio_console"})):
        data = _elf_with(b"depends=" + depends.get(name, "").encode() + b"\0name=" + name.encode() + b"\0")
        path = home / "kernel" / f"{name}.ko"
        path.parent.mkdir(parents=True, exist_ok=True)
        if number % 2:
            path.write_bytes(data)
        else:
            path.with_suffix(".ko.xz").write_bytes(lzma.compress(data, check=lzma.CHECK_CRC32))
    (home / "modules.builtin").write_text("kernel/drivers/char/virtio_console.ko\n")
    return tree


def make_root(tree: Path) -> Path:
    """A root tree with a small program of this host for an interpreter, and stand-ins for the standard modules."""
    real = Path("/usr/bin/true").resolve()
    binary = tree / "usr/bin/python3.13"
    binary.parent.mkdir(parents=True)
    shutil.copyfile(real, binary)
    (tree / "usr/bin/python3").symlink_to("python3.13")
    (tree / "lib64").symlink_to("usr/lib64")
    libraries = tree / interpreter.LIBRARY_FOLDERS[0]
    libraries.mkdir(parents=True)
    (tree / "usr/lib64").mkdir()
    (tree / "usr/lib64/ld-linux-x86-64.so.2").symlink_to("/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
    for name in ("ld-linux-x86-64.so.2", "libc.so.6"):
        found = next((folder / name for folder in HOST_FOLDERS if (folder / name).exists()), None)
        if found is not None:
            shutil.copyfile(found.resolve(), libraries / name)
    for module in STANDARD_MODULES:
        path = tree / "usr/lib/python3.13" / f"{module.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {module}\n")
    compiled = tree / "usr/lib/python3.13/__pycache__/typing.cpython-313.pyc"
    compiled.parent.mkdir()
    compiled.write_bytes(b"compiled")
    for name in BOOT_SOURCES:
        target = tree / GUEST_HOME / "warily" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PACKAGE / name, target)
    return tree


HOST_FOLDERS = (Path("/lib/x86_64-linux-gnu"), Path("/usr/lib/x86_64-linux-gnu"))
pytestmark = pytest.mark.skipif(
    not (HOST_FOLDERS[0] / "libc.so.6").exists(), reason="no Debian multiarch libraries on this host"
)


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("trees")
    kernel = make_kernel(folder / "kernel", {"dm-verity": "dm-mod,reed_solomon", "reed_solomon": ""})
    return make_root(folder / "root"), kernel


@pytest.fixture(scope="module")
def packed(trees: tuple[Path, Path]) -> tuple[InitrdReport, tuple[cpio.Entry, ...], bytes]:
    root, kernel = trees
    out = root.parent / "initrd.zst"
    report = pack(root=root, kernel_tree=kernel, out=out)
    data = out.read_bytes()
    return report, cpio.decode(zstandard.ZstdDecompressor().decompress(data)), data


def test_two_packings_are_the_same_bytes(
    trees: tuple[Path, Path], packed: tuple[InitrdReport, tuple[cpio.Entry, ...], bytes], tmp_path: Path
) -> None:
    root, kernel = trees
    copy = shutil.copytree(root, tmp_path / "elsewhere", symlinks=True)
    again = pack(root=copy, kernel_tree=kernel, out=tmp_path / "again.zst")
    assert (tmp_path / "again.zst").read_bytes() == packed[2]
    assert again == packed[0]


def test_the_report_tells_the_truth(packed: tuple[InitrdReport, tuple[cpio.Entry, ...], bytes]) -> None:
    report, entries, data = packed
    assert (report.size, report.sha256) == (len(data), hashlib.sha256(data).digest())
    files = {f"/{entry.name}": entry.data for entry in entries if stat.S_ISREG(entry.mode)}
    assert {file.path: file.sha256 for file in report.files} == {
        path: hashlib.sha256(content).digest() for path, content in files.items()
    }
    assert report.kernel_version == VERSION


def test_folders_come_before_what_is_in_them(packed: tuple[InitrdReport, tuple[cpio.Entry, ...], bytes]) -> None:
    seen = {""}
    for entry in packed[1]:
        assert entry.name.rpartition("/")[0] in seen
        if stat.S_ISDIR(entry.mode):
            seen.add(entry.name)


def test_modules_come_after_what_they_depend_on(packed: tuple[InitrdReport, tuple[cpio.Entry, ...], bytes]) -> None:
    report, entries, _ = packed
    order = list(report.modules)
    assert order.index("dm_mod") < order.index("dm_verity")
    assert order.index("reed_solomon") < order.index("dm_verity")
    assert "virtio_console" not in order  # built in
    listed = next(entry.data for entry in entries if entry.name == "usr/lib/modules/order").decode().split()
    assert [line.partition(".ko")[0] for line in listed] == order
    assert [line for line in listed if line.endswith("?optional")] == ["sev_guest.ko?optional", "tdx_guest.ko?optional"]


def test_only_what_is_named_is_in_it(packed: tuple[InitrdReport, tuple[cpio.Entry, ...], bytes]) -> None:
    programs = {entry.name for entry in packed[1] if stat.S_ISREG(entry.mode) and entry.mode & 0o111}
    assert programs == {"init", "usr/bin/python3.13", "usr/lib64/ld-linux-x86-64.so.2"}
    names = {entry.name for entry in packed[1]}
    assert {f"{GUEST_HOME}/warily/{name}" for name in BOOT_SOURCES} <= names
    assert not any("busybox" in name or name.endswith("/sh") for name in names)


def test_compiled_modules_are_preferred(packed: tuple[InitrdReport, tuple[cpio.Entry, ...], bytes]) -> None:
    names = {entry.name for entry in packed[1]}
    assert "usr/lib/python3.13/typing.pyc" in names
    assert "usr/lib/python3.13/typing.py" not in names
    assert "usr/lib/python3.13/re.py" in names


def test_a_missing_module_or_library_is_said(trees: tuple[Path, Path], tmp_path: Path) -> None:
    root, kernel = trees
    with pytest.raises(HostError, match="no module nonsense"):
        KernelTree(kernel).ordered(["nonsense"], optional=())
    with pytest.raises(HostError, match="has no module nonsense"):
        interpreter.files(root, ["nonsense"])
    with pytest.raises(HostError, match="modules of 0 kernels"):
        KernelTree(tmp_path)
    with pytest.raises(HostError, match="no file usr/bin/python3"):
        interpreter.binary_name(tmp_path)


def test_links_never_lead_out_of_the_tree(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "passwd").write_text("inside")
    (tmp_path / "one").symlink_to("../../../../etc/passwd")
    (tmp_path / "two").symlink_to("/etc/passwd")
    (tmp_path / "loop").symlink_to("loop")
    for name in ("one", "two"):
        assert interpreter.inside(tmp_path, name) == tmp_path / "etc" / "passwd"
    with pytest.raises(HostError):
        interpreter.inside(tmp_path, "loop")
