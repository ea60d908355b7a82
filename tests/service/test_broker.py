"""The broker end to end: forged guests over HTTP, real SQLite files, every refusal by its own check."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.service.forge_guest import DESCRIPTOR, DIGEST, IDENTITY, MANIFEST, SEAL, STATE, Guest, Lab, refused, trust
from warily.core.declaration import Platform
from warily.core.manifest import PredictedRegister
from warily.formats import cmw, guest_state, tsm_report
from warily.formats.guest_state import Device
from warily.release import nonce as nonces
from warily.release import registry
from warily.release.messages import LeaseState, VolumeState
from warily.service.appraise import Trust

Story = Callable[[Lab], Awaitable[None]]


class Play(Protocol):
    """Plays a story with a broker on an empty store."""

    def __call__(self, story: Story, *, believes: Trust | None = None) -> None: ...


@pytest.fixture
def play(tmp_path: Path) -> Play:
    def run(story: Story, *, believes: Trust | None = None) -> None:
        async def main() -> None:
            lab = await Lab.open(tmp_path, believes=believes)
            try:
                await story(lab)
                audit = await lab.operator("GET", "audit")
                assert audit["broken_at"] is None
            finally:
                await lab.close()

        asyncio.run(main())

    return run


def test_a_volume_from_blank_to_retired(play: Play) -> None:
    async def story(lab: Lab) -> None:
        first = await lab.granted(Guest())
        (fresh,) = first.volumes
        assert (fresh.name, fresh.state, fresh.descriptor) == ("data", VolumeState.BLANK, None)
        for _ in range(2):  # the first answer may have been lost
            assert (await lab.confirm(first)).status_code == 200

        second = await lab.granted(Guest())
        (again,) = second.volumes
        assert (again.state, again.descriptor, again.secret) == (VolumeState.INITIALISED, DESCRIPTOR, fresh.secret)
        assert second.lease_key != first.lease_key

        body = json.dumps({"identity": IDENTITY.hex(), "name": "data"}).encode()
        assert (await lab.operator("POST", "volumes/retire", body))["state"] == "retired"
        problem = refused(await lab.attest(Guest()))
        assert (problem["status"], problem["code"]) == (409, "volume-retired")

        audit = await lab.operator("GET", "audit")
        assert [row["event"] for row in audit["rows"]] == ["grant", "initialise", "grant", "retire", "refuse"]
        assert again.secret.hex() not in json.dumps(audit)

    play(story)


def change_report(**fields: Any) -> Guest:  # noqa: ANN401  # fields of a report
    return Guest(report=lambda report: replace(report, **fields))


def other_state(records: dict[str, cmw.Record]) -> dict[str, cmw.Record]:
    changed = replace(STATE, lockdown="none").encode()
    return records | {guest_state.LABEL: cmw.Record(media_type=guest_state.MEDIA_TYPE, value=changed)}


def with_device(text: str) -> Guest:
    """A guest that says it has this device."""
    return Guest(state=replace(STATE, devices=(*STATE.devices, Device.parse(text))))


@pytest.mark.parametrize(
    ("guest", "failed"),
    [
        (Guest(key="other"), ["snp.signature"]),
        (change_report(measurement=b"\x66" * 48), ["snp.measurement", "release.manifest"]),
        (change_report(measurement=b"\x55" * 48), ["release.manifest"]),
        (change_report(policy=0xB0000), ["snp.policy"]),
        (change_report(policy=0x70000), ["snp.policy", "snp.migration-agent"]),
        (change_report(report_id_ma=bytes(32)), ["snp.migration-agent"]),
        (change_report(host_data=b"o" * 32), ["snp.host-data"]),
        (change_report(vmpl=1), ["snp.vmpl"]),
        (change_report(vmpl=0xFFFFFFFF), ["snp.vmpl.guest", "snp.vmpl"]),
        (change_report(report_data=bytes(64)), ["snp.report-data"]),
        (change_report(policy=0x30000 | 1 << 40), ["snp.unknown-bits"]),
        (Guest(evidence=other_state), ["snp.report-data"]),
        (Guest(evidence=lambda records: {"hw": records["hw"]}), ["release.evidence"]),
        (Guest(evidence=lambda records: {"state": records["state"]}), ["release.evidence"]),
        (Guest(evidence=lambda records: records | {"more": records["state"]}), ["release.evidence"]),
        (Guest(hardware=lambda hw: replace(hw, provider=tsm_report.TDX_GUEST)), ["release.evidence"]),
        (Guest(identity=bytes(32)), ["release.identity"]),
        (Guest(volumes=("data", "secrets")), ["release.volume"]),
        (Guest(volumes=("data", "data")), ["release.volume"]),
        (with_device("pci/0000:00:05.0 8086:100e:020000 e1000"), ["release.devices"]),
        (with_device("virtio/0000:00:14.0 1af4:0002 virtio_blk"), ["release.devices"]),
        (
            Guest(request=lambda made: replace(made, session_key=b"\x04" + b"x" * 64)),
            ["release.binding", "snp.report-data"],
        ),
        (Guest(request=lambda made: replace(made, session_key=Guest().point)), ["snp.report-data"]),
        (Guest(request=lambda made: replace(made, identity=b"o" * 32)), ["snp.host-data"]),
    ],
)
def test_what_is_refused_and_by_which_check(play: Play, guest: Guest, failed: list[str]) -> None:
    async def story(lab: Lab) -> None:
        problem = refused(await lab.attest(guest))
        assert (problem["status"], problem["code"], problem["failed"]) == (403, "rejected", failed)
        assert (await lab.operator("GET", "volumes"))["volumes"] == [], "a refusal made a volume"
        audit = await lab.operator("GET", "audit")
        assert [row["event"] for row in audit["rows"]] == ["refuse"]
        assert audit["rows"][0]["detail"]["finding"]["check"] == failed[0]

    play(story)


def test_a_rehearsal_root_counts_only_where_the_broker_was_told_of_it(play: Play) -> None:
    async def story(lab: Lab) -> None:
        problem = refused(await lab.attest(Guest()))
        assert problem["failed"] == ["snp.chain.root"]

    play(story, believes=Trust(manifests=(MANIFEST,), rehearsal_roots=frozenset(), unknown_devices=True))


STRANGE = "pci/0000:00:05.0 8086:100e:020000"


def test_an_unknown_device_without_a_driver_is_named(play: Play) -> None:
    async def story(lab: Lab) -> None:
        await lab.granted(with_device(STRANGE))
        evidence = await lab.operator("GET", f"appraisals/{IDENTITY.hex()}")
        findings = evidence["accepted"]["appraisal"]["findings"]
        (found,) = (finding for finding in findings if finding["check"] == "release.devices")
        assert (found["outcome"], found["found"]) == ("pass", STRANGE)

    play(story)


def test_an_unknown_device_is_refused_where_the_broker_was_told_so(play: Play) -> None:
    async def story(lab: Lab) -> None:
        assert refused(await lab.attest(with_device(STRANGE)))["failed"] == ["release.devices"]
        await lab.granted(Guest())

    play(story, believes=trust(unknown_devices=False))


def test_missing_certificates_are_undecided_and_not_rejected(play: Play) -> None:
    async def story(lab: Lab) -> None:
        guest = Guest(hardware=lambda hw: replace(hw, auxblob=b""))
        problem = refused(await lab.attest(guest))
        assert (problem["status"], problem["code"], problem["failed"]) == (503, "undecided", [])

    play(story)


def test_a_nonce_serves_once_even_where_the_evidence_was_refused(play: Play) -> None:
    async def story(lab: Lab) -> None:
        nonce, guest = await lab.nonce(), Guest()
        assert (await lab.attest(guest, nonce)).status_code == 200
        replayed = refused(await lab.attest(guest, nonce))
        assert (replayed["status"], replayed["failed"]) == (403, ["release.nonce"])
        spent = await lab.nonce()
        assert (await lab.attest(Guest(key="other"), spent)).status_code == 403
        assert refused(await lab.attest(Guest(), spent))["failed"] == ["release.nonce"]

    play(story)


def test_a_stale_nonce_and_one_of_another_broker_are_refused(play: Play) -> None:
    async def story(lab: Lab) -> None:
        nonce = await lab.nonce()
        lab.clock.move(nonces.LIFETIME + 1)
        assert refused(await lab.attest(Guest(), nonce))["failed"] == ["release.nonce"]
        forged = nonces.mint(b"k" * 32, lab.broker.seconds(), b"r" * 16)
        assert refused(await lab.attest(Guest(), forged))["failed"] == ["release.nonce"]

    play(story)


def test_of_two_at_once_one_gets_to_initialise(play: Play) -> None:
    async def story(lab: Lab) -> None:
        guests = [Guest(), Guest()]
        given = [await lab.nonce() for _ in guests]
        answers = await asyncio.gather(*(lab.attest(g, n) for g, n in zip(guests, given, strict=True)))
        assert sorted(answer.status_code for answer in answers) == [200, 503]
        late = next(answer for answer in answers if answer.status_code == 503)
        assert refused(late)["code"] == "volume-held"
        assert 0 < int(late.headers["retry-after"]) <= registry.HOLD
        assert (await lab.operator("GET", f"appraisals/{IDENTITY.hex()}"))["refused"] is None

    play(story)


def test_the_right_to_initialise_passes_on_and_the_overtaken_session_cannot_confirm(play: Play) -> None:
    async def story(lab: Lab) -> None:
        first = await lab.granted(Guest())
        lab.clock.move(registry.HOLD)
        second = await lab.granted(Guest())
        assert second.volumes == first.volumes
        problem = refused(await lab.confirm(first))
        assert (problem["status"], problem["code"]) == (409, "session-ended")
        assert (await lab.confirm(second)).status_code == 200
        changed = refused(await lab.confirm(second, descriptor=b"x" * 32))
        assert (changed["status"], changed["code"]) == (409, "volume-initialised")

    play(story)


def test_ending_a_machine_lets_the_next_boot_initialise_at_once(play: Play) -> None:
    async def story(lab: Lab) -> None:
        first = await lab.granted(Guest())
        assert (await lab.operator("POST", f"vms/{IDENTITY.hex()}/end")) == {"ended": 1}
        second = await lab.granted(Guest())
        assert second.volumes[0].state is VolumeState.BLANK
        assert refused(await lab.confirm(first))["code"] == "session-ended"

    play(story)


def test_only_the_session_s_holder_confirms_and_only_what_it_was_granted(play: Play) -> None:
    async def story(lab: Lab) -> None:
        grant = await lab.granted(Guest())
        for said in (
            await lab.confirm(grant, key=b"another key, not the lease's one"),
            await lab.confirm(replace(grant, session="5" * 32)),
        ):
            problem = refused(said)
            assert (problem["status"], problem["code"]) == (403, "session")
        assert refused(await lab.confirm(grant, volume="more"))["code"] == "volume-unknown"
        (volume,) = (await lab.operator("GET", "volumes"))["volumes"]
        assert volume["state"] == "blank"

    play(story)


def test_each_opening_begins_an_epoch_and_what_was_sealed_is_said_once(play: Play) -> None:
    async def story(lab: Lab) -> None:
        first = await lab.granted(Guest())
        assert (first.volumes[0].epoch, first.volumes[0].seal) == (0, None)
        assert (await lab.confirm(first)).status_code == 200
        assert (await lab.confirm(first)).status_code == 200, "the first answer may have been lost"
        await lab.operator("POST", f"vms/{IDENTITY.hex()}/end")
        assert (await lab.seal(first, epoch=1)).status_code == 200, "a session that was told to end closes in order"
        second = await lab.granted(Guest())
        assert (second.volumes[0].epoch, second.volumes[0].seal) == (1, SEAL)
        assert (await lab.confirm(second)).status_code == 200
        third = await lab.granted(Guest())
        assert (third.volumes[0].epoch, third.volumes[0].seal) == (2, None), "the second did not close it"
        assert refused(await lab.confirm(third, epoch=4))["code"] == "volume-epoch"
        rows = (await lab.operator("GET", "audit"))["rows"]
        events = [row["event"] for row in rows]
        assert events == ["grant", "initialise", "end", "seal", "grant", "open", "grant", "refuse-confirm"]
        assert rows[5]["detail"]["sealed"] is True

    play(story)


def test_only_the_session_that_was_granted_last_seals(play: Play) -> None:
    async def story(lab: Lab) -> None:
        first = await lab.granted(Guest())
        assert refused(await lab.seal(first, epoch=1))["code"] == "volume-not-open"
        assert (await lab.confirm(first)).status_code == 200
        forged = refused(await lab.seal(first, epoch=1, key=b"another key, not the lease's one"))
        assert (forged["status"], forged["code"]) == (403, "session")
        second = await lab.granted(Guest())
        assert refused(await lab.seal(first, epoch=1))["code"] == "volume-not-held"
        assert refused(await lab.seal(second, epoch=2))["code"] == "volume-not-held"
        assert (await lab.seal(second, epoch=1)).status_code == 200
        assert refused(await lab.seal(second, epoch=1, digest=bytes(32)))["code"] == "volume-sealed"
        (volume,) = (await lab.operator("GET", "volumes"))["volumes"]
        assert (volume["epoch"], volume["sealed"]) == (1, True)

    play(story)


def test_a_clock_that_was_set_back_revives_no_nonce(play: Play) -> None:
    async def story(lab: Lab) -> None:
        nonce = await lab.nonce()
        assert (await lab.attest(Guest(volumes=()), nonce)).status_code == 200
        lab.clock.move(3600)
        assert (await lab.attest(Guest(volumes=()))).status_code == 200
        lab.clock.move(-3600)
        problem = refused(await lab.attest(Guest(volumes=()), nonce))
        assert problem["failed"] == ["release.nonce"]
        (finding,) = (one for one in problem["findings"] if one["outcome"] == "fail")
        assert finding["expected"] == "a clock that goes forward"
        lab.clock.move(3600)
        assert (await lab.attest(Guest(volumes=()))).status_code == 200

    play(story)


def test_another_vm_has_other_volumes_and_other_secrets(play: Play) -> None:
    async def story(lab: Lab) -> None:
        mine = await lab.granted(Guest(volumes=("data", "more")))
        theirs = await lab.granted(Guest(identity=b"o" * 32))
        secrets = {volume.secret for volume in (*mine.volumes, *theirs.volumes)}
        assert len(secrets) == 3

    play(story)


def test_what_is_remembered_outlives_the_broker(tmp_path: Path) -> None:
    async def first() -> bytes:
        lab = await Lab.open(tmp_path)
        grant = await lab.granted(Guest())
        assert (await lab.confirm(grant)).status_code == 200
        await lab.close()
        return grant.volumes[0].secret

    async def second() -> tuple[bytes, VolumeState]:
        lab = await Lab.open(tmp_path)
        grant = await lab.granted(Guest())
        await lab.close()
        return grant.volumes[0].secret, grant.volumes[0].state

    secret = asyncio.run(first())
    assert asyncio.run(second()) == (secret, VolumeState.INITIALISED)
    assert all(secret not in path.read_bytes() for path in tmp_path.iterdir())


def test_a_used_nonce_is_remembered_by_the_next_process(tmp_path: Path) -> None:
    async def main() -> None:
        lab = await Lab.open(tmp_path)
        nonce = await lab.nonce()
        assert (await lab.attest(Guest(), nonce)).status_code == 200
        await lab.close()
        again = await Lab.open(tmp_path)
        assert refused(await again.attest(Guest(), nonce))["failed"] == ["release.nonce"]
        await again.close()

    asyncio.run(main())


def test_a_lease_holds_until_the_operator_ends_it(play: Play) -> None:
    async def story(lab: Lab) -> None:
        grant = await lab.granted(Guest())
        assert (await lab.lease(grant, 1)).state is LeaseState.HOLD
        waiting = asyncio.create_task(lab.lease(grant, 2))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await lab.operator("POST", f"vms/{IDENTITY.hex()}/end")
        async with asyncio.timeout(0.5):
            assert (await waiting).state is LeaseState.END
        assert (await lab.lease(grant, 3)).state is LeaseState.END

    play(story)


def test_a_newer_boot_ends_the_older_one(play: Play) -> None:
    async def story(lab: Lab) -> None:
        grant = await lab.granted(Guest())
        assert (await lab.confirm(grant)).status_code == 200
        waiting = asyncio.create_task(lab.lease(grant, 1))
        await asyncio.sleep(0.1)
        newer = await lab.granted(Guest())
        async with asyncio.timeout(0.5):
            assert (await waiting).state is LeaseState.END
        assert (await lab.lease(newer, 1)).state is LeaseState.HOLD

    play(story)


def test_a_lease_call_is_tagged_and_counts_upwards(play: Play) -> None:
    async def story(lab: Lab) -> None:
        grant = await lab.granted(Guest())
        await lab.operator("POST", f"vms/{IDENTITY.hex()}/end")  # so that no call waits
        await lab.lease(grant, 5)
        with pytest.raises(AssertionError, match="lease-count"):
            await lab.lease(grant, 5)
        with pytest.raises(AssertionError, match="not by its holder"):
            await lab.lease(replace(grant, lease_key=b"x" * 32), 6)

    play(story)


def test_the_operator_sees_the_evidence_and_nobody_else_does(play: Play) -> None:
    async def story(lab: Lab) -> None:
        await lab.granted(Guest())
        await lab.attest(Guest(key="other"))
        found = await lab.operator("GET", f"appraisals/latest?identity={IDENTITY.hex()}")
        assert found == await lab.operator("GET", "appraisals/latest")
        assert found == await lab.operator("GET", f"appraisals/{IDENTITY.hex()}")
        assert (await lab.operator("GET", f"audit?after={'9' * 18}"))["rows"] == []
        assert found["accepted"]["appraisal"]["accepted"] is True
        assert found["accepted"]["appraisal"]["rehearsal"] is True
        assert found["accepted"]["appraisal"]["claims"]["measurement"] == DIGEST.hex()
        assert found["refused"]["code"] == "rejected"
        assert [volume["state"] for volume in found["volumes"]] == ["blank"]
        assert found["session"]["lapsed"] is False
        assert set(found["accepted"]["evidence"]) == {"__cmwc_t", "hw", "state"}

        for query in ("after=x", f"after={'9' * 19}", "after=-1"):
            headers = {"authorization": "Bearer an operator's token"}
            assert refused(await lab.client.get(f"/v1/operator/audit?{query}", headers=headers))["status"] == 400
        for header in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic x"}):
            answer = await lab.client.get("/v1/operator/volumes", headers=header)
            assert refused(answer)["status"] == 401
        unknown = await lab.client.get(
            f"/v1/operator/appraisals/latest?identity={'0' * 64}",
            headers={"authorization": "Bearer an operator's token"},
        )
        assert refused(unknown)["status"] == 404

    play(story)


def test_a_volume_moved_to_another_vm_s_row_does_not_open(play: Play) -> None:
    async def story(lab: Lab) -> None:
        grant = await lab.granted(Guest())
        assert (await lab.confirm(grant)).status_code == 200
        volume = await lab.store.run(lambda tx: tx.volume(IDENTITY, "data"))
        assert volume is not None
        stolen = replace(volume, identity=b"o" * 32)
        await lab.store.run(lambda tx: tx.keep(stolen))
        problem = refused(await lab.attest(Guest(identity=b"o" * 32)))
        assert (problem["status"], problem["code"]) == (500, "host")

    play(story)


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [("attest", (4 << 20) + 1, 413), ("confirm", 4097, 413), ("nonce", 5000, 413), ("attest", 1 << 20, 400)],
)
def test_bodies_are_bounded(play: Play, path: str, size: int, status: int) -> None:
    async def story(lab: Lab) -> None:
        sent = 0

        async def pieces() -> Any:  # noqa: ANN401  # an async iterator: no Content-Length is announced
            nonlocal sent
            while sent < size:
                sent += 4096
                yield b" " * 4096

        announced = await lab.client.post(f"/v1/{path}", content=b" " * size)
        streamed = await lab.client.post(f"/v1/{path}", content=pieces())
        assert [refused(answer)["status"] for answer in (announced, streamed)] == [status, status]

    play(story)


@pytest.mark.parametrize("path", ["attest", "confirm", "lease"])
def test_nonsense_is_malformed_and_leaves_no_trace(play: Play, path: str) -> None:
    async def story(lab: Lab) -> None:
        for body in (b"", b"{}", b"[]", b"null", b'{"nonce":1}', b"\xff", b"[" * 100_000, b'{"a":1,"a":1}'):
            problem = refused(await lab.client.post(f"/v1/{path}", content=body))
            assert problem["status"] in (400, 413)
        assert (await lab.operator("GET", "audit"))["rows"] == []

    play(story)


def test_other_paths_are_problems_too(play: Play) -> None:
    async def story(lab: Lab) -> None:
        for path in ("/", "/docs", "/openapi.json", "/v1/operator/"):
            assert refused(await lab.client.get(path))["status"] == 404
        assert refused(await lab.client.get("/v1/attest"))["status"] == 405
        assert (await lab.client.get("/v1/health")).json()["status"] == "up"

    play(story)


def test_a_launch_digest_counts_for_the_platform_it_was_predicted_for(play: Play) -> None:
    async def story(lab: Lab) -> None:
        assert refused(await lab.attest(Guest()))["failed"] == ["release.manifest"]

    for_hardware = PredictedRegister(platform=Platform.SNP, register="launch_digest", when={}, value=DIGEST)
    play(story, believes=replace(trust(), manifests=(replace(MANIFEST, registers=(for_hardware,)),)))


def test_a_malformed_report_is_malformed(play: Play) -> None:
    async def story(lab: Lab) -> None:
        for change in (
            Guest(hardware=lambda hw: replace(hw, outblob=hw.outblob[:-1])),
            Guest(hardware=lambda hw: replace(hw, auxblob=b"x")),
            Guest(hardware=lambda hw: replace(hw, auxblob=hw.auxblob[:100])),
        ):
            problem = refused(await lab.attest(change))
            assert (problem["status"], problem["code"]) == (400, "format")

    play(story)
