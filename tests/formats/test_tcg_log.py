"""Event logs come back as they were, or are refused; what their events say is only ever text."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.forge_tpm import SHA256_BANK, boot, event, log, variable
from warily.core.registers import BANKS
from warily.errors import FormatError
from warily.formats import tcg_log
from warily.formats.tcg_log import SIGNATURE_AGILE, EventLog, EventType, is_log, type_name
from warily.formats.uefi_events import TaggedEvent, UefiVariable, command_line, explain, text_of

LEGACY = bytes(4) + b"\x08\x00\x00\x00" + b"\x11" * 20 + b"\x02\x00\x00\x00" + b"v1"
ENTRIES = st.builds(
    event,
    st.integers(0, 30),
    st.sampled_from([int(kind) for kind in EventType] + [0x8401]),
    st.binary(max_size=40),
)


@given(st.lists(ENTRIES, max_size=6), st.sampled_from([b"", b"\xff" * 40, bytes(40)]))
def test_logs_come_back(entries: list[tcg_log.Event], padding: bytes) -> None:
    made = log(*entries, padding=padding)
    data = made.encode()
    found = EventLog.decode(data)
    assert found.encode() == data
    assert found.padding == padding
    assert [(one.register, one.type, one.digests, one.data) for one in found.events] == [
        (one.register, one.type, one.digests, one.data) for one in entries
    ]
    assert is_log(data)


@given(st.binary(max_size=300), st.sampled_from([b"", LEGACY, boot().encode(), boot().encode()[:-3], b"\x01\x00"]))
def test_any_bytes_are_refused_or_come_back(tail: bytes, head: bytes) -> None:
    data = head + tail
    is_log(data)
    try:
        made = EventLog.decode(data)
    except FormatError:
        return
    assert made.encode() == data


@given(st.integers(0, len(boot().encode()) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_comes_back(at: int, change: int) -> None:
    data = bytearray(boot().encode())
    data[at] ^= change
    try:
        made = EventLog.decode(bytes(data))
    except FormatError:
        return
    assert made.encode() == bytes(data)


def test_old_logs_need_no_spec_id() -> None:
    made = EventLog.decode(LEGACY * 3)
    assert made.header is None
    assert not made.agile
    assert made.algorithms == ((tcg_log.SHA1, 20),)
    assert len(made.events) == 3
    assert made.encode() == LEGACY * 3
    assert is_log(LEGACY)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "remain"),
        (bytes(4096), "neither a Spec ID event"),
        (b"\xff" * 4096, "over the limit"),
        (LEGACY.replace(b"\x08\x00", b"\x09\x09", 1), "neither a Spec ID event"),
        (boot().encode().replace(SIGNATURE_AGILE, b"Spec ID Event09\x00"), "no Spec ID event"),
        (boot().encode() + b"\xff" * 30 + b"\x00", "is followed by something else"),
        (boot().encode() + bytes(30) + b"\x01", "is followed by something else"),
        (boot().encode()[:-1], "remain"),
        (bytes(tcg_log.LIMIT + 1), "over the limit"),
        (log(event(0, 4, b"x", banks=(BANKS["sha384"],))).encode(), "not declared"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, why: str) -> None:
    with pytest.raises(FormatError, match=why):
        EventLog.decode(data)


def spec(count: int, algorithms: bytes, vendor: bytes = b"\x00") -> bytes:
    body = SIGNATURE_AGILE + bytes(8) + count.to_bytes(4, "little") + algorithms + vendor
    return bytes(4) + b"\x03\x00\x00\x00" + bytes(20) + len(body).to_bytes(4, "little") + body


SHA256_ENTRY = b"\x0b\x00\x20\x00"


@pytest.mark.parametrize(
    "header",
    [
        spec(0, b""),
        spec(17, SHA256_ENTRY * 17),
        spec(2, SHA256_ENTRY * 2),
        spec(1, b"\x0b\x00\x30\x00"),
        spec(1, b"\x77\x77\x00\x00"),
        spec(1, b"\x77\x77\x41\x00"),
        spec(1, SHA256_ENTRY, b"\x02x"),
        spec(1, SHA256_ENTRY, b"\x00x"),
        spec(0x7FFFFFFF, SHA256_ENTRY),
    ],
)
def test_headers_are_strict(header: bytes) -> None:
    with pytest.raises(FormatError):
        EventLog.decode(header)


def test_an_algorithm_that_has_no_name_is_read_by_its_declared_size() -> None:
    entry = bytes(4) + b"\x04\x00\x00\x00" + b"\x01\x00\x00\x00" + b"\x77\x77" + b"\x22" * 24 + bytes(4)
    made = EventLog.decode(spec(1, b"\x77\x77\x18\x00") + entry)
    assert made.events[0].digest(0x7777) == b"\x22" * 24


def test_too_many_entries_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcg_log, "MAX_EVENTS", 3)
    EventLog.decode(log(*[event(0, 4, bytes(4))] * 3).encode())
    with pytest.raises(FormatError, match="over 3 entries"):
        EventLog.decode(log(*[event(0, 4, bytes(4))] * 4).encode())


@example(int(EventType.EFI_PLATFORM_FIRMWARE_BLOB2), b"\x01\x00")
@given(st.sampled_from([int(kind) for kind in EventType] + [0x8401]), st.binary(max_size=400))
def test_explanations_are_short_and_printable(kind: int, data: bytes) -> None:
    said = explain(kind, data)
    assert said.isprintable()
    assert 0 < len(said) <= 5000
    assert command_line(kind, data) is None or kind == EventType.IPL


@given(st.binary(max_size=200))
def test_variables_come_back_or_are_refused(data: bytes) -> None:
    for reader in (UefiVariable.decode, TaggedEvent.decode):
        try:
            reader(data)
        except FormatError:
            continue
    made = UefiVariable.decode(variable("Näme", data))
    assert (made.name, made.value) == ("Näme", data)


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        (EventType.EFI_VARIABLE_DRIVER_CONFIG, variable("SecureBoot", b"\x01"), "variable SecureBoot = 1"),
        (EventType.EFI_VARIABLE_DRIVER_CONFIG, variable("PK", b""), "variable PK, absent"),
        (
            EventType.EFI_VARIABLE_BOOT,
            variable("Boot0001", bytes(6) + "Linux\0".encode("utf-16-le")),
            "variable Boot0001: Linux",
        ),
        (EventType.SEPARATOR, bytes(4), "separator"),
        (EventType.SEPARATOR, b"\x01\x00\x00\x00", "separator: error 01000000"),
        (EventType.EFI_ACTION, b"Exit Boot Services", "Exit Boot Services"),
        (EventType.EFI_HANDOFF_TABLES2, b"\x03abc" + bytes(8), "abc"),
        (
            EventType.EFI_PLATFORM_FIRMWARE_BLOB,
            (0x900000).to_bytes(8, "little") * 2,
            "firmware volume at 0x900000, 0x900000 bytes",
        ),
        (EventType.EVENT_TAG, b"\xec\x22\x3b\x8f\x05\x00\x00\x00Linux", "tag 0x8f3b22ec: Linux"),
        (EventType.EFI_VARIABLE_BOOT, b"short", "malformed: 5 bytes 73686f7274"),
        (EventType.POST_CODE, b"\xff\xfe\x00", "3 bytes fffe00"),
    ],
)
def test_events_say_what_they_mean(kind: int, data: bytes, said: str) -> None:
    assert explain(kind, data) == said


def test_names_and_texts() -> None:
    assert type_name(0x80000001) == "EV_EFI_VARIABLE_DRIVER_CONFIG"
    assert type_name(0x99) == "type 0x00000099"
    assert text_of("größer\0".encode("utf-16-le")) == "größer"
    assert text_of(b"\x00\x01\x02") == ""
    assert command_line(EventType.IPL, b"kernel_cmdline: /vmlinuz ro\x00") == "/vmlinuz ro"
    assert boot().events[0].digest(SHA256_BANK)
