"""joserfc seals, `open_grant` opens: two independent implementations agree, and every change is refused."""

import base64
import json
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import ECKey, OctKey

from warily.errors import FormatError, WarilyError
from warily.release.grant import GrantRefused, open_grant, session_key_digest
from warily.release.messages import MAX_VOLUMES, Grant, VolumeGrant, VolumeState
from warily.service.seal import seal

GRANTOR = ed25519.Ed25519PrivateKey.generate()
SESSION = ec.generate_private_key(ec.SECP256R1())
POINT = SESSION.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
NONCE = b"n" * 48
IDENTITY = b"i" * 32


def grant(nonce: bytes = NONCE, identity: bytes = IDENTITY, point: bytes = POINT, volumes: int = 2) -> Grant:
    return Grant(
        nonce=nonce,
        session_key_digest=session_key_digest(point),
        identity=identity,
        session="5e55",
        lease_key=b"l" * 32,
        lease_seconds=60,
        at=1_790_000_000,
        volumes=tuple(
            VolumeGrant(name=f"v{n}", secret=bytes([n]) * 32, state=VolumeState.INITIALISED, descriptor=b"d" * 32)
            for n in range(volumes)
        ),
    )


def opened(jwe_text: str, grantor: ed25519.Ed25519PrivateKey = GRANTOR) -> Grant:
    public = grantor.public_key().public_bytes_raw()
    return open_grant(jwe_text, session_key=SESSION, grantor=public, nonce=NONCE, identity=IDENTITY)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def header_of(part: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(base64.urlsafe_b64decode(part + "=="))
    return found


def encrypted(plaintext: bytes | str) -> str:
    key = ECKey.import_key(SESSION.public_key())
    return jwe.encrypt_compact({"alg": "ECDH-ES", "enc": "A256GCM"}, plaintext, key, algorithms=["ECDH-ES", "A256GCM"])


def signed(payload: bytes, header: dict[str, object], key: ed25519.Ed25519PrivateKey = GRANTOR) -> str:
    message = f"{b64(json.dumps(header).encode())}.{b64(payload)}"
    return f"{message}.{b64(key.sign(message.encode()))}"


def test_what_the_broker_seals_the_guest_opens() -> None:
    made = grant(volumes=MAX_VOLUMES)
    sealed = seal(made, session_key=POINT, grantor=GRANTOR)
    assert opened(sealed) == made
    assert all(volume.secret.hex() not in sealed for volume in made.volumes)


def test_a_coordinate_that_starts_with_zero_keeps_its_length() -> None:
    seen = 0
    while not seen:  # one key in 128
        sealed = seal(grant(), session_key=POINT, grantor=GRANTOR)
        epk = header_of(sealed.split(".")[0])["epk"]
        assert isinstance(epk, dict)
        seen += any(base64.urlsafe_b64decode(epk[axis] + "=")[0] == 0 for axis in "xy")
        assert opened(sealed) == grant()


@pytest.fixture(scope="module")
def sealed() -> str:
    """One sealed grant: each sealing differs, and what is drawn below depends on it."""
    return seal(grant(), session_key=POINT, grantor=GRANTOR)


@settings(deadline=None)
@given(data=st.data())
def test_no_character_can_be_changed(sealed: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(min_value=0, max_value=len(sealed) - 1))
    other = data.draw(st.sampled_from("AbZ09-_.=\x00é").filter(lambda c: c != sealed[at]))
    with pytest.raises(WarilyError):
        opened(sealed[:at] + other + sealed[at + 1 :])


@settings(deadline=None)
@given(st.text(max_size=200))
def test_arbitrary_text_is_malformed(text: str) -> None:
    with pytest.raises(FormatError):
        opened(text)


def test_another_grantor_is_refused_before_the_payload_is_read() -> None:
    other = ed25519.Ed25519PrivateKey.generate()
    with pytest.raises(GrantRefused, match="not signed by the grantor"):
        opened(encrypted(signed(b"not even JSON", {"alg": "EdDSA"}, other)))
    with pytest.raises(FormatError, match="not JSON"):
        opened(encrypted(signed(b"not even JSON", {"alg": "EdDSA"})))


def test_another_session_key_cannot_open_it() -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    point = other.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    with pytest.raises(GrantRefused, match="does not decrypt"):
        opened(seal(grant(), session_key=point, grantor=GRANTOR))


@pytest.mark.parametrize(
    ("made", "what"),
    [
        (grant(nonce=b"m" * 48), "nonce"),
        (grant(identity=b"j" * 32), "identity"),
        (grant(point=b"\x04" + b"p" * 64), "session key"),
    ],
)
def test_a_grant_for_somebody_else_is_refused(made: Grant, what: str) -> None:
    with pytest.raises(GrantRefused, match=f"answers another {what}"):
        opened(seal(made, session_key=POINT, grantor=GRANTOR))


@pytest.mark.parametrize("header", [{"alg": "none"}, {"alg": "HS256"}, {"alg": "EdDSA", "crit": ["x"], "x": 1}, {}])
def test_a_jws_header_is_exactly_one_algorithm(header: dict[str, object]) -> None:
    with pytest.raises(FormatError):
        opened(encrypted(signed(grant().encode(), header)))


def test_an_unsigned_grant_is_refused() -> None:
    message = b64(b'{"alg":"EdDSA"}') + "." + b64(grant().encode()) + "."
    with pytest.raises(GrantRefused):
        opened(encrypted(message))


def changed(sealed: str, change: Callable[[dict[str, object]], object]) -> str:
    parts = sealed.split(".")
    header = header_of(parts[0])
    change(header)
    return ".".join([b64(json.dumps(header).encode()), *parts[1:]])


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header.update(alg="ECDH-ES+A256KW"),
        lambda header: header.update(enc="A128GCM"),
        lambda header: header.update(zip="DEF"),
        lambda header: header.update(apu="QQ"),
        lambda header: header.pop("epk"),
        lambda header: header["epk"].update(crv="P-384"),
        lambda header: header["epk"].update(d="AA"),
        lambda header: header["epk"].update(x=b64(b"\x01" * 32)),
        lambda header: header["epk"].update(x=b64(b"\xff" * 32)),
        lambda header: header["epk"].update(x=b64(b"\x01" * 31)),
        lambda header: header.update(padding="p" * 2000),
    ],
)
def test_a_jwe_header_is_exactly_the_three_members(change: Callable[[dict[str, object]], object]) -> None:
    with pytest.raises(FormatError):
        opened(changed(seal(grant(), session_key=POINT, grantor=GRANTOR), change))


def test_key_wrapping_and_other_recipients_are_refused() -> None:
    plain = signed(grant().encode(), {"alg": "EdDSA"})
    direct = jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM"}, plain, OctKey.import_key(b"k" * 32))
    with pytest.raises(FormatError, match="alg"):
        opened(direct)
    parts = seal(grant(), session_key=POINT, grantor=GRANTOR).split(".")
    with pytest.raises(FormatError, match="no encrypted key"):
        opened(".".join([parts[0], "AAAA", *parts[2:]]))


def test_an_envelope_is_bounded() -> None:
    with pytest.raises(FormatError, match="over"):
        opened("A" * (4 << 20))
