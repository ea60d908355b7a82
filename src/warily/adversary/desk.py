"""A real broker in this process, and a guest on paper: what a host can say to a broker without a boot.

The guest's reports are signed by the rehearsal processor for the very launch of the stage's machine. So everything
the broker hears is genuine, but for the one thing that an attack changes.
"""

import asyncio
import secrets
import tempfile
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from warily.core.declaration import Platform
from warily.core.manifest import Manifest
from warily.formats import guest_state, snp_certs, tsm_report
from warily.formats._json import JsonObject, from_b64url
from warily.formats.cmw import Record
from warily.formats.guest_state import GuestState
from warily.formats.tsm_report import TsmReport
from warily.launch.rehearsal_keys import Hierarchy, hierarchy
from warily.launch.rehearsal_sp import Processor, fingerprint
from warily.release.binding import HARDWARE, digest_without, report_data
from warily.release.grant import open_grant, uncompressed
from warily.release.messages import GRANT_LIMIT, AttestRequest, Grant
from warily.release.wrap import KEY, Kek
from warily.service.appraise import Trust
from warily.service.broker import Broker
from warily.service.problem import Problem
from warily.service.store import Store
from warily.up.session import launch_plan

if TYPE_CHECKING:
    from warily.adversary.stage import Stage

T = TypeVar("T")
NOBODY: Final = ("127.0.0.1", 4444)
RUN: Final = "/run/warily"


@dataclass(slots=True)
class Clock:
    """The broker's clock, in its host's hands."""

    now: datetime = field(default_factory=lambda: datetime.now(tz=UTC))  # noqa: TID251  # it acts in the present

    def __call__(self) -> datetime:
        """The time that the broker believes."""
        return self.now

    def move(self, **by: float) -> None:
        """The clock is another: keyword arguments as `timedelta` takes them."""
        self.now += timedelta(**by)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperGuest:
    """A machine of the image under one identity, with a session key of its own."""

    processor: Processor
    keys: Hierarchy
    identity: bytes
    volumes: tuple[str, ...]
    state: bytes
    session_key: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()))

    @property
    def point(self) -> bytes:
        """The public half of its session key."""
        return uncompressed(self.session_key)

    def request(self, nonce: bytes) -> AttestRequest:
        """What the guest would send for this nonce."""
        collection = {guest_state.LABEL: Record(media_type=guest_state.MEDIA_TYPE, value=self.state)}
        wanted = report_data(nonce=nonce, session_key=self.point, evidence_digest=digest_without(collection, HARDWARE))
        chain = [
            (snp_certs.VCEK, self.keys.vcek),
            (snp_certs.ASK, self.keys.ask),
            (snp_certs.ARK, self.keys.ark),
        ]
        report = TsmReport(
            provider=tsm_report.REHEARSAL,
            outblob=self.processor.report(wanted, vmpl=0),
            auxblob=snp_certs.encode_table(chain),
        )
        hardware = Record(media_type=tsm_report.MEDIA_TYPE, value=report.encode())
        return AttestRequest(
            nonce=nonce,
            session_key=self.point,
            identity=self.identity,
            evidence=collection | {HARDWARE: hardware},
            volumes=self.volumes,
        )


class Desk:
    """A broker that trusts one manifest, its store, its clock, and whoever speaks to it."""

    def __init__(self, runner: asyncio.Runner, broker: Broker, clock: Clock) -> None:
        self._runner = runner
        self.broker = broker
        self.clock = clock

    @property
    def grantor(self) -> bytes:
        """The key whose grants the image of this broker accepts."""
        return self.broker.grantor.public_key().public_bytes_raw()

    def nonce(self) -> bytes:
        """A nonce of the broker's."""
        answer = JsonObject.parse(self.broker.nonce(), what="nonce", limit=4096)
        return from_b64url(answer.text("nonce"), what="nonce")

    def attest(self, request: AttestRequest) -> str | Problem:
        """The sealed grant, or why there is none."""
        try:
            answer = self.run(self.broker.attest(request.encode()))
        except Problem as problem:
            return problem
        return JsonObject.parse(answer, what="answer", limit=2 * GRANT_LIMIT).text("grant", limit=2 * GRANT_LIMIT)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What the broker's own code returns."""
        return self._runner.run(work)


@contextmanager
def desk(stage: "Stage", *, manifest: Manifest | None = None) -> Iterator[Desk]:
    """A broker for the stage's image, or for another manifest, with an empty store; gone after the block."""
    root = fingerprint(hierarchy(stage.home.rehearsal).ark)
    trust = Trust(manifests=(manifest or stage.manifest,), rehearsal_roots=frozenset({root}), unknown_devices=True)
    clock = Clock()
    with tempfile.TemporaryDirectory(prefix="warily-desk-") as folder, asyncio.Runner() as runner:
        store = runner.run(Store.open(Path(folder)))
        grantor, kek = Ed25519PrivateKey.generate(), Kek(secrets.token_bytes(KEY))
        try:
            yield Desk(runner, Broker(store=store, kek=kek, grantor=grantor, trust=trust, now=clock), clock)
        finally:
            runner.run(store.close())


def paper_guest(stage: "Stage", *, policy: int | None = None) -> PaperGuest:
    """A guest of the stage's image, measured as its launch would be; its processor reports `policy` if told so."""
    keys = hierarchy(stage.home.rehearsal)
    plan = launch_plan(
        stage.home, stage.manifest, Platform.REHEARSAL, run=RUN, broker=NOBODY, ports=stage.manifest.ports
    )
    return PaperGuest(
        processor=Processor(plan, keys, policy=policy),
        keys=keys,
        identity=plan.host_data,
        volumes=tuple(volume.name for volume in stage.manifest.volumes),
        state=_state(stage.manifest),
    )


def _state(manifest: Manifest) -> bytes:
    """What the guest says of itself: nothing remarkable."""
    return GuestState(
        kernel="6.12",
        command_line=manifest.command_line,
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
    ).encode()


def opened(sealed: str, guest: PaperGuest, *, grantor: bytes, nonce: bytes) -> Grant:
    """The grant as the guest opens it, by the guest's own code."""
    return open_grant(sealed, session_key=guest.session_key, grantor=grantor, nonce=nonce, identity=guest.identity)


def failed_checks(problem: Problem) -> str:
    """Which findings refused a request, in words."""
    failed = [f"{one.check} ({one.found})" for one in problem.findings if one.outcome.value == "fail"]
    return f"{problem.status.value} {problem.code}: {'; '.join(failed) or problem.detail}"
