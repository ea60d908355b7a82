"""The agent's pure decisions: identity, lease, patience, addresses, what the console says."""

import struct
from collections.abc import Callable

import pytest

from warily.errors import FormatError
from warily.formats.tsm_report import REHEARSAL, TDX_GUEST, TsmReport
from warily.guest import agent, lease
from warily.guest.broker import Unreachable
from warily.guest.evidence import identity_in
from warily.guest.init import tree_blocks
from warily.guest.network import address_request
from warily.guest.refusal import Refused, line
from warily.release.messages import Grant, LeaseAnswer, LeaseState

GRANT = Grant(
    nonce=bytes(48),
    session_key_digest=bytes(32),
    identity=bytes(32),
    session="s",
    lease_key=b"k" * 32,
    lease_seconds=4,
    at=1_790_000_000,
    volumes=(),
)


def test_the_identity_is_the_reports_host_data() -> None:
    report = bytearray(0x4A0)
    report[0xC0:0xE0] = b"\x07" * 32
    assert identity_in(TsmReport(provider=REHEARSAL, outblob=bytes(report))) == b"\x07" * 32
    for other in (TsmReport(provider=TDX_GUEST, outblob=bytes(report)), TsmReport(provider=REHEARSAL, outblob=b"x")):
        with pytest.raises(Refused):
            identity_in(other)


def test_only_the_brokers_own_end_ends_the_lease() -> None:
    def answer(state: LeaseState, count: int = 3, key: bytes = GRANT.lease_key, session: str = "s") -> LeaseAnswer:
        return LeaseAnswer.make(state=state, session=session, count=count, lease_key=key)

    assert lease.is_end(answer(LeaseState.END), GRANT, 3)
    assert not lease.is_end(answer(LeaseState.HOLD), GRANT, 3)
    for forged in (
        answer(LeaseState.END, key=b"x" * 32),
        answer(LeaseState.END, count=2),
        answer(LeaseState.END, session="t"),
    ):
        with pytest.raises(FormatError):
            lease.is_end(forged, GRANT, 3)


def test_pauses_grow_while_the_broker_is_gone_and_stay_bounded() -> None:
    pauses = [lease.pause(4, missed) for missed in range(8)]
    assert pauses[0] == 4
    assert pauses == sorted(pauses)
    assert pauses[-1] == lease.LONGEST_PAUSE
    assert lease.pause(3600, 50) == 3600


def test_a_broker_that_comes_late_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "FIRST_PAUSE", 0.01)
    assert agent.patiently(_fails(3)) == "at last"


def test_a_broker_that_never_comes_means_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(agent, "PATIENCE", 0.05)
    with pytest.raises(Refused) as caught:
        agent.patiently(_fails(1000))
    assert caught.value.check == "broker.unreachable"


def _fails(times: int) -> Callable[[], str]:
    left = [times]

    def attempt() -> str:
        if left[0]:
            left[0] -= 1
            raise Unreachable("nobody there")
        return "at last"

    return attempt


def test_an_interface_request_is_the_kernels() -> None:
    packed = address_request("eth0", "10.0.2.15")
    assert len(packed) == 40  # sizeof(struct ifreq)
    assert packed[:5] == b"eth0\0"
    assert struct.unpack_from("=H", packed, 16) == (2,)
    assert packed[20:24] == bytes([10, 0, 2, 15])


@pytest.mark.parametrize(("blocks", "tree"), [(1, 1), (2, 1), (128, 1), (129, 3), (16384, 129), (16385, 132)])
def test_the_hash_tree_has_the_size_of_veritysetups(blocks: int, tree: int) -> None:
    assert tree_blocks(blocks) == tree


def test_the_console_line_is_one_line() -> None:
    assert line(Refused("volume.blank", "x\ny\x1b[2J")) == "warily: refused: volume.blank: x y [2J"
    assert line(FormatError("x")) == "warily: refused: format: x"
    assert line(OSError(5, "gone")).startswith("warily: refused: internal.OSError: ")
