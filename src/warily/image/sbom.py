"""The packages of an image as a CycloneDX 1.6 document; the same lock gives the same bytes."""

import uuid
from datetime import UTC, datetime

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from warily.image.apt import Package
from warily.image.lock import SETS, Lock
from warily.image.overlay import EPOCH


def sbom_of(lock: Lock, *, name: str, root_hash: bytes) -> bytes:
    """The document: every package with its purl and digest, and the set of the image it belongs to."""
    image = Component(
        name=name,
        type=ComponentType.OPERATING_SYSTEM,
        bom_ref=f"image:{name}",
        version=root_hash.hex(),
    )
    components = [_component(package, of, lock.suite) for of in SETS for package in lock.packages[of]]
    made = Bom(
        components=components,
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"urn:warily:sbom:{name}:{root_hash.hex()}"),
        metadata=BomMetaData(component=image, timestamp=datetime.fromtimestamp(EPOCH, UTC)),
    )
    made.register_dependency(image, components)
    return JsonV1Dot6(made).output_as_string(indent=2).encode() + b"\n"


def _component(package: Package, of: str, suite: str) -> Component:
    purl = PackageURL(
        type="deb",
        namespace="debian",
        name=package.name,
        version=package.version,
        qualifiers={"arch": package.architecture, "distro": suite},
    )
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.FIRMWARE if of == "firmware" else ComponentType.LIBRARY,
        bom_ref=str(purl),
        purl=purl,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=package.sha256.hex())],
        properties=[Property(name="warily:set", value=of)],
    )
