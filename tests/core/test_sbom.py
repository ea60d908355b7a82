"""Package lists: what we write is read, and nothing else is believed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.core.sbom import Component, read_sbom
from warily.errors import FormatError

PACKAGE = {
    "name": "dash",
    "version": "0.5.12-12",
    "purl": "pkg:deb/debian/dash",
    "hashes": [{"alg": "SHA-256", "content": "ab" * 32}],
}


def document(*components: object) -> bytes:
    return json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": list(components)}).encode()


def test_components_are_read() -> None:
    found = read_sbom(document(PACKAGE, {"name": "bare", "hashes": [{"alg": "MD5", "content": "00"}]}))
    assert found == (
        Component(name="dash", version="0.5.12-12", purl="pkg:deb/debian/dash", sha256=b"\xab" * 32),
        Component(name="bare", version="", purl="", sha256=b""),
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"{", "not JSON"),
        (b"[]", "not a CycloneDX"),
        (b'{"bomFormat":"SPDX"}', "not a CycloneDX"),
        (b'{"bomFormat":"CycloneDX","components":{}}', "no list"),
        (document(1), "not an object"),
        (document({"version": "1"}), "not text"),
        (document({"name": "x", "version": 1}), "not text"),
        (document({"name": "x", "hashes": {}}), "no list of objects"),
        (document({"name": "x", "hashes": [1]}), "no list of objects"),
        (document({"name": "x", "hashes": [{"alg": "SHA-256", "content": "zz"}]}), "64 hexadecimal"),
        (document({"name": "x", "hashes": [{"alg": "SHA-256", "content": "z" * 64}]}), "64 hexadecimal"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_other_documents_are_refused(text: bytes, says: str) -> None:
    with pytest.raises(FormatError, match=says):
        read_sbom(text)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(noise: bytes) -> None:
    with pytest.raises(FormatError):
        read_sbom(noise)
