"""Intel's pinned root (`verify/roots`)."""

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
    text = resources.files("warily.verify").joinpath("roots", "intel_sgx_root.pem").read_bytes()
    (block,) = pem.decode_blocks(text)
    return x509.decoded(block.der)
