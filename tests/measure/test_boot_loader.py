"""systemd-boot before a unified kernel image."""

import pytest

from tests.smbios_tables import END, SYSTEM
from tests.uki_images import assemble, minimal_stub
from warily.errors import FormatError, UsageError
from warily.formats.smbios import SmbiosTables
from warily.formats.uki import Uki
from warily.measure.authenticode import authenticode
from warily.measure.boot_loader import Loaded, loaded

TABLES = SmbiosTables.decode(SYSTEM + END)


def loader(version: str) -> bytes:
    said = f"#### LoaderInfo: systemd-boot {version} ####".encode() if version else b""
    return assemble(minimal_stub(), [(".sdmagic", said)])


def start(version: str, line: bytes | None = b"quiet\n", smbios: SmbiosTables | None = TABLES) -> tuple[bytes, Loaded]:
    sections = [(".linux", minimal_stub())] + ([] if line is None else [(".cmdline", line)])
    image = assemble(minimal_stub(version="252"), sections)
    found = loaded(loader(version), image, Uki.parse(image).measured(), smbios, algorithms=("sha256",))
    return image, found


def test_firmware_measures_both_programs() -> None:
    image, found = start("257.13-1")
    assert found.image == {"sha256": authenticode(loader("257.13-1"), "sha256")}
    (event,) = found.before
    assert (event.register, event.digests) == (4, {"sha256": authenticode(image, "sha256")})


@pytest.mark.parametrize("version", ["252.39-1~deb12u2", "254.26"])
def test_an_early_loader_measures_and_gives_the_line(version: str) -> None:
    _, found = start(version)
    assert [(event.register, event.hashed) for event in found.before[1:]] == [(12, "quiet\0".encode("utf-16-le"))]
    assert (found.given, found.smbios) == ("quiet", TABLES)
    assert [event.register for event in start(version, line=None)[1].before] == [4]


def test_a_late_loader_measures_smbios_tables_and_the_stub_does_not() -> None:
    _, found = start("262.1-1")
    assert [(event.register, event.type) for event in found.before] == [(1, 6), (4, 0x80000003)]
    assert (found.given, found.smbios) == ("", ())
    assert "not given" in start("262", smbios=None)[1].before[0].because


@pytest.mark.parametrize(
    ("version", "line", "register", "words"),
    [
        ("255", b"quiet", 12, "255 was not seen"),
        ("260", b"quiet", 1, "not known"),
        ("252", b"\xff", 12, "not text"),
    ],
)
def test_what_was_not_seen_is_open(version: str, line: bytes, register: int, words: str) -> None:
    opened = [event for event in start(version, line)[1].before if event.because]
    assert [event.register for event in opened] == [register]
    assert words in opened[0].because


def test_another_loader_is_refused() -> None:
    with pytest.raises(UsageError, match="not systemd-boot"):
        start("")
    image, _ = start("252")
    with pytest.raises(FormatError):
        loaded(b"GRUB", image, Uki.parse(image).measured(), None, algorithms=("sha256",))
