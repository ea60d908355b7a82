"""What a host plugs in beyond the declared devices: a real machine names it, and binds none of it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.posture.examples import plugged_in
from tests.vm.stage import Stage, address
from tests.vm.up import until
from warily.formats import cmw, guest_state
from warily.formats._json import JsonObject
from warily.formats.guest_state import Device, GuestState

pytestmark = pytest.mark.vm
WITHIN = 240.0

PLUGGED: dict[str, tuple[str, ...]] = {
    "pci/0000:00:03.0 1af4:1044:00ff00": ("-device", "virtio-rng-pci,addr=3,disable-legacy=on"),
    "pci/0000:00:04.0 1af4:1045:00ff00": ("-device", "virtio-balloon-pci,addr=4,disable-legacy=on"),
    "pci/0000:00:05.0 8086:100e:020000": ("-device", "e1000,addr=5,romfile="),
    "pci/0000:00:06.0 1b36:0010:010802": (
        *("-blockdev", "driver=null-co,node-name=strange,size=1048576,read-zeroes=on"),
        *("-device", "nvme,drive=strange,serial=strange,addr=6"),
    ),
    "pci/0000:00:09.0 1b36:0002:070002": ("-device", "pci-serial,addr=9"),
    "pci/0000:00:0a.0 1af4:1043:078000": ("-device", "virtio-serial-pci,addr=0xa,disable-legacy=on"),
}
TAKEN = {text for text in PLUGGED if " 1af4:" in text}  # by virtio-pci, which no machine can do without


@pytest.fixture(scope="module")
def found(stage: Stage) -> Iterator[dict[str, Any]]:
    """What the broker says of a machine with everything above plugged in, once its volume is open."""
    with stage.copy() as copy, copy.broker() as operator:
        more = [word for words in PLUGGED.values() for word in words]
        with copy.boot(address(operator), more=more) as boot:
            said = ("warily: volume data is open", "warily: refused", "Kernel panic")
            decided = lambda: any(word in line for line in list(boot.lines) for word in said)  # noqa: E731  # one use
            until(decided, WITHIN, what="the machine to open its volume", tail=boot.machine.tail)
            assert any(said[0] in line for line in boot.lines), boot.machine.tail()
            answer: Any = operator.get(f"/v1/operator/appraisals/{copy.project.identity.hex()}")
        yield answer["accepted"]


def sampled(found: dict[str, Any]) -> GuestState:
    import json

    top = JsonObject.parse(json.dumps(found["evidence"]).encode(), what="evidence", limit=1 << 20)
    return GuestState.decode(cmw.decode(top)[guest_state.LABEL].value)


def test_unknown_devices_are_there_and_none_is_bound(found: dict[str, Any]) -> None:
    state = sampled(found)
    strange = {Device.parse(text) for text in PLUGGED}
    assert set(state.devices) == {*strange, *plugged_in(rehearsal=True)}
    assert state.autoprobe == ()


def test_what_a_driver_of_the_kernel_had_taken_was_taken_away(found: dict[str, Any]) -> None:
    assert {str(device) for device in sampled(found).released} == {f"{text} virtio-pci" for text in TAKEN}


def test_the_broker_names_them_in_its_finding(found: dict[str, Any]) -> None:
    (finding,) = (each for each in found["appraisal"]["findings"] if each["check"] == "release.devices")
    assert finding["outcome"] == "pass"
    assert all(text in finding["found"] for text in list(PLUGGED)[:4])
