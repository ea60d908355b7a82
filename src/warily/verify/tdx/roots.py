"""What is known of Intel beforehand: its root, and the few certificates below it."""

from functools import lru_cache
from importlib import resources
from typing import Final

from warily.formats import pem
from warily.formats.x509 import Certificate
from warily.verify import x509

NAME: Final = "Intel SGX Root CA"


@lru_cache(maxsize=1)
def intel_root() -> Certificate:
    """Intel SGX Root CA, which signs for SGX and TDX."""
    (root,) = _pinned("intel_sgx_root.pem")
    return root


@lru_cache(maxsize=1)
def known() -> dict[bytes, Certificate]:
    """The root, and the authorities and signers below it that Intel has published, by their DER.

    Almost every chain is made of these and a PCK certificate. Only the root is trusted.
    """
    return {one.raw: one for one in (intel_root(), *_pinned("intel_sgx_known.pem"))}


def certificate_of(der: bytes) -> Certificate:
    """The certificate that `der` is. Raises `FormatError`."""
    return known().get(der) or x509.decoded(der)


def _pinned(name: str) -> tuple[Certificate, ...]:
    text = resources.files("warily.verify").joinpath("roots", name).read_bytes()
    return tuple(x509.decoded(block.der) for block in pem.decode_blocks(text))
