"""The guest's account of itself: what is written is read back, and nothing else is read."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.errors import FormatError
from warily.formats.guest_state import Device, GuestState

STATE = GuestState(
    kernel="6.12",
    command_line="quiet",
    lockdown="confidentiality",
    modules_disabled=True,
    kexec_disabled=True,
    hibernation=False,
    swaps=0,
    root_is_verity=True,
    devices=(Device(at="pci/0000:00:03.0", identity="1af4:1005:00ff00"),),
    released=(Device(at="pci/0000:00:03.0", identity="1af4:1005:00ff00", driver="virtio-pci"),),
    autoprobe=("platform",),
    listening=("[::]:80",),
    modules=("dm_mod",),
)
words = st.from_regex(r"[!-~]{1,64}", fullmatch=True)
devices = st.builds(Device, at=words, identity=st.from_regex(r"[0-9a-f:]{1,64}", fullmatch=True), driver=words)


@given(st.lists(devices, max_size=4), st.lists(st.text(max_size=8), max_size=3))
def test_what_is_written_is_read_back(devices: list[Device], autoprobe: list[str]) -> None:
    state = replace(STATE, devices=tuple(devices), autoprobe=tuple(autoprobe))
    assert GuestState.decode(state.encode()) == state


@pytest.mark.parametrize("key", ["devices", "released"])
@pytest.mark.parametrize(
    "text", ["", "pci/0000:00:03.0", "pci/0 1AF4:1 x", "pci/0 1 x y", "pci/0 1 ", "pci/0  1", "é 1"]
)
def test_what_is_no_device_is_refused(key: str, text: str) -> None:
    top = json.loads(STATE.encode())
    top[key] = [text]
    with pytest.raises(FormatError, match="is no device"):
        GuestState.decode(json.dumps(top).encode())


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        GuestState.decode(data)
