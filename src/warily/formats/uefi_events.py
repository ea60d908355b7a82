"""What the data of boot events says: variables, images, tables, separators, words.

Only for explaining: a register vouches for an event's digest, and for its data only where the digest is a hash of
that data. Every text that leaves here is printable and short.
"""

from dataclasses import dataclass, field
from typing import Final, Self

from warily.errors import FormatError
from warily.formats import _guid
from warily.formats._cursor import Cursor
from warily.formats.tcg_log import EventType

MAX_TEXT: Final = 4096
MAX_NAME: Final = 512
MAX_ENTRIES: Final = 256
EFI_GLOBAL: Final = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
LOAD_OPTIONS_TAG: Final = 0x8F3B22ED  # drivers/firmware/efi/libstub: the command line that the stub was given
INITRD_TAG: Final = 0x8F3B22EC
GRUB_COMMAND_LINE: Final = "kernel_cmdline: "
_FILE_PATH: Final = (4, 4)
_END_OF_PATH: Final = 0x7F

VARIABLES: Final = frozenset(
    {
        EventType.EFI_VARIABLE_DRIVER_CONFIG,
        EventType.EFI_VARIABLE_BOOT,
        EventType.EFI_VARIABLE_BOOT2,
        EventType.EFI_VARIABLE_AUTHORITY,
    },
)
IMAGES: Final = frozenset(
    {
        EventType.EFI_BOOT_SERVICES_APPLICATION,
        EventType.EFI_BOOT_SERVICES_DRIVER,
        EventType.EFI_RUNTIME_SERVICES_DRIVER,
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UefiVariable:
    """UEFI_VARIABLE_DATA (PFP 1.06, section 10.2.6). `value` is empty where the variable did not exist."""

    guid: str
    name: str
    value: bytes = field(repr=False)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The variable that event data holds. Raises `FormatError`."""
        cursor = Cursor(data, what="UEFI_VARIABLE_DATA")
        guid = _guid.text_of(cursor.take(16, "vendor GUID"))
        characters, size = cursor.number(8, "length of the name"), cursor.number(8, "length of the value")
        if characters > MAX_NAME:
            msg = f"UEFI_VARIABLE_DATA: a name of {characters} characters"
            raise FormatError(msg)
        name = _utf16(cursor.take(2 * characters, "name"))
        value = cursor.take(size, "value")
        cursor.finish()
        return cls(guid=guid, name=name, value=value)

    def encode(self) -> bytes:
        """The event data that holds this variable."""
        name = self.name.encode("utf-16-le")
        sizes = (len(name) // 2).to_bytes(8, "little") + len(self.value).to_bytes(8, "little")
        return _guid.guid(self.guid) + sizes + name + self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedEvent:
    """TCG_PCClientTaggedEvent: a number and what goes with it."""

    tag: int
    content: bytes

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The tagged event that event data holds. Raises `FormatError`."""
        cursor = Cursor(data, what="tagged event")
        tag = cursor.number(4, "tag")
        content = cursor.counted(4, "content", limit=len(data))
        cursor.finish()
        return cls(tag=tag, content=content)


def explain(kind: int, data: bytes) -> str:
    """One line that says what event data means; its length and first bytes where that is not known."""
    try:
        return _explain(kind, data) or _raw(data)
    except FormatError:
        return f"malformed: {_raw(data)}"


def _explain(kind: int, data: bytes) -> str:
    if kind in VARIABLES:
        return _variable(UefiVariable.decode(data))
    if kind in IMAGES:
        return f"image {_device_path(data)}"
    if kind == EventType.SEPARATOR:
        return "separator" if data in (bytes(4), b"\xff" * 4) else f"separator: error {data[:8].hex()}"
    if kind == EventType.EVENT_TAG:
        tagged = TaggedEvent.decode(data)
        return f"tag {tagged.tag:#010x}: {text_of(tagged.content) or _raw(tagged.content)}"
    if kind in (EventType.EFI_PLATFORM_FIRMWARE_BLOB2, EventType.EFI_HANDOFF_TABLES2):
        said = Cursor(data, what="description").counted(1, "description", limit=255)
        return _printable(said.decode("ascii", "replace"))
    if kind in (EventType.EFI_GPT_EVENT, EventType.EFI_GPT_EVENT2):
        return _partitions(data)
    return _numbers(kind, data) or text_of(data)


def _numbers(kind: int, data: bytes) -> str:
    """What two types say that hold numbers alone."""
    if kind == EventType.EFI_PLATFORM_FIRMWARE_BLOB and len(data) == 16:
        base, size = int.from_bytes(data[:8], "little"), int.from_bytes(data[8:], "little")
        return f"firmware volume at {base:#x}, {size:#x} bytes"
    if kind == EventType.EFI_HANDOFF_TABLES and len(data) >= 8:
        return f"{int.from_bytes(data[:8], 'little')} handoff tables"
    return ""


def text_of(data: bytes) -> str:
    """Event data as text, if text it is: UTF-16LE or UTF-8, with or without a final NUL; otherwise empty."""
    body = data[:MAX_TEXT]
    wide = len(body) >= 4 and len(body) % 2 == 0 and not any(body[1:16:2])
    try:
        text = body.decode("utf-16-le" if wide else "utf-8").rstrip("\0")
    except UnicodeDecodeError:
        return ""
    clean = "".join(letter if letter.isprintable() else " " for letter in text)
    return clean.strip() if sum(letter.isprintable() or letter in "\n\t" for letter in text) == len(text) else ""


def command_line(kind: int, data: bytes) -> str | None:
    """The kernel command line that an event of GRUB carries; None where it carries none."""
    if kind != EventType.IPL or not data.startswith(GRUB_COMMAND_LINE.encode()):
        return None
    return text_of(data[len(GRUB_COMMAND_LINE) :])


def _variable(variable: UefiVariable) -> str:
    name = variable.name
    if len(variable.value) == 1:
        return f"variable {name} = {variable.value[0]}"
    if not variable.value:
        return f"variable {name}, absent"
    if name.startswith("Boot") and len(name) == 8 and name != "BootNext":
        return f"variable {name}: {_utf16(variable.value[6:].split(bytes(3))[0] + bytes(1))}"
    return f"variable {name}, {len(variable.value)} bytes"


def _device_path(data: bytes) -> str:
    """The file names in the device path of UEFI_IMAGE_LOAD_EVENT, or its length in memory."""
    cursor = Cursor(data, what="UEFI_IMAGE_LOAD_EVENT")
    cursor.take(8, "address")
    size = cursor.number(8, "length")
    cursor.take(8, "link time address")
    nodes = Cursor(cursor.counted(8, "device path", limit=len(data)), what="device path")
    names: list[str] = []
    while nodes.remaining:
        kind, subtype, length = nodes.number(1, "type"), nodes.number(1, "subtype"), nodes.number(2, "length")
        body = nodes.take(length - 4, "node")
        if (kind, subtype) == _FILE_PATH and len(names) < MAX_ENTRIES:
            names.append(_utf16(body[: len(body) // 2 * 2]))
        if kind == _END_OF_PATH:
            break
    return "".join(names) or f"of {size} bytes, without a file name"


def _partitions(data: bytes) -> str:
    """UEFI_GPT_DATA: the disk and the names of its partitions."""
    cursor = Cursor(data, what="UEFI_GPT_DATA")
    header = cursor.take(92, "header")
    count = cursor.number(8, "number of partitions")
    if count > MAX_ENTRIES:
        msg = f"UEFI_GPT_DATA: {count} partitions"
        raise FormatError(msg)
    entries = [cursor.take(128, "partition") for _ in range(count)]
    names = [_utf16(entry[56:128]) or _guid.text_of(entry[16:32]) for entry in entries]
    return f"disk {_guid.text_of(header[56:72])}: {', '.join(names)}"[:MAX_TEXT]


def _utf16(data: bytes) -> str:
    """UTF-16LE up to the first NUL; what cannot be printed becomes a question mark."""
    text = data[: len(data) // 2 * 2].decode("utf-16-le", "replace").partition("\0")[0]
    return _printable(text)


def _printable(text: str) -> str:
    """The text with a question mark for whatever cannot be printed."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _raw(data: bytes) -> str:
    return f"{len(data)} bytes {data[:16].hex()}"
