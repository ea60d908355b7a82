"""A device of our own that speaks SPDM, to record conversations with exactly one thing wrong."""

import hashlib
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

from tests.forge import ec_key
from tests.forge_nvidia import NONCE, Plan, certificate, tlv
from warily.core.collateral import SpdmCollateral
from warily.core.evidence import SpdmEvidence
from warily.core.expect import SpdmExpect
from warily.formats.spdm import CertificateChain, DeviceMode, MeasurementBlock, Measurements
from warily.formats.spdm_transcript import Message, encode_messages
from warily.verify.spdm.presets import BASELINE
from warily.verify.spdm.signature import PURPOSE

NAME = "ACME:NIC:0001"
OTHER_NAME = tlv(
    0x30,
    tlv(0xA0, tlv(0x06, bytes.fromhex("2b06010401831c821201")), tlv(0xA0, tlv(0x0C, NAME.encode()))),
)
ROOT = Plan(common="maker", issuer="maker")
LEAF = Plan(common="nic", issuer="maker", ca=False, extra=(("2.5.29.17", OTHER_NAME),), points=True)
CODE = hashlib.sha384(b"code").digest()
MODE = DeviceMode(operational_capabilities=4, operational_state=4, debug_capabilities=31, debug_state=0)
BLOCKS = (
    MeasurementBlock(index=1, type=1, raw=False, value=CODE),
    MeasurementBlock(index=0x10, type=7, raw=True, value=(7).to_bytes(8, "little")),
    MeasurementBlock(index=0xFE, type=5, raw=True, value=MODE.pack()),
)


def mode(state: int) -> tuple[MeasurementBlock, ...]:
    return (*BLOCKS[:2], replace(BLOCKS[2], value=replace(MODE, debug_state=state).pack()))


@dataclass(frozen=True, kw_only=True)
class ForgedSpdm:
    """A conversation. As it stands it is accepted, as a rehearsal."""

    version: int = 0x12
    offered: tuple[int, ...] = (0x11, 0x12, 0x13)
    chain: tuple[Plan, ...] = (ROOT, LEAF)
    root_hash: bytes | None = None
    digest: bytes | None = None
    with_chain: bool = True
    key: str = "nic"
    blocks: tuple[MeasurementBlock, ...] = BLOCKS
    answered_slot: int = 0
    tail: bytes = b""
    expect: SpdmExpect = BASELINE
    trusted: tuple[Plan, ...] = (ROOT,)
    collateral: SpdmCollateral = field(default_factory=SpdmCollateral)

    @property
    def _chain(self) -> bytes:
        ders = tuple(certificate(plan) for plan in self.chain)
        return CertificateChain(
            root_hash=self.root_hash or hashlib.sha384(ders[0]).digest(), certificates=ders
        ).encode()

    @property
    def _agreed(self) -> list[bytes]:
        v = bytes([self.version])
        offered = b"".join(bytes([0, version]) for version in self.offered)
        algorithms = (
            bytes([1, 2]) + (4).to_bytes(4, "little") + (0x80).to_bytes(4, "little") + (2).to_bytes(4, "little")
        )
        return [
            b"\x10\x84\x00\x00",
            b"\x10\x04\x00\x00\x00" + bytes([len(self.offered)]) + offered,
            v + b"\xe1\x00\x00" + bytes(16),
            v + b"\x61\x00\x00" + bytes(16),
            v + b"\xe3\x00\x00\x20\x00" + bytes(26),
            v + b"\x63\x00\x00\x24\x00" + algorithms + bytes(16),
        ]

    @property
    def _certificates(self) -> list[bytes]:
        if not self.with_chain:
            return []
        v, chain = bytes([self.version]), self._chain
        digest = self.digest or hashlib.sha384(chain).digest()
        first, rest = chain[:300], chain[300:]
        return [
            v + b"\x81\x00\x00",
            v + b"\x01\x00\x01" + digest,
            v + b"\x82\x00\x00" + (0).to_bytes(2, "little") + (300).to_bytes(2, "little"),
            v + b"\x02\x00\x00" + len(first).to_bytes(2, "little") + len(rest).to_bytes(2, "little") + first,
            v + b"\x82\x00\x00" + (300).to_bytes(2, "little") + (0xFFFF).to_bytes(2, "little"),
            v + b"\x02\x00\x00" + len(rest).to_bytes(2, "little") + bytes(2) + rest,
        ]

    @property
    def evidence(self) -> SpdmEvidence:
        context = bytes(8) if self.version >= 0x13 else b""
        request = bytes([self.version, 0xE0, 1, 0xFF]) + NONCE + b"\x00" + context
        response = Measurements(
            version=self.version, total=0, slot=self.answered_slot, blocks=self.blocks, nonce=bytes(32), opaque=b"",
            context=context, signature=b"",
        ).encode()  # fmt: skip
        signature = self._sign(request + response)
        messages = [*self._agreed, *self._certificates, request, response + signature]
        made = tuple(Message(direction=at % 2, data=data) for at, data in enumerate(messages))
        return SpdmEvidence(transcript=encode_messages(made) + self.tail)

    def _sign(self, measured: bytes) -> bytes:
        message = measured
        if self.version >= 0x12:
            named = f"dmtf-spdm-v1.{self.version & 0xF}.*".encode() * 4
            message = named + bytes(100 - len(named) - len(PURPOSE)) + PURPOSE
            message += hashlib.sha384(b"".join(self._agreed) + measured).digest()
        r, s = decode_dss_signature(ec_key(self.key).sign(message, ec.ECDSA(SHA384())))
        return r.to_bytes(48, "big") + s.to_bytes(48, "big")

    @property
    def expectation(self) -> SpdmExpect:
        roots = frozenset(hashlib.sha256(certificate(plan)).digest() for plan in self.trusted)
        return replace(self.expect, rehearsal_roots=roots)
