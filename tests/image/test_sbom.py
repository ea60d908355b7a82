"""The package list: CycloneDX, and the same bytes every time."""

import json

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from warily.image.apt import Package
from warily.image.lock import Lock
from warily.image.sbom import sbom_of

PACKAGE = Package(name="libstdc++6", version="1:14.2.0-19", architecture="amd64", sha256=bytes(range(32)), size=9)
LOCK = Lock(suite="trixie", wanted={}, packages={"root": (PACKAGE,), "boot": (), "firmware": ()})


def test_it_is_deterministic_and_names_every_package_by_purl_and_digest() -> None:
    text = sbom_of(LOCK, name="ledger", root_hash=bytes(32))
    assert text == sbom_of(LOCK, name="ledger", root_hash=bytes(32))
    (component,) = json.loads(text)["components"]
    assert component["purl"] == "pkg:deb/debian/libstdc%2B%2B6@1:14.2.0-19?arch=amd64&distro=trixie"
    assert component["hashes"] == [{"alg": "SHA-256", "content": bytes(range(32)).hex()}]


def test_it_is_valid() -> None:
    text = sbom_of(LOCK, name="ledger", root_hash=bytes(32)).decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
