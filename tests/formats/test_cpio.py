"""The archive: what is encoded comes back, `cpio` itself agrees, and other encodings are refused."""

import shutil
import stat
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.errors import FormatError
from warily.formats.cpio import Entry, decode, encode

FILE = stat.S_IFREG | 0o644
ENTRIES = (
    Entry(name="bin", mode=stat.S_IFLNK | 0o777, data=b"usr/bin"),
    Entry(name="dev", mode=stat.S_IFDIR | 0o755),
    Entry(name="dev/console", mode=stat.S_IFCHR | 0o600, device=(5, 1)),
    Entry(name="init", mode=stat.S_IFREG | 0o755, data=b"#!/bin/true\n"),
)


@given(
    st.lists(
        st.builds(
            Entry,
            name=st.text(
                st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1, max_size=40
            ),
            mode=st.integers(1, 0xFFFF),
            data=st.binary(max_size=70),
            device=st.tuples(st.integers(0, 255), st.integers(0, 255)),
        ).filter(lambda entry: entry.name != "TRAILER!!!"),
        max_size=6,
    )
)
def test_what_is_encoded_comes_back(entries: list[Entry]) -> None:
    archive = encode(entries)
    assert decode(archive) == tuple(entries)
    assert len(archive) % 512 == 0


@given(st.binary(max_size=400), st.integers(0, 700))
def test_arbitrary_and_changed_bytes_are_refused_or_round_trip(noise: bytes, at: int) -> None:
    archive = bytearray(encode(ENTRIES))
    archive[at : at + len(noise)] = noise
    for data in (noise, bytes(archive)):
        try:
            assert encode(decode(data)) == data
        except FormatError:
            continue


@pytest.mark.skipif(shutil.which("cpio") is None, reason="cpio is not installed")
def test_cpio_lists_what_was_packed() -> None:
    done = subprocess.run(["cpio", "-t", "--quiet"], input=encode(ENTRIES), capture_output=True, check=True)
    assert done.stdout.decode().split() == [entry.name for entry in ENTRIES]


def test_a_name_that_no_file_can_have_is_refused() -> None:
    for name in ("", "a\0b", "x" * 5000):
        with pytest.raises(FormatError, match="no file name"):
            encode([Entry(name=name, mode=FILE)])


def test_a_cut_archive_is_refused() -> None:
    archive = encode(ENTRIES)
    for length in (0, 5, 109, 200, len(archive) - 1):
        with pytest.raises(FormatError):
            decode(archive[:length])
