"""A real TPM in software (swtpm), spoken to in TPM 2.0 commands: no tools between the test and what a TPM does."""

import array
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

ALGORITHMS: Final = {"sha1": 0x0004, "sha256": 0x000B, "sha384": 0x000C, "sha512": 0x000D}
SIZES: Final = {0x0004: 20, 0x000B: 32, 0x000C: 48, 0x000D: 64}
NO_SESSIONS: Final = 0x8001
SESSIONS: Final = 0x8002
OWNER: Final = 0x40000001
NULL: Final = 0x40000007
PASSWORD: Final = 0x40000009
SET_DATA_CONNECTION: Final = 0x10
WITHIN: Final = 20.0


class SoftwareTpm:
    """A TPM that begins with all registers at zero. `control` is the socket that QEMU's emulator back end wants."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="tpm."))
        self.control = self._folder / "control"
        self._data: socket.socket | None = None

    def __enter__(self) -> Self:
        program = shutil.which("swtpm")
        assert program is not None, "swtpm is not installed: run `./dev test`"
        control = f"type=unixio,path={self.control}"
        command = [program, "socket", "--tpm2", "--tpmstate", f"dir={self._folder}", "--ctrl", control]
        self._process = subprocess.Popen([*command, "--flags", "not-need-init,startup-clear"])
        end = time.monotonic() + WITHIN
        while not self.control.exists():
            assert time.monotonic() < end, "swtpm does not start"
            assert self._process.poll() is None, "swtpm ended"
            time.sleep(0.02)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._data is not None:
            self._data.close()
        self._process.terminate()
        self._process.wait(WITHIN)
        shutil.rmtree(self._folder)

    def connect(self) -> None:
        """Take the data connection: after this, no machine has it any more."""
        ours, theirs = socket.socketpair()
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(WITHIN)
            control.connect(str(self.control))
            descriptors = array.array("i", [theirs.fileno()])
            control.sendmsg(
                [SET_DATA_CONNECTION.to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)]
            )
            assert control.recv(4) == bytes(4)
        theirs.close()
        ours.settimeout(WITHIN)
        self._data = ours

    def command(self, code: int, body: bytes, *, tag: int = NO_SESSIONS) -> bytes:
        """What the TPM answers, after its header. Anything but success fails the test."""
        if self._data is None:
            self.connect()
        assert self._data is not None
        self._data.sendall(
            tag.to_bytes(2, "big") + (10 + len(body)).to_bytes(4, "big") + code.to_bytes(4, "big") + body
        )
        answer = self._data.recv(4096)
        assert answer[6:10] == bytes(4), f"command {code:#x}: {answer[6:10].hex()}"
        return answer[10:]

    def read(self, bank: str, index: int) -> bytes:
        """TPM2_PCR_Read of one register; empty where the bank is not allocated."""
        answer = self.command(0x17E, selection(bank, [index]))
        at = 8 + 6 * int.from_bytes(answer[4:8], "big")
        if answer[at : at + 4] == bytes(4) or len(answer) <= at + 4:
            return b""
        return answer[at + 6 : at + 6 + int.from_bytes(answer[at + 4 : at + 6], "big")]

    def extend(self, index: int, digests: dict[str, bytes]) -> None:
        """TPM2_PCR_Extend, with the digest of each bank."""
        parts = b"".join(ALGORITHMS[bank].to_bytes(2, "big") + digest for bank, digest in digests.items())
        password = PASSWORD.to_bytes(4, "big") + bytes(5)
        authorization = len(password).to_bytes(4, "big") + password
        body = index.to_bytes(4, "big") + authorization + len(digests).to_bytes(4, "big") + parts
        self.command(0x182, body, tag=SESSIONS)

    def policy_session(self, algorithm: str = "sha256") -> int:
        """TPM2_StartAuthSession of a policy session; its handle."""
        nonce = sized(bytes(16))
        body = NULL.to_bytes(4, "big") * 2 + nonce + sized(b"") + b"\x01" + (0x0010).to_bytes(2, "big")
        return int.from_bytes(self.command(0x176, body + ALGORITHMS[algorithm].to_bytes(2, "big"))[:4], "big")

    def policy_pcr(self, session: int, selections: bytes, digest: bytes = b"") -> None:
        """TPM2_PolicyPCR. In a policy session the registers' present values count, and must fit a digest given."""
        self.command(0x17F, session.to_bytes(4, "big") + sized(digest) + selections)

    def policy_digest(self, session: int) -> bytes:
        """TPM2_PolicyGetDigest."""
        return unsized(self.command(0x189, session.to_bytes(4, "big")))

    def load(self, public: bytes) -> tuple[int, bytes]:
        """TPM2_LoadExternal of a public key: its handle and its name."""
        answer = self.command(0x167, sized(b"") + sized(public) + OWNER.to_bytes(4, "big"))
        return int.from_bytes(answer[:4], "big"), unsized(answer[4:])

    def verify(self, key: int, digest: bytes, signature: bytes) -> bytes:
        """TPM2_VerifySignature of a TPMT_SIGNATURE: the ticket."""
        return self.command(0x177, key.to_bytes(4, "big") + sized(digest) + signature)

    def policy_authorize(self, session: int, approved: bytes, name: bytes, ticket: bytes) -> None:
        """TPM2_PolicyAuthorize without a policyRef."""
        self.command(0x16A, session.to_bytes(4, "big") + sized(approved) + sized(b"") + sized(name) + ticket)


def selection(bank: str, indexes: list[int]) -> bytes:
    """A TPML_PCR_SELECTION of one bank."""
    bits = sum(1 << index for index in indexes)
    return (1).to_bytes(4, "big") + ALGORITHMS[bank].to_bytes(2, "big") + b"\x03" + bits.to_bytes(3, "little")


def sized(data: bytes) -> bytes:
    """A TPM2B."""
    return len(data).to_bytes(2, "big") + data


def unsized(data: bytes) -> bytes:
    """The content of the TPM2B that `data` begins with."""
    return data[2 : 2 + int.from_bytes(data[:2], "big")]
