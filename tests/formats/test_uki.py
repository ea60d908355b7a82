"""Unified kernel images: which sections a stub measures, profiles, and images that mean two things."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.uki_images import assemble, minimal_stub
from warily.errors import FormatError
from warily.formats.uki import MAX_ZEROS, Uki

ALL = [
    (f".{name}", name.encode()) for name in ("uname", "linux", "pcrsig", "initrd", "sbat", "cmdline", "osrel", "ucode")
]
PROFILES = [
    (".linux", b"base kernel"),
    (".cmdline", b"base line"),
    (".profile", b"ID=one"),
    (".cmdline", b"first"),
    (".profile", b"ID=two"),
    (".linux", b"other kernel"),
]


def names(image: bytes, **options: int) -> list[str]:
    return list(Uki.parse(image).measured(**options))  # type: ignore[arg-type]  # one option each


@pytest.mark.parametrize(
    ("version", "measured"),
    [
        ("252.39-1~deb12u2", [".linux", ".osrel", ".cmdline", ".initrd"]),
        ("254.1", [".linux", ".osrel", ".cmdline", ".initrd", ".uname", ".sbat"]),
        ("v262-rc1", [".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".uname", ".sbat"]),
        ("", [".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".uname", ".sbat"]),
    ],
)
def test_a_stub_measures_what_its_version_knows_in_its_own_order(version: str, measured: list[str]) -> None:
    image = assemble(minimal_stub(version=version), ALL)
    assert names(image) == measured
    stub = Uki.parse(image).stub
    assert (stub.text if stub else "") == version.removeprefix("v")


def test_a_profile_replaces_what_it_brings() -> None:
    image = assemble(minimal_stub(version="257"), PROFILES)

    def content(profile: int) -> dict[str, bytes]:
        found = Uki.parse(image).measured(profile=profile)
        return {name: bytes(section.loaded(image)) for name, section in found.items()}

    assert content(0) == {".linux": b"base kernel", ".cmdline": b"first", ".profile": b"ID=one"}
    assert content(1) == {".linux": b"other kernel", ".cmdline": b"base line", ".profile": b"ID=two"}
    with pytest.raises(FormatError, match="profile 2 of 2"):
        content(2)


def test_sections_of_no_length_are_as_good_as_absent() -> None:
    assert names(assemble(minimal_stub(), [(".linux", b"k"), (".initrd", b"")])) == [".linux"]
    with pytest.raises(FormatError, match="no kernel"):
        names(assemble(minimal_stub(), [(".linux", b"")]))


def test_the_first_section_of_a_name_counts() -> None:
    image = assemble(minimal_stub(version="262"), [(".linux", b"first"), (".linux", b"second")])
    assert bytes(Uki.parse(image).measured()[".linux"].loaded(image)) == b"first"


def test_the_machine_chooses_device_trees_and_nobody_else_does() -> None:
    image = assemble(minimal_stub(), [(".linux", b"k"), (".dtbauto", b"one"), (".dtbauto", b"two")])
    assert names(image) == [".linux"]
    chosen = Uki.parse(image).measured(chosen={".dtbauto": 1})[".dtbauto"]
    assert bytes(chosen.loaded(image)) == b"two"


@pytest.mark.parametrize(
    ("version", "sections"),
    [
        ("256", PROFILES),  # knows no profiles
        ("256", [(".linux", b"k"), (".linux", b"k")]),
        ("252", [(".linux", b"k"), (".dtbauto", b"d")]),  # takes it for .dtb
        ("251", [(".linux", b"k")]),  # measures nothing
        ("262", [(".cmdline", b"c")]),  # no kernel
    ],
)
def test_images_that_a_stub_takes_otherwise_are_refused(version: str, sections: list[tuple[str, bytes]]) -> None:
    with pytest.raises(FormatError):
        names(assemble(minimal_stub(version=version), sections))


def test_zeros_in_memory_have_a_limit() -> None:
    image = assemble(minimal_stub(), [(".linux", b"k")], virtual={".linux": MAX_ZEROS + 1000})
    with pytest.raises(FormatError, match="zero bytes"):
        names(image)


@given(st.integers(0, 0x500), st.binary(min_size=1, max_size=8))
def test_a_changed_header_is_refused_or_read(at: int, new: bytes) -> None:
    image = bytearray(assemble(minimal_stub(version="257", headers=1536), PROFILES))
    image[at : at + len(new)] = new
    try:
        uki = Uki.parse(bytes(image))
        uki.measured()
    except FormatError:
        return
    assert len(uki.base) + sum(map(len, uki.profiles)) == len(uki.image.sections)
