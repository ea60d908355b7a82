"""NVIDIA's two roots, one over devices and one over reference manifests, and what a device's leaf says of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

from warily.formats import pem
from warily.formats.x509 import Certificate
from warily.verify import certificate_path, x509

DEVICE_ROOT: Final = "nvidia_device.pem"
MANIFEST_ROOT: Final = "nvidia_rim.pem"
WIDTH: Final = 48
MAX_LEAVES: Final = 64
HOPPER: Final = "GH1"
_MODEL: Final = re.compile(r"[A-Z]{2}_?[0-9]{2,3}")
_FAMILY: Final = re.compile(r"[A-Z]{2}[0-9]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """Whose word authenticity rests on."""

    name: str
    rehearsal: bool


@lru_cache(maxsize=2)
def pinned(name: str) -> Certificate:
    """One of NVIDIA's roots, built in."""
    (block,) = pem.decode_blocks(resources.files("warily.verify").joinpath("roots", name).read_bytes())
    return x509.decoded(block.der)


def anchor_of(top: Certificate, root: str, rehearsal_roots: frozenset[bytes]) -> Anchor | None:
    """The trust anchor that the top of a path is: NVIDIA's own of that file, or a rehearsal root by its fingerprint."""
    if top.raw == pinned(root).raw:
        return Anchor(name=top.name, rehearsal=False)
    print_ = x509.fingerprint(top)
    if print_ in rehearsal_roots:
        return Anchor(name=f"rehearsal root {print_.hex()[:16]}", rehearsal=True)
    return None


def leaf_for(signed: bytes, signature: bytes, offered: Sequence[Certificate]) -> Certificate | None:
    """The certificate of a device, no authority, whose key signed; else the first of one; None where there is none."""
    leaves = [entry for entry in offered if not entry.is_authority][:MAX_LEAVES]
    return next((leaf for leaf in leaves if raw_verifies(leaf, signature, signed)), leaves[0] if leaves else None)


def raw_verifies(signer: Certificate, signature: bytes, message: bytes) -> bool:
    """Whether a signature of 96 bytes, R and S, over `message` (ECDSA P-384, SHA-384) is by that certificate's key."""
    key = x509.p384_key(signer.public_key)
    if key is None or len(signature) != 2 * WIDTH:
        return False
    r, s = (int.from_bytes(part, "big") for part in (signature[:WIDTH], signature[WIDTH:]))
    try:
        key.verify(encode_dss_signature(r, s), message, ec.ECDSA(SHA384()))
    except InvalidSignature:
        return False
    return True


def climb(leaf: Certificate, offered: Sequence[Certificate], root: str) -> tuple[Certificate, ...]:
    """The path from the leaf upwards, the built-in root among those offered."""
    return certificate_path.climb(leaf, (*offered, pinned(root)))


def model_of(leaf: Certificate) -> str:
    """The chip that the leaf is of, such as `GH100` or `LS10`; empty where its name does not say."""
    found = _MODEL.match(leaf.name)
    return found[0].replace("_", "") if found else ""


def family_of(model: str) -> str:
    """The family of a chip, such as `GH1`: all of a family share the manifest of a driver."""
    found = _FAMILY.match(model.replace("_", ""))
    return found[0] if found else model


def driver_manifest(model: str, version: str) -> str:
    """The name under which NVIDIA publishes the manifest of a driver for that chip; later ones have `CC` in it."""
    kind = "NV_GPU_DRIVER" if family_of(model) == HOPPER else "NV_GPU_CC_DRIVER"
    return f"{kind}_{model}_{version}"
