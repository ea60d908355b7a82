"""A guest of our own: it speaks to the broker as the real one does, and can be told to lie in one place."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests import forge
from warily.core.declaration import Platform
from warily.core.manifest import Ingredient, Manifest, PredictedRegister, VerityRoot, VolumeSpec
from warily.formats import cmw, guest_state, snp_certs, tsm_report
from warily.formats._json import from_b64url
from warily.formats.guest_state import GuestState
from warily.formats.snp_report import SIGNED_SIZE, SnpReport
from warily.formats.tsm_report import TsmReport
from warily.launch.rehearsal_keys import CPUID, LEVELS, Hierarchy
from warily.release.binding import HARDWARE, digest_without, report_data
from warily.release.grant import open_grant
from warily.release.messages import AttestRequest, Confirmation, Grant, LeaseAnswer, LeaseCall, Sealing
from warily.release.wrap import Kek
from warily.service.app import create_app
from warily.service.appraise import Trust
from warily.service.broker import Broker
from warily.service.store import Store

GRANTOR = ed25519.Ed25519PrivateKey.generate()
OWNER = ed25519.Ed25519PrivateKey.generate()
TOKEN = b"an operator's token"
KEK = Kek(b"key-encryption key of the tests!")
IDENTITY = sha256(b"identity.json").digest()
DIGEST = b"\x22" * 48
DESCRIPTOR = sha256(b"descriptor").digest()
SEAL = sha256(b"all tags").digest()
POLICY = 0x30000

MANIFEST = Manifest(
    name="ledger",
    suite="trixie",
    source_date_epoch=1757000000,
    ingredients=(Ingredient(role="kernel", name="vmlinuz", size=7, sha256=bytes(32)),),
    command_line="quiet",
    root=VerityRoot(algorithm="sha256", root_hash=bytes(32), salt=bytes(32), data_blocks=5, block_size=4096),
    cpus=2,
    memory=1 << 30,
    cpu="EPYC-v4",
    platforms=(Platform.REHEARSAL, Platform.SNP),
    registers=(
        PredictedRegister(platform=Platform.REHEARSAL, register="launch_digest", when={"vcpus": "2"}, value=DIGEST),
        PredictedRegister(platform=Platform.SNP, register="launch_digest", when={"vcpus": "2"}, value=b"\x55" * 48),
    ),
    volumes=(
        VolumeSpec(name="data", size=1 << 26, mount="/data", cipher="authenc"),
        VolumeSpec(name="more", size=1 << 26, mount="/more", cipher="authenc"),
    ),
    ports=(),
    grantor=GRANTOR.public_key().public_bytes_raw(),
)

STATE = GuestState(
    kernel="6.12",
    command_line="quiet",
    lockdown="integrity",
    modules_disabled=True,
    kexec_disabled=True,
    hibernation=False,
    swaps=0,
    root_is_verity=True,
    devices=(),
    released=(),
    autoprobe=(),
    listening=(),
    modules=(),
)


def trust(*, unknown_devices: bool = True) -> Trust:
    roots = frozenset({sha256(forge.ark()).digest()})
    return Trust(manifests=(MANIFEST,), rehearsal_roots=roots, unknown_devices=unknown_devices)


def chain() -> tuple[bytes, bytes, bytes]:
    return forge.leaf(), forge.ask(), forge.ark()


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime = forge.NOW

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def same(value: Any) -> Any:  # noqa: ANN401  # whatever it is
    return value


@dataclass(kw_only=True)
class Guest:
    """One boot of a VM. Each change is applied at its place in an otherwise honest attestation."""

    identity: bytes = IDENTITY
    volumes: tuple[str, ...] = ("data",)
    key: str = "vcek"
    keys: Hierarchy | None = None
    state: GuestState = STATE
    report: Callable[[SnpReport], SnpReport] = same
    hardware: Callable[[TsmReport], TsmReport] = same
    evidence: Callable[[dict[str, cmw.Record]], dict[str, cmw.Record]] = same
    request: Callable[[AttestRequest], AttestRequest] = same
    session_key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def point(self) -> bytes:
        return self.session_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def attestation(self, nonce: bytes) -> AttestRequest:
        state = cmw.Record(media_type=guest_state.MEDIA_TYPE, value=self.state.encode())
        records = {guest_state.LABEL: state}
        digest = digest_without(records, HARDWARE)
        bound = report_data(nonce=nonce, session_key=self.point, evidence_digest=digest)
        unsigned = replace(forge.REPORT, policy=POLICY, measurement=DIGEST, host_data=self.identity, report_data=bound)
        raw, certificates = self.signed(self.report(unsigned))
        report = TsmReport(provider=tsm_report.REHEARSAL, outblob=raw, auxblob=snp_certs.encode_table(certificates))
        hardware = cmw.Record(media_type=tsm_report.MEDIA_TYPE, value=self.hardware(report).encode())
        return self.request(
            AttestRequest(
                nonce=nonce,
                session_key=self.point,
                identity=self.identity,
                evidence=self.evidence(records | {HARDWARE: hardware}),
                volumes=self.volumes,
            )
        )

    def signed(self, report: SnpReport) -> tuple[bytes, list[tuple[str, bytes]]]:
        """The signed report and its chain: by the forge, or by a rehearsal's own keys, which have no calendar."""
        kinds = (snp_certs.VCEK, snp_certs.ASK, snp_certs.ARK)
        if self.keys is None:
            return forge.signed(report, key=self.key), list(zip(kinds, chain(), strict=True))
        level = LEVELS.encode()
        family, model, stepping = CPUID
        fitting = replace(
            report,
            current_tcb=level,
            reported_tcb=level,
            committed_tcb=level,
            launch_tcb=level,
            cpuid_family=family,
            cpuid_model=model,
            cpuid_stepping=stepping,
            chip_id=self.keys.chip_id,
        ).pack()
        r, s = decode_dss_signature(self.keys.signing_key.sign(fitting[:SIGNED_SIZE], ec.ECDSA(SHA384())))
        made = fitting[:SIGNED_SIZE] + r.to_bytes(72, "little") + s.to_bytes(72, "little")
        certificates = (self.keys.vcek, self.keys.ask, self.keys.ark)
        return made.ljust(len(fitting), b"\0"), list(zip(kinds, certificates, strict=True))

    def open(self, sealed: str, nonce: bytes, grantor: bytes = MANIFEST.grantor) -> Grant:
        return open_grant(sealed, session_key=self.session_key, grantor=grantor, nonce=nonce, identity=self.identity)


@dataclass(kw_only=True)
class Lab:
    """A broker in this process, and a client that reaches it through ASGI."""

    store: Store
    broker: Broker
    clock: Clock
    client: httpx.AsyncClient

    @classmethod
    async def open(cls, folder: Path, *, believes: Trust | None = None) -> "Lab":
        store = await Store.open(folder)
        clock = Clock()
        broker = Broker(
            store=store,
            kek=KEK,
            grantor=GRANTOR,
            trust=believes or trust(),
            now=clock,
            lease_seconds=1,
        )
        transport = httpx.ASGITransport(app=create_app(broker, token=TOKEN))
        client = httpx.AsyncClient(transport=transport, base_url="http://broker")
        return cls(store=store, broker=broker, clock=clock, client=client)

    async def close(self) -> None:
        await self.client.aclose()
        await self.store.close()

    async def nonce(self) -> bytes:
        answer = await self.client.post("/v1/nonce", content=b"{}")
        assert answer.status_code == 200
        return from_b64url(answer.json()["nonce"], what="nonce")

    async def attest(self, guest: Guest, nonce: bytes | None = None) -> httpx.Response:
        used = nonce or await self.nonce()
        return await self.client.post("/v1/attest", content=guest.attestation(used).encode())

    async def granted(self, guest: Guest) -> Grant:
        nonce = await self.nonce()
        answer = await self.attest(guest, nonce)
        assert answer.status_code == 200, answer.text
        return guest.open(answer.json()["grant"], nonce)

    async def confirm(
        self,
        grant: Grant,
        *,
        volume: str = "data",
        descriptor: bytes = DESCRIPTOR,
        key: bytes | None = None,
        epoch: int | None = None,
    ) -> httpx.Response:
        begun = grant.volumes[0].epoch + 1 if epoch is None else epoch
        said = Confirmation.make(
            session=grant.session, volume=volume, descriptor=descriptor, epoch=begun, lease_key=key or grant.lease_key
        )
        return await self.client.post("/v1/confirm", content=said.encode())

    async def seal(self, grant: Grant, *, digest: bytes = SEAL, epoch: int, key: bytes | None = None) -> httpx.Response:
        said = Sealing.make(
            session=grant.session, volume="data", epoch=epoch, seal=digest, lease_key=key or grant.lease_key
        )
        return await self.client.post("/v1/seal", content=said.encode())

    async def lease(self, grant: Grant, count: int) -> LeaseAnswer:
        call = LeaseCall.make(session=grant.session, count=count, lease_key=grant.lease_key)
        answer = await self.client.post("/v1/lease", content=call.encode())
        assert answer.status_code == 200, answer.text
        said = LeaseAnswer.decode(answer.content)
        assert said.is_tagged_by(grant.lease_key, session=grant.session)
        assert said.count == count
        return said

    async def operator(self, method: str, path: str, content: bytes = b"") -> Any:  # noqa: ANN401  # JSON
        headers = {"authorization": f"Bearer {TOKEN.decode()}"}
        answer = await self.client.request(method, f"/v1/operator/{path}", headers=headers, content=content)
        assert answer.status_code == 200, answer.text
        return json.loads(answer.content)


def refused(answer: httpx.Response) -> dict[str, Any]:
    """The problem document of a refusal, with the failed checks under `failed`."""
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = json.loads(answer.content)
    assert found["status"] == answer.status_code
    failed = [entry["check"] for entry in found["findings"] if entry["outcome"] == "fail"]
    return found | {"failed": failed}
