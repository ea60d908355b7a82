import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warily.errors import FormatError, UsageError
from warily.release.wrap import Kek

KEK = Kek.derive(b"a passphrase of the operator", b"s" * 16)


@settings(deadline=None)
@given(secret=st.binary(max_size=64), nonce=st.binary(min_size=12, max_size=12))
def test_what_was_wrapped_comes_back(secret: bytes, nonce: bytes) -> None:
    wrapped = KEK.wrap(secret, nonce=nonce, purpose="volume", identity=b"i" * 32, name="data")
    assert KEK.unwrap(wrapped, purpose="volume", identity=b"i" * 32, name="data") == secret
    assert len(secret) < 16 or secret not in wrapped[13:]


@settings(deadline=None)
@given(data=st.binary(max_size=80))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        KEK.unwrap(data, purpose="volume", identity=b"i" * 32, name="data")


@pytest.mark.parametrize(
    ("purpose", "identity", "name"),
    [("session", b"i" * 32, "data"), ("volume", b"j" * 32, "data"), ("volume", b"i" * 32, "data2")],
)
def test_a_wrapped_secret_cannot_be_moved(purpose: str, identity: bytes, name: str) -> None:
    wrapped = KEK.wrap(b"secret", nonce=b"n" * 12, purpose="volume", identity=b"i" * 32, name="data")
    with pytest.raises(FormatError, match="another key, for another volume"):
        KEK.unwrap(wrapped, purpose=purpose, identity=identity, name=name)


def test_every_bit_counts() -> None:
    wrapped = KEK.wrap(b"secret", nonce=b"n" * 12, purpose="volume", identity=b"i" * 32, name="data")
    for at in range(len(wrapped)):
        changed = wrapped[:at] + bytes([wrapped[at] ^ 1]) + wrapped[at + 1 :]
        with pytest.raises(FormatError):
            KEK.unwrap(changed, purpose="volume", identity=b"i" * 32, name="data")


def test_another_passphrase_or_salt_is_noticed() -> None:
    value = KEK.check_value()
    assert KEK.is_checked_by(value)
    assert Kek.derive(b"a passphrase of the operator", b"s" * 16).is_checked_by(value)
    assert not Kek.derive(b"a passphrase of another one", b"s" * 16).is_checked_by(value)
    assert not Kek.derive(b"a passphrase of the operator", b"t" * 16).is_checked_by(value)


def test_a_short_passphrase_is_refused() -> None:
    with pytest.raises(UsageError, match="under 16 bytes"):
        Kek.derive(b"password", b"s" * 16)


def test_the_key_shows_nowhere() -> None:
    assert KEK.key.hex() not in repr(KEK)
    assert repr(KEK.key) not in repr(KEK)
    assert KEK.subkey("nonce") != KEK.subkey("wrap")
