import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warily.core.finding import Outcome
from warily.errors import FormatError
from warily.release import nonce
from warily.release.binding import NONCE_SIZE

KEY = b"k" * 32
NOW = 1_800_000_000
instants = st.integers(min_value=0, max_value=1 << 40)


@settings(deadline=None)
@given(key=st.binary(min_size=32, max_size=32), now=instants, random=st.binary(min_size=16, max_size=16))
def test_a_minted_nonce_holds_until_its_expiry_and_not_after(key: bytes, now: int, random: bytes) -> None:
    made = nonce.mint(key, now, random)
    assert len(made) == NONCE_SIZE
    assert nonce.expiry(made) == now + nonce.LIFETIME
    assert nonce.check(key, made, now).outcome is Outcome.PASS
    assert nonce.check(key, made, now + nonce.LIFETIME).outcome is Outcome.PASS
    late = nonce.check(key, made, now + nonce.LIFETIME + 1)
    assert (late.outcome, late.check) == (Outcome.FAIL, "release.nonce")


@settings(deadline=None)
@given(data=st.binary(max_size=100))
def test_bytes_that_the_key_did_not_make_are_refused(data: bytes) -> None:
    assert nonce.check(KEY, data, 0).outcome is Outcome.FAIL


@settings(deadline=None)
@given(bit=st.integers(min_value=0, max_value=NONCE_SIZE * 8 - 1))
def test_no_bit_can_be_changed(bit: int) -> None:
    changed = bytearray(nonce.mint(KEY, NOW, b"r" * 16))
    changed[bit // 8] ^= 1 << bit % 8
    assert nonce.check(KEY, bytes(changed), NOW).outcome is Outcome.FAIL


def test_another_key_is_refused() -> None:
    assert nonce.check(b"K" * 32, nonce.mint(KEY, NOW, b"r" * 16), NOW).outcome is Outcome.FAIL


def test_randomness_has_one_length() -> None:
    with pytest.raises(FormatError, match="15 random bytes"):
        nonce.mint(KEY, NOW, b"r" * 15)
