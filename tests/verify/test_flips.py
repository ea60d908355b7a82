"""No signed bit of genuine evidence can change: a sample of them, spread over each. `bench/flip.py` tries all."""

from pathlib import Path

import pytest

from tests.genuine import FILES, one

SAMPLED = 61  # bits of each; a prime step reaches every position within a byte


@pytest.mark.parametrize(("name", "collateral", "date"), FILES, ids=[name for name, _, _ in FILES])
def test_no_signed_bit_can_change(vectors: Path, name: str, collateral: tuple[str, ...], date: str) -> None:
    evidence = one(vectors, name, collateral, date)
    assert evidence.accepts(evidence.data)
    bits = evidence.bits
    step = len(bits) // SAMPLED
    sample = bits[:: step + 1 - step % 2]
    assert {bit & 7 for bit in sample} == set(range(8))
    assert evidence.accepted_with(sample) == []


def test_every_bit_is_counted(vectors: Path) -> None:
    report = one(vectors, *FILES[0])
    assert len(report.bits) == 0x2A0 * 8
    unsigned = 8 * 0x2A0 + 8 * 144  # after R and S: reserved, so refused by its structure
    assert report.accepted_with([unsigned]) == []
