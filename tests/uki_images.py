"""Unified kernel images for tests, put together from a stub and sections the way ukify does."""

from collections.abc import Sequence

FILE_ALIGNMENT = 512
SECTION_ALIGNMENT = 4096
READ_ONLY_DATA = 0x40000040


def assemble(stub: bytes, sections: Sequence[tuple[str, bytes]], *, virtual: dict[str, int] | None = None) -> bytes:
    """The stub with these sections after its own. `virtual` overrides the VirtualSize of a section."""
    image = bytearray(stub) + bytes(-len(stub) % FILE_ALIGNMENT)
    start = _number(image, 0x3C, 4)
    count, optional = _number(image, start + 6, 2), start + 24
    table = optional + _number(image, start + 20, 2)
    address = max(
        (_number(image, at + 12, 4) + _number(image, at + 8, 4) for at in range(table, table + 40 * count, 40)),
        default=SECTION_ALIGNMENT,
    )
    for name, content in sections:
        address += -address % SECTION_ALIGNMENT
        at = table + 40 * count
        assert at + 40 <= _number(image, optional + 60, 4), "the stub's headers have no room for another section"
        size = (virtual or {}).get(name, len(content))
        padded = len(content) + -len(content) % FILE_ALIGNMENT
        fields = (size, address, padded, len(image) if padded else 0, 0, 0, 0, READ_ONLY_DATA)
        image[at : at + 40] = name.encode().ljust(8, b"\0") + b"".join(value.to_bytes(4, "little") for value in fields)
        image += content + bytes(padded - len(content))
        count += 1
        address += size
    image[start + 6 : start + 8] = count.to_bytes(2, "little")
    image[optional + 56 : optional + 60] = (address + -address % SECTION_ALIGNMENT).to_bytes(4, "little")
    return bytes(image)


def minimal_stub(*, version: str = "", headers: int = 4096) -> bytes:
    """A PE32+ image without code, which says that it is that version of systemd-stub."""
    start = 0x80
    optional = bytearray(112 + 16 * 8)
    for at, width, value in (
        (0, 2, 0x20B),
        (32, 4, SECTION_ALIGNMENT),
        (36, 4, FILE_ALIGNMENT),
        (60, 4, headers),
        (108, 4, 16),
    ):
        optional[at : at + width] = value.to_bytes(width, "little")
    coff = (0x8664).to_bytes(2, "little") + bytes(14) + len(optional).to_bytes(2, "little") + bytes(2)
    image = b"MZ".ljust(0x3C, b"\0") + start.to_bytes(4, "little")
    image = (image.ljust(start, b"\0") + b"PE\0\0" + coff + optional).ljust(headers, b"\0")
    if not version:
        return image
    return assemble(image, [(".sdmagic", f"#### LoaderInfo: systemd-stub {version} ####\0".encode())])


def _number(image: bytes | bytearray, at: int, width: int) -> int:
    return int.from_bytes(image[at : at + width], "little")
