"""Boot options."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.errors import FormatError
from warily.formats.load_option import LoadOption, firmware_file

# Boot0000 of a TD with OVMF of 2025.02, as its event log has it.
SEEN = bytes.fromhex(
    "090100002c0055006900410070007000000004071400c9bdb87cebf8344faaea3ee4af6516a10406140021aa2c4614760345836e8ab6f46623"
    "317fff0400"
)


def test_a_genuine_option() -> None:
    path = firmware_file("7cb8bdc9-f8eb-4f34-aaea-3ee4af6516a1", "462caa21-7614-4503-836e-8ab6f4662331")
    made = LoadOption(attributes=0x109, description="UiApp", path=path)
    assert LoadOption.decode(SEEN) == made
    assert made.encode() == SEEN


@given(st.binary(max_size=80))
def test_arbitrary_bytes(data: bytes) -> None:
    try:
        assert LoadOption.decode(data).encode() == data
    except FormatError:
        return


@pytest.mark.parametrize("cut", [0, 5, 9, 18, 40])
def test_an_option_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(FormatError):
        LoadOption.decode(SEEN[:cut])
