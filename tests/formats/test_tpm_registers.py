"""Register values beside a quote: three forms, and nothing else passes for one of them."""

import json
import struct

from hypothesis import given
from hypothesis import strategies as st

from warily.formats.tpm import Selection
from warily.formats.tpm_registers import SIZES, decode_registers

SHA1, SHA256 = 0x0004, 0x000B
TWO = (Selection(bank=SHA1, width=3, pcrs=(0, 7)), Selection(bank=SHA256, width=3, pcrs=tuple(range(10))))
WANTED = tuple((entry.bank, pcr, bytes([pcr]) * SIZES[entry.bank]) for entry in TWO for pcr in entry.pcrs)


def serialized() -> bytes:
    """As tpm2-tools write it: a selection of 16 entries, then lists of eight digests of 64 bytes."""
    made = struct.pack("<I", len(TWO))
    for entry in TWO:
        made += struct.pack("<HBIx", entry.bank, entry.width, sum(1 << pcr for pcr in entry.pcrs))
    made += bytes(8) * (16 - len(TWO))
    lists = [WANTED[at : at + 8] for at in range(0, len(WANTED), 8)]
    made += struct.pack("<I", len(lists))
    for entries in lists:
        made += struct.pack("<I", len(entries))
        padded = [value for *_, value in entries] + [b""] * (8 - len(entries))
        made += b"".join(struct.pack("<H64s", len(value), value) for value in padded)
    return made


def test_values_alone_are_those_that_the_quote_selects() -> None:
    raw = b"".join(value for *_, value in WANTED)
    assert decode_registers(raw, TWO) == WANTED
    assert decode_registers(raw[:-1], TWO) is None
    assert decode_registers(b"", ()) is None
    assert decode_registers(bytes(20), (Selection(bank=0x12, width=3, pcrs=(0,)),)) is None


def test_the_structures_of_tpm2_tools() -> None:
    made = serialized()
    assert decode_registers(made, TWO) == WANTED
    for wrong in (made[:-1], made + b"\x00", struct.pack("<I", 17) + made[4:], b"\xff" * len(made)):
        assert decode_registers(wrong, TWO) is None


def test_json_by_bank_and_register() -> None:
    made = {"sha1": {}, "sha256": {}}  # type: dict[str, dict[str, str]]
    for bank, pcr, value in WANTED:
        made["sha1" if bank == SHA1 else "sha256"][str(pcr)] = value.hex()
    assert decode_registers(json.dumps(made).encode(), ()) == WANTED
    for wrong in ('{"md5": {}}', '{"sha1": {"0": "00"}}', '{"sha1": {"99": "%s"}}' % ("00" * 20), '{"sha1": 1}'):
        assert decode_registers(wrong.encode(), ()) is None


@given(st.binary(max_size=2000))
def test_arbitrary_bytes_are_no_values(data: bytes) -> None:
    found = decode_registers(data, TWO)
    assert found is None or len(data) == 2 * 20 + 10 * 32 or found == ()
