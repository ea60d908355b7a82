"""The measured command line: what it always says, and what may never be added to it."""

import pytest

from warily.core.manifest import VerityRoot
from warily.errors import UsageError
from warily.guest.words import BootWords
from warily.image import command_line

ROOT = VerityRoot(algorithm="sha256", root_hash=b"\1" * 32, salt=b"\2" * 32, data_blocks=77, block_size=4096)
GRANTOR = b"\3" * 32


def test_the_guest_reads_what_is_composed() -> None:
    line = command_line.compose(ROOT, grantor=GRANTOR, added=("nosmt", "loglevel=4"))
    words = BootWords.parse(line)
    assert (words.root, words.salt, words.blocks, words.grantor) == (b"\1" * 32, b"\2" * 32, 77, GRANTOR)
    assert {"nosmt", "loglevel=4", "lockdown=confidentiality", "systemd.import_credentials=no"} <= set(line.split())


def test_the_fixed_words_leave_room() -> None:
    assert len(command_line.compose(ROOT, grantor=GRANTOR, added=())) < command_line.LIMIT // 2
    assert all(entry.because for entry in (*command_line.FIXED, *command_line.ALLOWED))


@pytest.mark.parametrize(
    "word",
    [
        "warily.root=00", "init=/bin/sh", "rdinit=/x", "systemd.unit=rescue.target", "systemd.debug_shell",
        "systemd.import_credentials=yes", "lockdown=none", "ia32_emulation=1", "mitigations=off", "console=tty0",
        "module.sig_enforce=0", "acpi_rsdp=0x1", "memmap=1G", "nosmt=x", "loglevel=", "loglevel=4;x", 'loglevel=4"',
        "single", "S", "1", "rescue", "--", "root=/dev/vda", "debug", "kgdboc=ttyS0",
    ],
)  # fmt: skip
def test_what_could_weaken_the_guest_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="may not say"):
        command_line.compose(ROOT, grantor=GRANTOR, added=(word,))


def test_a_line_the_kernel_would_cut_is_refused() -> None:
    with pytest.raises(UsageError, match="bytes long"):
        command_line.compose(ROOT, grantor=GRANTOR, added=("hugepages=" + "1" * 1500,))
