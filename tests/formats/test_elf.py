"""ELF: libraries as `ldd` finds them, a module's dependencies, and bounds on everything."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.errors import FormatError
from warily.formats.elf import FileHeader, SectionHeader, linkage, module_info

PYTHON = Path(sys.executable).resolve()


def module(info: bytes) -> bytes:
    """The smallest kernel module: a `.modinfo` section and section names."""
    names = b"\0.modinfo\0.shstrtab\0"
    body = info + names
    blank = dict.fromkeys(("flags", "address", "link", "info", "alignment", "entry_size"), 0)
    sections = (
        SectionHeader(name=0, type=0, offset=0, size=0, **blank),
        SectionHeader(name=1, type=1, offset=64, size=len(info), **blank),
        SectionHeader(name=10, type=3, offset=64 + len(info), size=len(names), **blank),
    )
    header = FileHeader(
        ident=b"\x7fELF\x02\x01\x01".ljust(16, b"\0"),
        type=1,
        machine=62,
        version=1,
        entry=0,
        program_headers=0,
        section_headers=64 + len(body),
        flags=0,
        header_size=64,
        program_header_size=0,
        program_header_count=0,
        section_header_size=64,
        section_header_count=3,
        section_names=2,
    )
    return header.pack() + body + b"".join(section.pack() for section in sections)


MODULE = module(b"license=GPL\0depends=dm-mod,dm-bufio\0name=dm_verity\0")


def test_a_module_names_what_it_depends_on() -> None:
    assert module_info(MODULE) == (("license", "GPL"), ("depends", "dm-mod,dm-bufio"), ("name", "dm_verity"))


def test_the_interpreter_needs_the_libraries_that_ldd_lists() -> None:
    links = linkage(PYTHON.read_bytes())
    listed = subprocess.run(["ldd", str(PYTHON)], capture_output=True, text=True, check=True).stdout
    assert links.interpreter in listed
    assert "libc.so.6" in links.needed
    assert all(name in listed for name in links.needed)


def test_what_is_no_module_is_said_to_be_none() -> None:
    with pytest.raises(FormatError, match=r"modinfo|names"):
        module_info(PYTHON.read_bytes())
    with pytest.raises(FormatError, match="not a 64-bit"):
        module_info(b"\x7fELF\x01\x01\x01" + bytes(64))


@given(st.binary(max_size=256), st.integers(0, len(MODULE)))
def test_arbitrary_and_changed_bytes_raise_nothing_else(noise: bytes, at: int) -> None:
    changed = MODULE[:at] + noise + MODULE[at + len(noise) :]
    for data in (noise, changed, MODULE[:at]):
        for read in (linkage, module_info):
            try:
                read(data)
            except FormatError:
                continue


@given(st.integers(0, 4096), st.integers(0, 255))
def test_a_changed_program_raises_nothing_else(at: int, value: int) -> None:
    changed = bytearray(PYTHON.read_bytes()[:8192])
    changed[at] = value
    try:
        linkage(bytes(changed))
    except FormatError:
        return
