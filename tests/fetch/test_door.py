"""The door lets in a whole answer of a known size from the server that was asked, and nothing else."""

import ipaddress
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.fetch import vendor as behaviour
from tests.fetch.vendor import Reply, Vendor, serving
from warily.errors import CollateralError, UsageError
from warily.fetch.door import Door, Pace, _retry_after
from warily.fetch.servers import Target, servers

NOW = datetime.now(UTC)  # noqa: TID251  # TLS and Retry-After are about the real time
BRISK = Pace(patience=9.0, attempt=6.0, connect=1.0, first_wait=0.01, longest_wait=1.0)


class Heard(list[str]):
    def __call__(self, line: str) -> None:
        self.append(line)


def ask(vendor: Vendor, path: str = "/x", *, limit: int = 1000, pace: Pace = BRISK) -> bytes:
    return Door(pace=pace, say=Heard()).get(Target(url=vendor.url + path, spacing=0), limit=limit).body


def test_a_whole_answer(vendor: Vendor) -> None:
    vendor.on("/x", b"a" * 1000)
    assert ask(vendor) == b"a" * 1000


@pytest.mark.parametrize("status", [400, 404, 410])
def test_absent_is_said(vendor: Vendor, status: int) -> None:
    vendor.on("/x", Reply(status=status, body=b"no such thing"))
    reply = Door(pace=BRISK, say=Heard()).get(Target(url=f"{vendor.url}/x", spacing=0), limit=1)
    assert reply.absent
    assert reply.body == b""


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_waited_for(vendor: Vendor, status: int) -> None:
    vendor.on("/x", Reply(status=status), Reply(status=status), b"now")
    heard = Heard()
    door = Door(pace=BRISK, say=heard)
    assert door.get(Target(url=f"{vendor.url}/x", spacing=0), limit=10).body == b"now"
    assert len(vendor.asked) == 3
    assert [f"it answers {status}; trying again" in line for line in heard] == [True, True]


def test_as_long_as_it_asks_for(vendor: Vendor) -> None:
    vendor.on("/x", Reply(status=429, headers={"Retry-After": "1"}), b"now")
    started = time.monotonic()
    assert ask(vendor) == b"now"
    assert time.monotonic() - started >= 1.0


def test_but_not_longer_than_patience(vendor: Vendor) -> None:
    vendor.on("/x", Reply(status=503, headers={"Retry-After": "3600"}))
    with pytest.raises(CollateralError, match=r"answers 503, and asks to wait 3600 s"):
        ask(vendor)
    assert len(vendor.asked) == 1


def test_a_server_that_stays_busy_is_given_up(vendor: Vendor) -> None:
    vendor.on("/x", Reply(status=429))
    with pytest.raises(CollateralError, match="does not answer: it answers 429"):
        ask(vendor, pace=Pace(patience=0.4, first_wait=0.02, longest_wait=0.05))
    assert len(vendor.asked) > 1


def test_retry_after_in_all_its_forms() -> None:
    assert _retry_after("7") == 7.0
    now = datetime.now(UTC)  # noqa: TID251  # what is asked for counts from now
    soon = (now + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert 60 < (_retry_after(soon) or 0) <= 90
    assert _retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    for text in ("", "soon", "-1", "1e9", "999999999999", "Wed, 99 Oct 2015 07:28:00 GMT", "٣"):
        assert _retry_after(text) is None


def test_rationed_requests_are_spaced(vendor: Vendor) -> None:
    vendor.on("/x", b"a")
    heard = Heard()
    door = Door(pace=BRISK, say=heard)
    started = time.monotonic()
    for _ in range(3):
        door.get(Target(url=f"{vendor.url}/x", spacing=0.15), limit=10)
    assert time.monotonic() - started >= 0.3
    assert "rations requests; waiting" in heard[0]
    door.get(Target(url=f"{vendor.url}/x", spacing=0), limit=10)
    assert len(heard) == 2


@pytest.mark.parametrize("behave", [behaviour.slowly, behaviour.drip_headers, behaviour.cut_short, behaviour.no_http])
def test_no_whole_answer_is_none(vendor: Vendor, behave: object) -> None:
    vendor.on("/x", Reply(behave=behave))  # type: ignore[arg-type]  # one of the above
    started = time.monotonic()
    with pytest.raises(CollateralError, match=r"does not answer|not taken"):
        ask(vendor, pace=Pace(patience=3, tries=2, attempt=0.15, first_wait=0.01, longest_wait=0.1))
    assert time.monotonic() - started < 4


def test_a_bad_moment_is_forgiven(vendor: Vendor) -> None:
    vendor.on("/x", Reply(behave=behaviour.cut_short), Reply(behave=behaviour.no_http), b"now")
    assert ask(vendor) == b"now"


def test_a_body_without_end_is_cut_off(vendor: Vendor) -> None:
    vendor.on("/x", Reply(behave=behaviour.without_end))
    with pytest.raises(CollateralError, match="over 1000 bytes"):
        ask(vendor)
    vendor.on("/x", b"a" * 1001)
    with pytest.raises(CollateralError, match="over 1000 bytes"):
        ask(vendor)


@pytest.mark.parametrize("status", [201, 206, 401, 403, 418])
def test_other_answers_are_refused(vendor: Vendor, status: int) -> None:
    vendor.on("/x", Reply(status=status, body=b"a"))
    with pytest.raises(CollateralError, match=f"not taken: status {status}"):
        ask(vendor)
    assert len(vendor.asked) == 1


def test_an_encoding_that_was_not_asked_for(vendor: Vendor) -> None:
    vendor.on("/x", Reply(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"}))
    with pytest.raises(CollateralError, match="encoded as 'gzip'"):
        ask(vendor)


def test_redirects_stay_on_the_server(vendor: Vendor) -> None:
    vendor.on("/x", Reply(status=302, headers={"Location": "/y"}))
    vendor.on("/y", b"here")
    assert ask(vendor) == b"here"
    vendor.on("/y", Reply(status=307, headers={"Location": "/x"}))
    with pytest.raises(CollateralError, match="over 3 redirects"):
        ask(vendor)
    with serving(Vendor()) as other:
        other.on("/y", b"there")
        for there in (f"{other.url}/y", vendor.url.replace("http:", "https:"), "file:///etc/passwd", "http://[", ""):
            vendor.on("/x", Reply(status=301, headers={"Location": there}))
            with pytest.raises(CollateralError, match=r"redirect"):
                ask(vendor)
        assert other.asked == []


def test_nobody_there() -> None:
    with serving(Vendor()) as gone:
        url = gone.url
    door = Door(pace=Pace(patience=2, first_wait=0.01, longest_wait=0.05), say=(heard := Heard()))
    with pytest.raises(CollateralError, match="does not answer") as caught:
        door.get(Target(url=url, spacing=0), limit=1)
    assert caught.value.exit_status == 4
    assert len(heard) == 2
    with pytest.raises(CollateralError):
        door.get(Target(url=f"{url}/y", spacing=0), limit=1)
    assert len(heard) == 2, "a server that did not answer is not waited for again"


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1/", "http://example.com/", "ftp://127.0.0.1/", "https://", "127.0.0.1", "https://a:b@c/",
        "https://h:port/", "https://[", "http://127.0.0.1.example.com/", "https://h/\n", "file:///etc/passwd",
    ],
)  # fmt: skip
def test_addresses_that_are_not_asked(url: str) -> None:
    with pytest.raises(UsageError):
        servers({"kds": url}, {})
    with pytest.raises(UsageError):
        Door(pace=BRISK, say=Heard()).get(Target(url=url, spacing=0), limit=1)


def test_servers_by_option_and_variable() -> None:
    found = servers({"pcs": "https://a.example/"}, {"WARILY_SERVER_PCS": "https://b.example", "WARILY_SERVER_KDS": ""})
    assert found.mirrors == {"pcs": "https://a.example"}
    assert servers({}, {"WARILY_SERVER_INTEL_ROOT": "http://[::1]:8080"}).mirrors == {"intel-root": "http://[::1]:8080"}
    with pytest.raises(UsageError, match="no service is called 'kdss'"):
        servers({"kdss": "https://a.example"}, {})
    with pytest.raises(UsageError, match="has a query"):
        servers({"kds": "https://a.example/?x"}, {})


@pytest.fixture
def certified(tmp_path: Path) -> Path:
    """A self-signed certificate of 127.0.0.1 and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a mirror")])
    made = (
        x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )
    path = tmp_path / "mirror.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(made.public_bytes(Encoding.PEM) + private)
    return path


def test_tls_is_by_somebody_trusted(certified: Path, tmp_path: Path) -> None:
    with serving(Vendor(), tls=certified) as mirror:
        mirror.on("/x", b"sealed")
        with pytest.raises(CollateralError, match="TLS certificate is by nobody who is trusted") as caught:
            ask(mirror)
        assert "--tls-root" in (caught.value.hint or "")
        assert mirror.asked == []
        target = Target(url=f"{mirror.url}/x", spacing=0)
        assert Door(pace=BRISK, say=Heard(), roots=certified).get(target, limit=10).body == b"sealed"
        for wrong in (tmp_path / "absent.pem", Path(__file__)):
            with pytest.raises(UsageError, match="no certificates of authorities"):
                Door(pace=BRISK, say=Heard(), roots=wrong).get(target, limit=10)
