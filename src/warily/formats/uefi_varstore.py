"""UEFI variable stores as OVMF keeps them: a firmware volume with authenticated variables.

Only the current value of each variable is read; what was deleted or replaced is skipped as firmware skips it.
A store with two current values of one variable is refused: which of them firmware takes is not specified.
Source: edk2 MdeModulePkg/Include/Guid/VariableFormat.h, MdePkg/Include/Pi/PiFirmwareVolume.h.
"""

from typing import Annotated, Final, Self

from warily.errors import FormatError
from warily.formats._guid import guid, text_of
from warily.formats._layout import Layout, layout, octets, u8, u16, u32, u64
from warily.formats._record import record
from warily.formats.firmware_volume import SIGNATURE, VolumeHeader

LIMIT: Final = 16 << 20
MAX_VARIABLES: Final = 4096
MAX_NAME: Final = 2048
NV_DATA: Final = guid("fff12b8d-7696-4c8b-a985-2747075b4f50")
AUTHENTICATED: Final = guid("aaf32c78-947b-439a-a180-2e144ec37792")
FORMATTED: Final = 0x5A
HEALTHY: Final = 0xFE
START: Final = 0x55AA
ADDED: Final = 0x3F
BEING_REPLACED: Final = 0x3E

GLOBAL: Final = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
IMAGE_SECURITY: Final = "d719b2cb-3d3a-4596-a3bc-dad00e67656f"
SECURE_BOOT_ENABLE: Final = "f0a30bc7-af08-4556-99c4-001009c93a44"


@layout(28, source="edk2 VariableFormat.h, VARIABLE_STORE_HEADER")
class StoreHeader(Layout):
    """The head of the variables. `size` counts it."""

    signature: Annotated[bytes, octets(0, 16)]
    size: Annotated[int, u32(16)]
    format: Annotated[int, u8(20)]
    state: Annotated[int, u8(21)]


@layout(60, source="edk2 VariableFormat.h, AUTHENTICATED_VARIABLE_HEADER")
class VariableHeader(Layout):
    """The head of one variable. Name and value follow without a gap, the next variable at a multiple of four."""

    start: Annotated[int, u16(0)]
    state: Annotated[int, u8(2)]
    reserved: Annotated[int, u8(3)]
    attributes: Annotated[int, u32(4)]
    count: Annotated[int, u64(8)]
    time: Annotated[bytes, octets(16, 16)]
    key: Annotated[int, u32(32)]
    name_size: Annotated[int, u32(36)]
    value_size: Annotated[int, u32(40)]
    vendor: Annotated[bytes, octets(44, 16)]


@record
class Variable:
    """A variable's current value. `vendor` is a GUID as printed."""

    vendor: str
    name: str
    attributes: int
    value: bytes


@record
class VariableStore:
    """The current variables, in the order of the store."""

    variables: tuple[Variable, ...]

    @classmethod
    def parse(cls, data: bytes | memoryview) -> Self:
        """The store that the volume `data` (at most 16 MiB; what follows the volume is left alone) holds.

        Raises `FormatError`, also for a store of variables without authentication.
        """
        view = memoryview(data)
        if len(view) > LIMIT:
            msg = f"variable store: {len(view)} bytes are over the limit of {LIMIT}"
            raise FormatError(msg)
        if len(view) < VolumeHeader.SIZE:
            msg = f"variable store: {len(view)} bytes are no firmware volume"
            raise FormatError(msg)
        volume = VolumeHeader.unpack(view[: VolumeHeader.SIZE])
        start = volume.header_size
        if volume.signature != SIGNATURE or volume.file_system != NV_DATA or not start < volume.length <= len(view):
            raise FormatError("variable store: not a firmware volume of variables")
        body = view[start : volume.length]
        head = StoreHeader.unpack(body[: StoreHeader.SIZE])
        if head.signature != AUTHENTICATED or (head.format, head.state) != (FORMATTED, HEALTHY):
            msg = f"variable store: format {text_of(head.signature)}, state {head.state:#x} is not one that is read"
            raise FormatError(msg)
        if not StoreHeader.SIZE <= head.size <= len(body):
            msg = f"variable store: {head.size} bytes do not fit the volume"
            raise FormatError(msg)
        return cls(variables=_variables(body[: head.size]))

    def find(self, name: str, vendor: str = GLOBAL) -> Variable | None:
        """The variable of that name, None without one."""
        return next((found for found in self.variables if (found.name, found.vendor) == (name, vendor)), None)

    def value(self, name: str, vendor: str = GLOBAL) -> bytes:
        """The value of the variable of that name; empty without one."""
        found = self.find(name, vendor)
        return found.value if found else b""

    @property
    def boot_order(self) -> tuple[int, ...]:
        """The numbers in BootOrder. Raises `FormatError` for an odd number of bytes."""
        value = self.value("BootOrder")
        if len(value) % 2:
            msg = f"variable store: BootOrder of {len(value)} bytes"
            raise FormatError(msg)
        return tuple(int.from_bytes(value[at : at + 2], "little") for at in range(0, len(value), 2))

    @property
    def secure_boot(self) -> bool:
        """Whether firmware with Secure Boot enforces it: a platform key is there, and nobody switched it off.

        Source: edk2 SecurityPkg AuthVariableLib, AuthVariableLibInitialize.
        """
        switch = self.value("SecureBootEnable", SECURE_BOOT_ENABLE)
        return bool(self.value("PK")) and switch in (b"", b"\x01")


def _variables(body: memoryview) -> tuple[Variable, ...]:
    found: dict[tuple[str, str], tuple[int, Variable]] = {}
    at, seen = StoreHeader.SIZE, 0
    while at + VariableHeader.SIZE <= len(body) and int.from_bytes(body[at : at + 2], "little") == START:
        seen += 1
        if seen > MAX_VARIABLES:
            msg = f"variable store: over {MAX_VARIABLES} entries"
            raise FormatError(msg)
        head = VariableHeader.unpack(body[at : at + VariableHeader.SIZE])
        name_at = at + VariableHeader.SIZE
        value_at = name_at + head.name_size
        end = value_at + head.value_size
        if head.name_size > MAX_NAME or end > len(body):
            msg = f"variable store: a name of {head.name_size} and a value of {head.value_size} bytes do not fit"
            raise FormatError(msg)
        if head.state in (ADDED, BEING_REPLACED):
            variable = Variable(
                vendor=text_of(head.vendor),
                name=_name(bytes(body[name_at : name_at + head.name_size])),
                attributes=head.attributes,
                value=bytes(body[value_at:end]),
            )
            _keep(found, head.state, variable)
        at = end + -end % 4
    return tuple(variable for _, variable in found.values())


def _keep(found: dict[tuple[str, str], tuple[int, Variable]], state: int, variable: Variable) -> None:
    """A value that is being replaced counts only where the new one is not there yet."""
    key = (variable.vendor, variable.name)
    before = found.get(key)
    if before is None or (before[0] == BEING_REPLACED and state == ADDED):
        found[key] = (state, variable)
    elif before[0] == state:
        msg = f"variable store: {variable.name[:64]!r} has two current values"
        raise FormatError(msg)


def _name(data: bytes) -> str:
    try:
        text = data.decode("utf-16-le")
    except UnicodeDecodeError:
        text = ""
    if not text.endswith("\0") or "\0" in text[:-1]:
        msg = f"variable store: a name of {len(data)} bytes is not UTF-16 with one final NUL"
        raise FormatError(msg)
    return text[:-1]
