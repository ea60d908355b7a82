"""PE images: what is read, and what two readers could take differently."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.uki_images import assemble, minimal_stub
from warily.errors import FormatError
from warily.formats.pe import PeImage, is_pe

IMAGE = assemble(minimal_stub(version="262"), [(".one", b"x" * 700), (".two", b"y")])
SECTIONS_AT = 0x80 + 24 + 112 + 16 * 8


def changed(at: int, value: int, width: int = 4) -> bytes:
    return IMAGE[:at] + value.to_bytes(width, "little") + IMAGE[at + width :]


def test_sections_are_in_the_order_of_the_file() -> None:
    image = PeImage.parse(IMAGE)
    assert [part.text for part in image.sections] == [".sdmagic", ".one", ".two"]
    assert [bytes(part.loaded(IMAGE)) for part in image.sections[1:]] == [b"x" * 700, b"y"]


def test_a_section_is_as_long_as_in_memory_not_as_in_the_file() -> None:
    padded = PeImage.parse(assemble(minimal_stub(), [(".short", b"abc"), (".long", b"abc")], virtual={".long": 9000}))
    short, long = padded.sections
    assert (bytes(short.loaded(IMAGE)[:0]), short.raw_size, short.virtual_size, short.zeros) == (b"", 512, 3, 0)
    assert (long.raw_size, long.zeros) == (512, 9000 - 512)


@pytest.mark.parametrize(
    ("at", "value", "width"),
    [
        (0x3C, 1 << 31, 4),  # the signature is beyond the end
        (0x80, 0, 4),  # no signature
        (0x86, 600, 2),  # too many sections
        (0x98, 0x107, 2),  # neither PE32 nor PE32+
        (0x98 + 108, 17, 4),  # more directories than the header holds
        (0x98 + 60, 64, 4),  # headers that do not hold the tables
        (0x98 + 60, 1 << 30, 4),  # headers beyond the end
        (0x98 + 112 + 32 + 4, 8, 4),  # certificates that do not end the file
        (SECTIONS_AT + 40 + 16, 1 << 30, 4),  # raw data beyond the end
        (SECTIONS_AT + 40 + 20, 0, 4),  # raw data in the headers
        (SECTIONS_AT + 40 + 20, len(IMAGE) - 700, 4),  # raw data that overlaps
    ],
)
def test_what_readers_could_take_differently_is_refused(at: int, value: int, width: int) -> None:
    with pytest.raises(FormatError):
        PeImage.parse(changed(at, value, width))


def test_certificates_end_the_file_and_sections_before_them() -> None:
    at = 0x98 + 112 + 32
    signed = changed(at, len(IMAGE)) + b"certificate!"
    signed = signed[: at + 4] + (12).to_bytes(4, "little") + signed[at + 8 :]
    assert PeImage.parse(signed).certificates.size == 12
    with pytest.raises(FormatError):
        PeImage.parse(signed + b"\0")
    within = signed[:at] + (len(IMAGE) - 512).to_bytes(4, "little") + (524).to_bytes(4, "little") + signed[at + 8 :]
    with pytest.raises(FormatError):
        PeImage.parse(within)


@given(
    st.binary(max_size=300)
    | st.integers(0, len(IMAGE) - 1).flatmap(
        lambda at: st.binary(min_size=1, max_size=4).map(lambda new: IMAGE[:at] + new + IMAGE[at + len(new) :])
    )
    | st.integers(0, len(IMAGE)).map(lambda end: IMAGE[:end])
)
def test_arbitrary_bytes_are_refused_or_every_section_is_in_the_file(data: bytes) -> None:
    try:
        image = PeImage.parse(data)
    except FormatError:
        return
    assert is_pe(data)
    assert all(len(part.loaded(data)) == min(part.virtual_size, part.raw_size) for part in image.sections)
    assert image.size_of_headers + sum(part.raw_size for part in image.sections) <= len(data)
