"""Boot options: what a Boot#### variable holds.

Source: UEFI Specification 2.10, section 3.1.3 (EFI_LOAD_OPTION) and chapter 10 (device paths).
"""

from typing import Final, Self

from warily.errors import FormatError
from warily.formats._cursor import Cursor
from warily.formats._guid import guid
from warily.formats._record import record

LIMIT: Final = 64 << 10
END_OF_PATH: Final = bytes.fromhex("7fff0400")
_ROOT_BRIDGE: Final = bytes.fromhex("02010c00d041030a00000000")
_VOLUME_NODE: Final = bytes.fromhex("04071400")
_FILE_NODE: Final = bytes.fromhex("04061400")


@record
class LoadOption:
    """One option. `path` are the bytes of the device paths, `data` what is handed to the program."""

    attributes: int
    description: str
    path: bytes
    data: bytes = b""

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The option that a variable's value is. Raises `FormatError`."""
        if len(data) > LIMIT:
            msg = f"boot option: {len(data)} bytes are over the limit of {LIMIT}"
            raise FormatError(msg)
        cursor = Cursor(data, what="boot option")
        attributes, path_size = cursor.number(4, "attributes"), cursor.number(2, "size of the device paths")
        letters = bytearray()
        while (letter := cursor.take(2, "description")) != b"\0\0":
            letters += letter
        try:
            description = letters.decode("utf-16-le")
        except UnicodeDecodeError:
            raise FormatError("boot option: the description is not UTF-16") from None
        path = cursor.take(path_size, "device paths")
        return cls(
            attributes=attributes,
            description=description,
            path=path,
            data=cursor.take(cursor.remaining, "data"),
        )

    def encode(self) -> bytes:
        """The variable's value."""
        head = self.attributes.to_bytes(4, "little") + len(self.path).to_bytes(2, "little")
        return head + f"{self.description}\0".encode("utf-16-le") + self.path + self.data


def pci_device(device: int, function: int) -> bytes:
    """The device path of a function on bus 0 of the first root bridge."""
    return _ROOT_BRIDGE + bytes([0x01, 0x01, 0x06, 0x00, function, device]) + END_OF_PATH


def firmware_file(volume: str, file: str) -> bytes:
    """The device path of a program in a firmware volume; both are GUIDs as printed."""
    return _VOLUME_NODE + guid(volume) + _FILE_NODE + guid(file) + END_OF_PATH
