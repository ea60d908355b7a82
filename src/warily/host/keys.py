"""The user's own signing keys: made on first use, readable by their owner alone, never printed.

`owner` signs manifests. `grantor` signs the broker's grants; its public half stands on the measured
command line of every image, so that a guest accepts keys from this broker and no other.
"""

import os
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from warily.errors import HostError
from warily.host import paths

NAMES: Final = ("owner", "grantor")
OTHERS: Final = 0o077
LIMIT: Final = 4096


def signing_key(name: str, *, folder: Path | None = None) -> Ed25519PrivateKey:
    """The Ed25519 key of that name, made and kept (mode 0600) where there is none yet.

    Raises `HostError` where the file is not a key or others may read it.
    """
    home = folder or paths.keys()
    path = home / f"{name}.key"
    if not path.exists():
        _make(path)
    if path.stat().st_mode & OTHERS:
        msg = f"{path} may be read by others"
        raise HostError(msg, hint=f"run `chmod 600 {path}`, and consider the key known to them")
    with path.open("rb") as file:
        pem = file.read(LIMIT)
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        msg = f"{path} is not an Ed25519 private key in PEM"
        raise HostError(msg)
    return key


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    """The 32 raw bytes of the public half."""
    return key.public_key().public_bytes_raw()


def _make(path: Path) -> None:
    """A new key appears whole or not at all, and two first uses agree on one key."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    fresh = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, pem)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass  # somebody else was first; theirs is the key
    finally:
        fresh.unlink()
