"""What a guest says of its volumes: it round-trips, only the lease key's holder can say it, and noise is refused."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.errors import FormatError
from warily.release.messages import Confirmation, Sealing

KEY, DIGEST = b"k" * 32, b"d" * 32
Said = Confirmation | Sealing


def confirmation(epoch: int = 1, digest: bytes = DIGEST) -> Confirmation:
    return Confirmation.make(session="s", volume="data", descriptor=digest, epoch=epoch, lease_key=KEY)


def sealing(epoch: int = 1, digest: bytes = DIGEST) -> Sealing:
    return Sealing.make(session="s", volume="data", epoch=epoch, seal=digest, lease_key=KEY)


@pytest.mark.parametrize("make", [confirmation, sealing])
def test_the_tag_covers_epoch_and_digest(make: Callable[..., Said]) -> None:
    said = make()
    assert type(said).decode(said.encode()) == said
    assert said.is_tagged_by(KEY)
    assert not said.is_tagged_by(b"x" * 32)
    assert len({said.tag, make(epoch=2).tag, make(digest=bytes(32)).tag}) == 3
    assert confirmation().tag != sealing().tag


@given(st.binary(max_size=200), st.sampled_from([Confirmation, Sealing]))
def test_noise_is_refused(noise: bytes, kind: type[Said]) -> None:
    with pytest.raises(FormatError):
        kind.decode(noise)
